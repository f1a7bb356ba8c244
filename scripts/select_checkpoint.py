"""Choose a training's checkpoint with the best score on dev, the earliest of equal ones: it becomes the adapter."""

import argparse
import re
import shutil
from pathlib import Path

from reasoning.protocol import require_equal
from stage.checksums import NAME, require_intact, seal
from stage.files import read_json, replacing, write_json
from stage.screen import run


def step_of(path):
    """The step of a checkpoint, from the name of its folder or of its policy's: the digits after `step`."""
    return int(re.search(r"step(\d+)$", path.name)[1])


def main(args):
    require_intact(args.checkpoints, "train")
    metrics = {step_of(path.parent): read_json(path) for path in args.metrics}
    kept = sorted(step_of(path) for path in args.checkpoints.glob("step*"))
    if sorted(metrics) != kept:
        raise SystemExit(f"error: the checkpoints are of steps {kept}, and the scores of {sorted(metrics)}")
    first = metrics[kept[0]]
    for each in metrics.values():
        require_equal(first, each)
    scores = {step: metrics[step]["scores"][args.headline] for step in kept}
    chosen = max(kept, key=lambda step: (scores[step]["value"], -step))
    with replacing(args.adapter) as folder:
        shutil.copytree(args.checkpoints, folder, ignore=shutil.ignore_patterns("step*", NAME, ".snakemake_timestamp"))
        shutil.copytree(args.checkpoints / f"step{chosen}", folder, dirs_exist_ok=True)
        seal(folder)
    split = first["protocol"]["split"]
    tried = [{"step": step, "score": scores[step]} for step in kept]
    write_json(args.selection, {"chosen": chosen, "headline": args.headline, "split": split, "checkpoints": tried})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--headline", required=True, help="the extractor that decides")
    parser.add_argument("--checkpoints", required=True, type=Path, help="directory with step<n>/, which training wrote")
    parser.add_argument("--metrics", required=True, type=Path, nargs="+", help="<policy>-step<n>/metrics.json, on dev")
    parser.add_argument("--adapter", required=True, type=Path, help="directory to write")
    parser.add_argument("--selection", required=True, type=Path, help="JSON to write")
    run(main, parser)
