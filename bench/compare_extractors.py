"""Count where `strict` and two common scorers of GSM8K differ on the published completions, and on GSM8K's own answers.

    python bench/compare_extractors.py [--gsm8k <folder of train.jsonl and test.jsonl>]

The two are written down here as they stand in their projects: `extract_answer` and `is_correct` of
openai/grade-school-math (grade_school_math/dataset.py), and the filter
`strict-match` of lm-evaluation-harness (lm_eval/tasks/gsm8k/gsm8k.yaml).
"""

import argparse
import gzip
import json
import re
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from reasoning.answer import extract_strict

MARKED = re.compile(r"#### (\-?[0-9\.\,]+)")
RECORDS = Path("results/published")


def openai(text, gold):
    """`(read, correct)` by openai/grade-school-math: commas are dropped, and texts compared."""
    match = MARKED.search(text)
    read = match[1].strip().replace(",", "") if match else None
    return read, read == gold


def harness(text, gold):
    """`(read, correct)` by lm-eval: the same pattern, and then also "$" and a last full stop are dropped."""
    match = MARKED.search(text)
    read = re.sub(r"\.$", "", re.sub(r",|\$", "", match[1].strip())) if match else None
    return read, read == gold


def strict(text, gold, pattern):
    """`(read, correct)` by this workflow."""
    read = extract_strict(text, pattern)
    return read, read == gold


def published():
    """Every published completion as `(text, gold, pattern)`."""
    for path in sorted(RECORDS.glob("*/eval/**/samples.jsonl.gz")):
        pattern = json.loads((path.parent / "metrics.json").read_text())["protocol"]["prompt"]["answer"]
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for sample in map(json.loads, file):
                yield sample["completion"], sample["gold"], pattern


def solutions(folder):
    """GSM8K's own solutions as `(text, gold, pattern)`; gold as its scorer reads it."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            text = json.loads(line)["answer"]
            yield text, openai(text, None)[0], r"####\s*([^\n]*)"


def compare(texts, show):
    """Print how often two scorers read differently, and how often they judge differently."""
    read, judged, examples, n = Counter(), Counter(), {}, Counter()
    for text, gold, pattern in texts:
        found = {"strict": strict(text, gold, pattern), "openai": openai(text, gold), "lm-eval": harness(text, gold)}
        n["all"] += 1
        n["read"] += found["strict"][0] is not None
        for pair in combinations(found, 2):
            (a, right_a), (b, right_b) = (found[name] for name in pair)
            read[pair] += a != b
            judged[pair] += right_a != right_b
            if a != b:
                examples.setdefault(pair, []).append((text[-60:], a, b, gold))
    print(f"strict reads a number in {n['read']} of {n['all']}")
    for pair in read:
        print(f"{' and '.join(pair)}: {read[pair]} read differently, {judged[pair]} judged differently")
        for example in examples.get(pair, [])[:show]:
            print("   ", *map(repr, example))


def main(args):
    print("published completions")
    compare(published(), args.show)
    if args.gsm8k:
        print("GSM8K's own solutions")
        compare(solutions(args.gsm8k), args.show)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gsm8k", type=Path, help="also compare on the solutions in this folder's *.jsonl")
    parser.add_argument("--show", type=int, default=5, help="how many examples of each pair to print")
    main(parser.parse_args())
