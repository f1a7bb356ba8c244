"""What people read: words follow intervals, subsets are marked, LaTeX names hold letters."""

import re

from compare import compare
from evaluate import judge, summarise
from report import claim, latex_table, macros
from tabulate_results import gather, rows, text

PROMPT = {"answer": "<answer>([^<]*)</answer>", "format": "<answer>[^<]+</answer>"}


def samples(answers, gold="5"):
    return [
        judge({"id": str(i), "family": "f", "answer": gold}, f"<answer>{answer}</answer>", 3, False, PROMPT)
        for i, answer in enumerate(answers)
    ]


def results(subset):
    base, tuned = samples("6" * 20), samples("5" * 15 + "6" * 5)
    metrics = {
        ("gsm8k", policy): summarise(s) | {"subset": subset} for policy, s in (("base", base), ("grpo-seed0", tuned))
    }
    comparisons = {("gsm8k", "grpo-seed0"): compare(base, tuned)}
    merges = {"grpo-seed0": {"items": 4, "agreement": 1.0, "max_logit_difference": 0.0}}
    return gather(metrics, comparisons, merges, {("gsm8k", "base"): base, ("gsm8k", "grpo-seed0"): tuned})


def test_table():
    table = list(rows(results(subset=False)))
    assert [(row["policy"], row["extractor"]) for row in table][:2] == [("base", "strict"), ("base", "flexible")]
    strict = table[3]
    assert (strict["n"], strict["correct"], strict["value"], strict["difference"]) == (20, 15, 0.75, 0.75)
    assert (strict["won"], strict["lost"]) == (15, 0)


def test_subset_is_marked():
    assert "A SUBSET of 20 problems" in text(results(subset=True), "strict")
    assert "SUBSET" not in text(results(subset=False), "strict")


def test_words_follow_intervals():
    change = {"n": 9, "difference": 0.1, "low": 0.01, "high": 0.2, "p": 0.04, "won": 2, "lost": 1}
    assert "higher than" in claim("t", "p", change)
    assert "lower than" in claim("t", "p", change | {"low": -0.2, "high": -0.1})
    assert "not distinguishable from" in claim("t", "p", change | {"low": -0.01})


def test_latex():
    names = re.findall(r"\\newcommand{\\(\w+)}", macros(results(subset=False)))
    assert names and all(name.isalpha() for name in names)
    assert "numGsmEightKGrpoSeedZeroStrictGain" in names
    assert latex_table(results(subset=False)).count(r"\\") == 7
