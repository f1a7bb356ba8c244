"""Word problems with held-out compositions: every one is another problem, and its solution is right."""

import re
from collections import Counter

import pytest
from reasoning.number import number
from sources import fetch
from sources.compositions import FAMILIES, HELD_OUT, LARGEST, LARGEST_WITH_PRODUCT, SMALLEST, generate, solve
from stage.files import read_jsonl
from tasks import load

TRAIN, TEST = 400, 300


@pytest.fixture(scope="module")
def splits():
    return generate(0, TRAIN, TEST)


def identity(problem):
    """A problem's family and the numbers in its question, in order."""
    return problem["family"], tuple(re.findall(r"\d+", problem["question"]))


def test_no_problem_is_another_in_other_words(splits):
    """By family and numbers, over both splits."""
    found = [identity(problem) for problem in splits["train"] + splits["test"]]
    assert len(set(found)) == len(found) == TRAIN + TEST


def test_solutions_are_right(splits):
    for problem in splits["train"] + splits["test"]:
        lines = problem["answer"].splitlines()[:-1]
        largest = LARGEST_WITH_PRODUCT if "groups" in problem["family"] else LARGEST
        assert max(map(int, re.findall(r"\d+", problem["question"]))) <= largest
        for line in lines:
            left, right = re.sub(r"<<.*?>>", "", line).split(" = ")
            assert eval(left) == int(right) and SMALLEST <= int(right) <= largest
        found = load({}).problem(problem)
        assert found["steps"][-1] == found["answer"] == number(found["answer"])


def test_held_out_compositions_are_of_taught_steps(splits):
    """They are in the test split alone, have two steps, and each of these is a step of a family that is taught."""
    shares = Counter(problem["family"] for problem in splits["test"])
    assert shares == {family.title: TEST // 15 * len(family.steps) for family in FAMILIES}
    held_out = [family for family in FAMILIES if family.held_out]
    assert len(held_out) == 3 and all(len(family.steps) == 2 for family in held_out)
    assert not any(problem["family"].endswith(HELD_OUT) for problem in splits["train"])
    taught = [family for family in FAMILIES if not family.held_out]
    signs = [{family.steps[i].split()[1] for family in taught if len(family.steps) > i} for i in (0, 1)]
    pairs = {tuple(step.split()[1] for step in family.steps) for family in taught}
    for family in held_out:
        first, second = (step.split()[1] for step in family.steps)
        assert first in signs[0] and second in signs[1] and (first, second) not in pairs


def test_no_shortcut_solves_two_steps():
    gain_lose = next(family for family in FAMILIES if family.name == "gain_lose")
    assert solve(gain_lose, {"a": 7, "b": 9, "c": 4}) == (["7 + 9 = <<7+9=16>>16", "16 - 4 = <<16-4=12>>12"], 12)
    assert solve(gain_lose, {"a": 5, "b": 3, "c": 3}) is None  # the answer is a
    assert solve(gain_lose, {"a": 12, "b": 8, "c": 3}) is None  # 20 is too large


def test_sizes_and_seeds(splits, tmp_path):
    """The test split does not depend on the size of the training split; another seed is another one of both."""
    assert generate(0, 10, TEST)["test"] == splits["test"] and generate(1, TRAIN, TEST)["test"] != splits["test"]
    with pytest.raises(SystemExit, match="has no more problems: ask for fewer"):
        generate(0, 1000, TEST)
    fetch("compositions://word_problems?seed=0&train=20&test=30", tmp_path, "dataset")
    assert read_jsonl(tmp_path / "test.jsonl") == generate(0, 20, 30)["test"]
    with pytest.raises(SystemExit, match="write word_problems.seed=<n>&train=<n>&test=<n> after it"):
        fetch("compositions://word_problems?train=20", tmp_path, "dataset")
