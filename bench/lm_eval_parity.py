"""Run lm-evaluation-harness on the base model of a finished run, and compare its results with ours problem by problem.

    .venv/bin/python -m venv .venv/lm_eval
    echo "$PWD"/.venv/lib/python3*/site-packages > .venv/lm_eval/lib/python3*/site-packages/shared.pth
    .venv/lm_eval/bin/pip install lm-eval==0.4.13
    python bench/lm_eval_parity.py --run smollm2-135m-words --task word_problems

It batches problems differently, which changes the last bits of the logits. Disagreements are printed in full.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

EXTRACTORS = ("strict", "flexible")


def harness(args, folder):
    """The harness's results: `{problem: {extractor: (completion, extracted, correct)}}`."""
    results = Path("results", args.run)
    subprocess.run(
        [
            *(args.lm_eval, "--model", "hf", "--device", "cpu", "--batch_size", str(args.batch_size)),
            *("--limit", str(args.limit)),
            *("--model_args", f"pretrained={results / 'models/base'},dtype=float32"),
            *("--include_path", str(results / "lm_eval"), "--tasks", args.task, "--apply_chat_template"),
            *("--fewshot_as_multiturn", "--log_samples", "--output_path", folder),
        ],
        check=True,
        stdout=sys.stderr,  # its own table
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    found = {}
    (path,) = Path(folder).rglob("samples_*.jsonl")
    for line in path.read_text().splitlines():
        sample = json.loads(line)
        values = found.setdefault(sample["doc"]["id"], {})
        values[sample["filter"]] = (sample["resps"][0][0], sample["filtered_resps"][0], sample["exact_match"] == 1)
    return found


def main(args):
    subprocess.run(["snakemake", "--cores", "2", "--", f"results/{args.run}/lm_eval/{args.task}.yaml"], check=True)
    path = Path("results", args.run, "eval", args.task, "base", "samples.jsonl")
    ours = {sample["id"]: sample for sample in map(json.loads, path.read_text().splitlines())}
    with tempfile.TemporaryDirectory() as folder:
        theirs = harness(args, folder)
    same_text = sum(values["strict"][0].strip() == ours[i]["completion"].strip() for i, values in theirs.items())
    print(f"\n{same_text} of {len(theirs)} completions are identical")
    for name in EXTRACTORS:
        differ = [i for i, values in theirs.items() if values[name][2] != ours[i]["correct"][name]]
        right = (sum(ours[i]["correct"][name] for i in theirs), sum(values[name][2] for values in theirs.values()))
        print(f"{name}: {right[0]} right by us, {right[1]} by the harness; they agree on {len(theirs) - len(differ)}")
        for i in differ:
            print(f"  {i}: {ours[i]['completion']!r} -> {ours[i]['extracted'][name]!r}; gold {ours[i]['gold']}")
            print(f"  {' ' * len(i)}  {theirs[i][name][0]!r} -> {theirs[i][name][1]!r}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="smollm2-135m-words", help="a run whose base model has been evaluated")
    parser.add_argument("--task", default="word_problems")
    parser.add_argument("--limit", type=int, default=60, help="number of problems")
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--lm-eval", default=".venv/lm_eval/bin/lm_eval", help="the harness's command")
    sys.exit(main(parser.parse_args()))
