"""Choose the setting of a sweep whose policies have the best mean score on dev; of equal ones, the first by name."""

import argparse
import json
from pathlib import Path

from reasoning.comparison import compare_over_seeds
from reasoning.protocol import require_equal
from stage.files import read_json, read_jsonl, write_json
from stage.screen import run


def main(args):
    settings = json.loads(args.settings)
    bases = {each["base"]: read(args.evaluations / each["base"]) for each in settings.values()}
    for each in settings.values():
        metrics, base = bases[each["base"]]
        found = [read(args.evaluations / policy) for policy in each["policies"]]
        for of_policy, _ in found:
            require_equal(metrics, of_policy)
        each["score"] = compare_over_seeds([base], [samples for _, samples in found])[args.headline]
    chosen = max(sorted(settings), key=lambda name: settings[name]["score"]["mean"])
    split = metrics["protocol"]["split"]
    write_json(args.choice, {"chosen": chosen, "settings": settings, "headline": args.headline, "split": split})


def read(folder):
    """`(metrics, samples)` of an evaluation."""
    return read_json(folder / "metrics.json"), read_jsonl(folder / "samples.jsonl")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="{arm: {values, settings, base, policies}} as JSON")
    parser.add_argument("--headline", required=True, help="the extractor that decides")
    parser.add_argument(
        "--evaluations", required=True, type=Path, help="eval/<task>_dev, with a folder for each policy"
    )
    parser.add_argument("--choice", required=True, type=Path, help="JSON to write")
    run(main, parser)
