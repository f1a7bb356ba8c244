"""How completions become scores, by hand."""

import pytest
from answers import number
from reasoning.answer import strict_score
from reasoning.scoring import about, judge, judge_again, summarise, within_budgets

PROMPT = {"answer": "<answer>([^<]*)</answer>", "format": "[a-z]*<answer>[0-9]+</answer>"}


def judged(name, text, family="f", gold="5", tokens=3, truncated=False):
    return {"id": name, "family": family, "gold": gold} | judge(name, gold, text, tokens, truncated, PROMPT, number)


@pytest.mark.parametrize(
    ("text", "formatted", "strict", "flexible"),
    [
        ("so<answer>5</answer>", True, True, True),
        ("so<answer>6</answer>", True, False, False),
        ("So <answer>5</answer>", False, True, True),
        ("it is 5", False, False, True),
        ("<answer>5</answer> or 6", False, True, False),
    ],
)
def test_a_completion(text, formatted, strict, flexible):
    found = judged("0", text)
    assert (found["format"], found["correct"]["strict"], found["correct"]["flexible"]) == (formatted, strict, flexible)
    assert strict_score(number, text, {"answer": "5"}, PROMPT) == float(strict)
    assert judge_again(found, PROMPT, number) == found


def test_the_scores_of_a_list():
    right, wrong = "<answer>5</answer>", "no"
    samples = [
        judged("0", right, "a", tokens=1),
        judged("1", wrong, "a", tokens=2, truncated=True),
        judged("2", right, "b", tokens=6),
        judged("3", "5", "b", tokens=7, truncated=True),
        judged("4", wrong, "b", tokens=9, truncated=True),
    ]
    found = summarise(samples)
    counts = {key: (found[key]["correct"], found[key]["n"]) for key in ("format", "truncated")}
    assert found["n"] == 5 and counts == {"format": (2, 5), "truncated": (3, 5)}
    assert (found["completion_tokens"]["mean"], found["completion_tokens"]["max"]) == (5.0, 9)
    assert {name: score["correct"] for name, score in found["scores"].items()}["strict"] == 2
    of_family = {family: (of["strict"]["correct"], of["strict"]["n"]) for family, of in found["families"].items()}
    assert of_family == {"a": (1, 2), "b": (1, 3)} and [*found["families"]] == ["a", "b"]
    assert found["families"]["b"]["flexible"]["correct"] == 2
    assert found["unparsed"] == 0 and found["at_k"] == {}


def test_what_a_sample_says_of_its_problem():
    problem = {
        "id": "t-0",
        "family": "f",
        "answer": "5",
        "steps": ["2"],
        "solution": "no",
        "prompt": [{}, {"content": "q"}],
    }
    assert about(problem) == {"id": "t-0", "family": "f", "gold": "5", "steps": ["2"], "question": "q"}


def test_budgets():
    """What is there by a budget counts: an early answer from then on, because the first one is the answer."""
    prompt, early = PROMPT | {"prefill": "so"}, "so<answer>5</answer> or"

    def cut(text, tokens, *cuts):
        return judge("1", "5", text, tokens, False, prompt, number, None, cuts)

    samples = [
        cut("so<answer>5</answer>", 3, 1, 5),
        cut(f"{early}<answer>5</answer>", 9, 3, 4, len(early) - 2, len(early)),
        cut(f"{early}<answer>6</answer>", 9, 3, 4, len(early) - 2, len(early)),
        cut("so", 1),
    ]
    assert [each["within"] for each in samples] == [[False] * 2, *[[False, False, True, True]] * 2, []]
    assert all(
        judge_again({"id": "1", "gold": "5"} | each, prompt, number)["within"] == each["within"] for each in samples
    )
    counted = {budget: (each["correct"], each["n"]) for budget, each in within_budgets(samples).items()}
    assert counted == {"1": (0, 4), "2": (0, 4), "4": (3, 4), "8": (3, 4), "9": (3, 4)}
    assert within_budgets([cut("so<answer>5</answer>", 8, 0, 1, 2)]).keys() == {"1", "2", "4", "8"}
