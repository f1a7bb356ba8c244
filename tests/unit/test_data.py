"""Generated problems, formatting, and all of real GSM8K if it is available."""

import json
import os
import re
from functools import partial
from pathlib import Path

import pytest
import yaml
from reasoning.formatting import format_problem, formatted, split_dev
from reasoning.number import number
from reasoning.splits import checked_splits, read_split
from sources.generated import FAMILIES, generate
from stage.files import read_jsonl, sha256, write_jsonl
from tasks import load, read_problems

TASK = load({})
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
        assert TASK.problem(problem)["answer"] == steps[-1][3]
        assert int(TASK.problem(problem)["answer"]) > 0


def test_two_steps_are_needed(problems):
    """The answer of a two-step question is neither one of its numbers nor a single operation on two of them."""
    for problem in problems["train"] + problems["test"]:
        if problem["answer"].count("<<") == 2:
            numbers = list(map(int, re.findall(r"\d+", problem["question"])))
            pairs = [(a, b) for i, a in enumerate(numbers) for j, b in enumerate(numbers) if i != j]
            reached = {*numbers, *(value for a, b in pairs for value in (a + b, a - b, a * b))}
            assert int(TASK.problem(problem)["answer"]) not in reached, problem


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
    assert format_problem(problem, "test-7", prompt, TASK) == {
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
    for dev in (len(train), len(train) + 1):
        with pytest.raises(SystemExit, match="leaves none"):
            split_dev(train, [], dev=dev, seed=0)


def problem_file(path, *numbers):
    write_jsonl(path, [{"question": f"Q{n}?", "answer": f"{n} apples\n#### {n}"} for n in numbers])
    return path


def checked(settings, folder):
    return checked_splits(settings, folder, partial(read_problems, TASK))


def answer(record):
    return TASK.problem(record)["answer"]


def test_formatted(tmp_path):
    """Splits with their limits and the dev split of seed 0; a task without dev is for evaluation alone."""
    raw = {"train": problem_file(tmp_path / "train", *range(30)), "test": problem_file(tmp_path / "test", 7, 40, 41)}
    prompt = {"system": None, "examples": []}
    splits = formatted(raw, prompt, {"dev": 4, "limit": {"train": 20, "test": 2}}, TASK)
    rest, dev = split_dev(read_jsonl(raw["train"]), read_jsonl(raw["test"]), 4, seed=0)
    answers = {split: [problem["answer"] for problem in of] for split, of in splits.items()}
    assert answers["dev"] == [answer(record) for record in dev] and len(dev) == 4
    assert answers["train"] == [answer(record) for record in rest][:20] and "7" not in answers["train"]
    assert all(problem["solution"] == f"{problem['answer']} apples" for problem in splits["train"])
    assert not any("solution" in problem for split in ("dev", "test") for problem in splits[split])
    assert answers["test"] == ["7", "40"] and [p["id"] for p in splits["test"]] == ["test-0", "test-1"]
    assert splits["test"][0]["prompt"] == [{"role": "user", "content": "Q7?"}]
    alone = formatted(raw, prompt, {"limit": {}}, TASK)
    assert {split: len(of) for split, of in alone.items()} == {"train": 0, "dev": 0, "test": 3}


def test_a_gold_answer_is_a_number():
    with pytest.raises(SystemExit, match="problem test-0: the answer 'many' is not a number"):
        format_problem({"question": "Q?", "answer": "#### many"}, "test-0", {"system": None, "examples": []}, TASK)


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        ({"question": "Q?"}, "problem 2 has no text under 'answer'"),
        ({"question": " ", "answer": "#### 1"}, "problem 2 has no text under 'question'"),
        ({"question": 5, "answer": "#### 1"}, "problem 2 has no text under 'question'"),
        ({"question": "Q?", "answer": "1"}, "problem 2 has no '#### N'"),
        ({"question": "Q?", "answer": "#### "}, "problem 2 has no '#### N'"),
    ],
)
def test_what_is_no_problem_is_named(tmp_path, problem, line):
    write_jsonl(tmp_path / "test.jsonl", [{"question": "Q?", "answer": "#### 1"}, problem])
    with pytest.raises(SystemExit, match=re.escape(line)):
        read_problems(TASK, tmp_path / "test.jsonl", read_jsonl(tmp_path / "test.jsonl"))


