"""Compare a tuned policy with the base model, item by item: how much is format, how much is reasoning, how sure."""

import argparse
from pathlib import Path

from gsm8k.answer import EXTRACTORS
from gsm8k.at_k import change_at_k
from gsm8k.protocol import require_equal
from gsm8k.records import read_json, read_jsonl, write_json
from gsm8k.statistics import mean_interval, paired


def outcomes(samples, extractor, family=None):
    """Whether each sample is correct by an extractor, in item order; of one family if one is named."""
    return [s["correct"][extractor] for s in samples if family in (None, s["family"])]


def gain(base, policy, *signs):
    """The mean of what changed problem by problem, `{difference, low, high}`; `signs` are `(sign, extractor)`."""
    changes = [
        sum(sign * (p["correct"][name] - b["correct"][name]) for sign, name in signs)
        for b, p in zip(base, policy, strict=True)
    ]
    low, high = mean_interval(changes)
    return {"difference": sum(changes) / len(changes), "low": low, "high": high}


def compare(base, policy):
    """The paired comparison of two lists of samples about the same items, whole and by family."""
    if [s["id"] for s in base] != [s["id"] for s in policy]:
        raise SystemExit("error: the two policies were asked different problems: evaluate both again")
    whole = {name: paired(outcomes(base, name), outcomes(policy, name)) for name in EXTRACTORS}
    return {
        "extractors": whole,
        # A policy that only learned to write the answer tag gains by `strict` and not by `flexible`.
        "reasoning_gain": gain(base, policy, (1, "flexible")),
        "format_gain": gain(base, policy, (1, "strict"), (-1, "flexible")),
        "at_k": change_at_k(base, policy),
        "families": {
            family: {name: paired(outcomes(base, name, family), outcomes(policy, name, family)) for name in EXTRACTORS}
            for family in sorted({s["family"] for s in base})
        },
    }


def main(args):
    base_metrics, policy_metrics = read_json(args.base_metrics), read_json(args.policy_metrics)
    require_equal(base_metrics, policy_metrics)
    result = compare(read_jsonl(args.base_samples), read_jsonl(args.policy_samples))
    marks = {key: base_metrics[key] for key in ("subset", "protocol_hash")}
    write_json(args.comparison, result | marks)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for policy in ("base", "policy"):
        parser.add_argument(f"--{policy}-metrics", required=True, type=Path, help="metrics.json of evaluate")
        parser.add_argument(f"--{policy}-samples", required=True, type=Path, help="samples.jsonl of evaluate")
    parser.add_argument("--comparison", required=True, type=Path, help="JSON to write")
    main(parser.parse_args())
