"""pass@k and maj@n, compared with values computed by hand and by sampling."""

from itertools import combinations

import pytest
from answers import number as a_number
from reasoning.comparison import change_at_k, compare
from reasoning.pass_at_k import at_k, pass_at, voted
from reasoning.scoring import judge, summarise

PROMPT = {"answer": r"####\s*([^\n]*)", "format": "[^#]+#### [^\\n]+"}


def test_pass_at_k_is_the_share_of_subsets_with_a_right_completion():
    right = [True, True, False, False, False, False]
    for k in range(1, 7):
        subsets = list(combinations(right, k))
        assert pass_at(k, 2, 6) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_the_vote_has_the_score_of_the_most_frequent_answer():
    assert voted([("3", False), ("5", True), ("5", True), (None, False), (None, False), (None, False)]) == 1
    assert voted([("3", False), ("5", True), ("5", True), ("3", False)]) == 0
    assert voted([(None, False), (None, False)]) == 0
    # Wrong answers that differ are not one answer: the first of a tie is the right one.
    assert voted([("5", True), ("3", False), ("4", False)]) == 1
    # Two ways to write the right answer are one answer, and a fraction of a score is not the right one.
    assert voted([("1", False), ("1", False), ("1/2", True), ("0.5", True), (".5", True)]) == 1
    assert voted([("x", 0.25), ("x", 0.25), ("y", 1.0)]) == 0.25


def sample(i, answers, gold="5"):
    judged = [judge(str(i), gold, f"so\n#### {answer}", 3, False, PROMPT, a_number) for answer in answers]
    return {"id": str(i), "family": "f", "gold": gold} | judged[0] | {"draws": judged}


def test_at_k():
    value = at_k([sample(0, "5566"), sample(1, "6666")])
    assert value.keys() == {"strict", "flexible", "math_verify"}
    assert value["strict"].keys() == {"pass@1", "pass@2", "pass@4", "maj@4"}
    assert value["strict"]["pass@1"]["value"] == pytest.approx(0.25)
    assert value["strict"]["pass@2"]["value"] == pytest.approx((5 / 6) / 2)
    assert value["strict"]["pass@4"]["value"] == pytest.approx(0.5)
    assert value["strict"]["maj@4"]["value"] == pytest.approx(0.5)
    assert value["strict"]["pass@1"]["low"] <= 0.25 <= value["strict"]["pass@1"]["high"]


@pytest.mark.parametrize(("n", "ks"), [(1, [1]), (3, [1, 2, 3]), (4, [1, 2, 4]), (5, [1, 2, 4, 5]), (8, [1, 2, 4, 8])])
def test_which_k(n, ks):
    assert [*at_k([sample(0, "5" * n)])["strict"]] == [*(f"pass@{k}" for k in ks), f"maj@{n}"]


def test_answers_are_equal_by_value():
    gold = "".join(["1", "2", "3", "4"])
    assert at_k([sample(0, ["".join(["12", "34"])] * 2, gold)])["strict"]["maj@2"]["value"] == 1.0


def test_changes_are_paired():
    base = [sample(i, "6666") for i in range(20)]
    tuned = [sample(i, "5666") for i in range(20)]
    change = change_at_k(base, tuned)["strict"]
    assert change["pass@1"]["low"] < change["pass@1"]["value"] == 0.25 < change["pass@1"]["high"]
    assert change["pass@4"]["value"] == 1.0
    assert compare(base, tuned, PROMPT)["at_k"] == change_at_k(base, tuned)


def test_without_draws():
    plain = [{key: value for key, value in sample(0, "56").items() if key != "draws"}]
    assert at_k(plain) == {} and summarise(plain)["at_k"] == {} and change_at_k(plain, plain) == {}
