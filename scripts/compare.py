"""Compare a trained policy with the base model, problem by problem, and sort what was wrong in their completions."""

import argparse
from pathlib import Path

from reasoning.comparison import compare
from reasoning.protocol import require_equal
from stage.files import read_json, read_jsonl, write_json
from stage.screen import run


def main(args):
    base_metrics, policy_metrics = read_json(args.base_metrics), read_json(args.policy_metrics)
    require_equal(base_metrics, policy_metrics)
    prompt = base_metrics["protocol"]["prompt"]
    result = compare(read_jsonl(args.base_samples), read_jsonl(args.policy_samples), prompt)
    write_json(args.comparison, result | {key: base_metrics[key] for key in ("subset", "protocol_hash")})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for policy in ("base", "policy"):
        parser.add_argument(f"--{policy}-metrics", required=True, type=Path, help="metrics.json of evaluate")
        parser.add_argument(f"--{policy}-samples", required=True, type=Path, help="samples.jsonl of evaluate")
    parser.add_argument("--comparison", required=True, type=Path, help="JSON to write")
    run(main, parser)