def test_a_family_is_the_template_or_the_number_of_steps():
    assert TASK.problem({"question": "Q?", "family": "bags", "answer": "#### 1"})["family"] == "bags"
    assert TASK.problem({"question": "Q?", "answer": "<<1+1=2>>2 <<2+1=3>>3\n#### 3"})["family"] == "2 steps"


class TestSplits:
    TASK = {"size": {"train": 2, "test": 1}, "sha256": {}}

    def source(self, folder):
        problem_file(folder / "train.jsonl", 1, 2)
        problem_file(folder / "deep/test-00000.jsonl", 3)
        (folder / "train.md").write_text("not a split")
        return folder

    def test_are_read_and_checked(self, tmp_path):
        found = checked(self.TASK, self.source(tmp_path))
        assert {split: len(read_jsonl(path)) for split, path in found.items()} == {"train": 2, "test": 1}
        pinned = {split: sha256(path) for split, path in found.items()}
        assert checked(self.TASK | {"sha256": pinned}, self.source(tmp_path / "again")).keys() == {
            "train",
            "test",
        }

    def test_of_a_task_for_evaluation_alone(self, tmp_path):
        found = checked({"size": {"test": 1}, "sha256": {}}, self.source(tmp_path))
        assert found["train"].read_text() == "" and len(read_jsonl(found["test"])) == 1

    def test_of_parquet(self, tmp_path):
        import pyarrow
        import pyarrow.parquet

        rows = [{"question": "Q?", "answer": "#### 1"}]
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "test.parquet")
        assert read_split(tmp_path, "test") == rows

    @pytest.mark.parametrize(
        ("files", "found"), [([], "none"), (["test.jsonl", "test_b.jsonl"], "test.jsonl, test_b.")]
    )
    def test_of_no_or_several_files(self, tmp_path, files, found):
        for name in files:
            problem_file(tmp_path / name, 1)
        with pytest.raises(SystemExit, match=f"should have one test.*and has {found}"):
            read_split(tmp_path, "test")

    @pytest.mark.parametrize("digest", ["0" * 64, "f" * 64])
    def test_of_another_version(self, tmp_path, digest):
        with pytest.raises(SystemExit, match=f"the train split has sha256 [0-9a-f]*, and {digest} is pinned"):
            checked(self.TASK | {"sha256": {"train": digest}}, self.source(tmp_path))

    @pytest.mark.parametrize("size", [1, 3, 1000])
    def test_of_another_size(self, tmp_path, size):
        with pytest.raises(SystemExit, match=f"the train split has 2 problems and should have {size}"):
            checked({"size": {"train": size, "test": 1}, "sha256": {}}, self.source(tmp_path))

    def test_of_many_problems(self, tmp_path):
        """A size is compared by value, and is more than Python's small numbers."""
        problem_file(tmp_path / "test.jsonl", *range(300))
        found = checked({"size": {"test": int("300")}, "sha256": {}}, tmp_path)
        assert len(read_jsonl(found["test"])) == 300


@pytest.mark.skipif(not GSM8K.is_dir(), reason=f"there is no GSM8K at {GSM8K}; set GSM8K to its folder")
def test_all_of_real_gsm8k():
    problems = {split: read_jsonl(GSM8K / f"{split}.jsonl") for split in ("train", "test")}
    assert {split: len(of_split) for split, of_split in problems.items()} == CONFIG["tasks"]["gsm8k"]["size"]
    for split, of_split in problems.items():
        for i, problem in enumerate(of_split):
            formatted = format_problem(problem, f"{split}-{i}", CONFIG["prompt"], TASK)
            written = problem["answer"].rpartition("#### ")[2]
            assert formatted["answer"] == written.replace(",", "") == number(written)
            assert formatted["prompt"][-1]["content"] == problem["question"]
            assert all(number(step) == step for step in formatted["steps"])
            json.dumps(formatted)
