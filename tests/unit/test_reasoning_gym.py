"""The source reasoning_gym:// and its judge; what needs the package is skipped without it (envs/gym.txt)."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from reasoning.formatting import format_problem
from reasoning.training import right_completions, worked_solutions
from sources import fetch
from sources.reasoning_gym import JUDGED, parse
from stage.files import read_jsonl, sha256
from tasks import load
from trainers.sft import require_right

needs_package = pytest.mark.skipif(find_spec("reasoning_gym") is None, reason="needs the packages of envs/gym.txt")
PROMPT = {"system": "", "examples": [], "answer": "<answer>([^<]*)</answer>", "format": ".*"}


def test_an_address():
    assert parse("chain_sum?seed=3&train=20&test=5&max_terms=3&allow_negation=false&word=x") == (
        "chain_sum",
        {"seed": 3, "train": 20, "test": 5},
        {"max_terms": 3, "allow_negation": False, "word": "x"},
    )
    assert parse("leg_counting?test=5")[1] == {"seed": 0, "train": 0, "test": 5}


@pytest.mark.parametrize(
    "address", ["chain_sum", "chain_sum?seed=1", "chain_sum?seed=a&test=1", "a b?test=1", "x?test=0"]
)
def test_an_address_that_is_none(address):
    with pytest.raises(SystemExit, match="write reasoning_gym://<dataset>"):
        parse(address)


def test_what_its_licence_forbids_is_left_out():
    with pytest.raises(SystemExit, match="a work under CC BY-NC-ND 4.0"):
        parse("gsm_symbolic?test=5")


@pytest.mark.parametrize("dataset", ["countdown", "spiral_matrix", "no_such"])
def test_a_scorer_that_runs_answers_is_left_out(dataset):
    """Also if a record of somebody else names it."""
    with pytest.raises(SystemExit, match=f"there is no data set {dataset} whose scorer only compares"):
        parse(f"{dataset}?test=5")
    facts = {"dataset": dataset, "question": "", "metadata": {}}
    with pytest.raises(SystemExit, match=f"there is no data set {dataset} whose scorer only compares"):
        load({"module": "reasoning_gym"}).answer.equal("1", "1", facts)


ODD = [
    "",
    " ",
    "9**9**9**9",
    "1e999999999",
    "9" * 5000,
    "nan",
    "-",
    "1,2",
    "[",
    "{}",
    "[[1",
    "a=1",
    "\n\n",
    "\0",
    "½",
    "x " * 999,
]


@needs_package
def test_odd_answers(tmp_path):
    """Every scorer that is asked gives every text a score, and runs none."""
    from reasoning_gym import create_dataset
    from reasoning_gym.dataset import ProceduralDataset

    found, odd = tmp_path / "found", [*ODD, f"__import__('pathlib').Path({str(tmp_path / 'found')!r}).touch()"]
    task = load({"module": "reasoning_gym"})
    for dataset in JUDGED:
        own = create_dataset(dataset, seed=0, size=1)
        entry = json.loads(json.dumps(own[0]))
        facts = {"dataset": dataset, "question": entry["question"], "metadata": entry["metadata"]}
        for answer in odd if type(own).score_answer is not ProceduralDataset.score_answer else odd[-1:]:
            assert 0 <= task.answer.equal(answer, entry["answer"], facts) <= 1, (dataset, answer)
        assert task.answer.equal(entry["answer"], entry["answer"], facts) == 1, dataset
    assert not found.exists()


def test_without_the_package(tmp_path, monkeypatch):
    (tmp_path / "reasoning_gym.py").write_text("raise ModuleNotFoundError(\"No module named 'reasoning_gym'\")")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # found before the package, if that is here
    with pytest.raises(SystemExit, match="pip install --no-deps --require-hashes --requirement envs/gym.txt"):
        fetch("reasoning_gym://chain_sum?test=2", tmp_path, "dataset")


def test_the_protocol_states_the_judges_version():
    assert load({"module": "reasoning_gym"}).packages == ("reasoning-gym",) and load({}).packages == ()


@needs_package
@pytest.mark.parametrize("dataset", ["chain_sum", "simple_equations", "knights_knaves", "word_sorting", "syllogism"])
def test_problems_and_their_judge(tmp_path, dataset):
    """Arithmetic, algebra, logic and algorithms: distinct questions, whose gold answers alone are right."""
    fetch(f"reasoning_gym://{dataset}?seed=1&train=12&test=8", tmp_path, "dataset")
    records = [record for split in ("test", "train") for record in read_jsonl(tmp_path / f"{split}.jsonl")]
    assert len({record["question"] for record in records}) == 20
    task = load({"module": "reasoning_gym"})
    for record in records:
        problem = format_problem(record, "test-0", PROMPT, task)
        assert task.answer.equal(problem["answer"], problem["answer"], problem["facts"]) == 1.0
        assert task.answer.equal("nonsense", problem["answer"], problem["facts"]) < 0.5
        assert task.answer.equal(None, problem["answer"], problem["facts"]) == 0.0


@needs_package
def test_answers_to_imitate(tmp_path):
    """Fine-tuning holds what it imitates to the data set's scorer, which needs the problem's facts."""
    fetch("reasoning_gym://chain_sum?train=4&test=1", tmp_path, "dataset")
    task, prompt = load({"module": "reasoning_gym"}), PROMPT | {"prefill": ""}
    records = enumerate(read_jsonl(tmp_path / "train.jsonl"))
    problems = [format_problem(record, f"train-{i}", PROMPT, task) | {"solution": ""} for i, record in records]
    found = worked_solutions(problems, "<answer>{answer}</answer>")
    require_right(found, prompt, task.answer)
    samples = [{"id": one["id"], "completion": one["completion"], "correct": {"strict": 1}} for one in found]
    assert right_completions(problems, samples) == found
    with pytest.raises(SystemExit, match="make train.solution and prompt.answer agree"):
        require_right(worked_solutions(problems, "<answer>1{answer}</answer>"), prompt, task.answer)


@needs_package
def test_the_same_for_any_hash_seed(tmp_path):
    """The first data set iterates over sets of strings, the second draws from Python's shared generator."""
    program = "import sys; from sources import fetch; [fetch(s, sys.argv[1] + n, 'dataset') for s, n in zip(%r, 'ab')]"
    sources = [f"reasoning_gym://{name}?seed=0&test=8" for name in ("isomorphic_strings", "list_functions")]
    digests = []
    for seed in ("1", "2"):
        for name in "ab":
            (tmp_path / seed / name).mkdir(parents=True)
        path = os.pathsep.join(["scripts", *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
        command = [sys.executable, "-c", program % sources, f"{tmp_path / seed}/"]
        subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path}, check=True)
        digests.append([sha256(tmp_path / seed / name / "test.jsonl") for name in "ab"])
    assert digests[0] == digests[1]


@needs_package
@pytest.mark.parametrize(
    ("address", "says"),
    [("nonsense?test=2", "nonsense"), ("chain_sum?test=2&depth=3", "depth"), ("chain_sum?test=2&min_terms=9", "min")],
)
def test_an_error_of_the_package_is_one_line(tmp_path, address, says):
    with pytest.raises(SystemExit) as error:
        fetch(f"reasoning_gym://{address}", tmp_path, "dataset")
    assert str(error.value).count("\n") == 0 and says in str(error.value).partition(": ")[2].partition(": ")[2]
    json.dumps(str(error.value))
