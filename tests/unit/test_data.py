"""Generated problems, formatting, and all of real GSM8K if it is available."""

import json
import os
import re
from pathlib import Path

import pytest
import yaml
from reasoning.formatting import format_problem, split_dev
from reasoning.number import number
from reasoning.problems import final_answer, read_problems
from sources.generated import FAMILIES, generate

CONFIG = yaml.safe_load(open("config/config.yaml"))
GSM8K = Path(os.environ.get("GSM8K", "../shared/gsm8k"))


@pytest.fixture(scope="module")
def problems():
    return generate(seed=0, train=700, test=300)


def test_generated_answers_are_right(problems):
    for problem in problems["train"] + problems["test"]:
        steps = re.findall(r"<<(\d+)([-+*])(\d+)=(\d+)>>", problem["answer"])
        for left, sign, right, result in steps:
            assert {"+": int(left) + int(right), "-": int(left) - int(right), "*": int(left) * int(right)}[sign] == int(
                result
            )
        assert final_answer(problem) == steps[-1][3]
        assert int(final_answer(problem)) > 0


def test_two_steps_are_needed(problems):
    """The answer of a two-step question is neither one of its numbers nor a single operation on two of them."""
    for problem in problems["train"] + problems["test"]:
        if problem["answer"].count("<<") == 2:
            numbers = list(map(int, re.findall(r"\d+", problem["question"])))
            pairs = [(a, b) for i, a in enumerate(numbers) for j, b in enumerate(numbers) if i != j]
            reached = {*numbers, *(value for a, b in pairs for value in (a + b, a - b, a * b))}
            assert int(final_answer(problem)) not in reached, problem


def test_splits_share_no_question(problems):
    questions = [problem["question"] for split in problems.values() for problem in split]
    assert len(set(questions)) == len(questions)


def test_families(problems):
    held_out = {family.name for family in FAMILIES if family.test_only}
    assert len(held_out) >= 2
    assert {problem["family"] for problem in problems["train"]}.isdisjoint(held_out)
    assert {problem["family"] for problem in problems["test"]} == {family.name for family in FAMILIES}
    assert {len(family.steps) for family in FAMILIES} == {1, 2}


def test_generation_repeats():
    assert generate(3, 50, 20) == generate(3, 50, 20) != generate(4, 50, 20)


def test_format_problem():
    problem = {"question": "Q?", "answer": "3*4=<<3*4=12>>12\n12+1,000=<<12+1000=1012>>1,012\n#### 1,012"}
    prompt = {"system": "Be brief.", "examples": [{"question": "1 + 1?", "completion": "#### 2"}]}
    assert format_problem(problem, "test-7", prompt) == {
        "id": "test-7",
        "prompt": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "1 + 1?"},
            {"role": "assistant", "content": "#### 2"},
            {"role": "user", "content": "Q?"},
        ],
        "answer": "1012",
        "steps": ["12", "1012"],
        "family": "2 steps",
    }


def test_dev_comes_out_of_train_and_test_questions_do_not():
    train = [{"question": str(i)} for i in range(10)]
    rest, dev = split_dev(train, test=[{"question": "3"}], dev=4, seed=0)
    assert len(dev) == 4 and len(rest) == 5
    assert {"question": "3"} not in rest + dev
    with pytest.raises(SystemExit, match="leaves none"):
        split_dev(train, [], dev=10, seed=0)


@pytest.mark.skipif(not GSM8K.is_dir(), reason=f"there is no GSM8K at {GSM8K}; set GSM8K to its folder")
def test_all_of_real_gsm8k():
    problems = {split: read_problems(GSM8K / f"{split}.jsonl") for split in ("train", "test")}
    assert {split: len(of_split) for split, of_split in problems.items()} == CONFIG["tasks"]["gsm8k"]["size"]
    for split, of_split in problems.items():
        for i, problem in enumerate(of_split):
            formatted = format_problem(problem, f"{split}-{i}", CONFIG["prompt"])
            written = problem["answer"].rpartition("#### ")[2]
            assert formatted["answer"] == written.replace(",", "") == number(written)
            assert formatted["prompt"][-1]["content"] == problem["question"]
            assert all(number(step) == step for step in formatted["steps"])
            json.dumps(formatted)
