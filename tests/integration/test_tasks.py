"""A second protocol is a task of its own: another prompt and other decoding for the same problems."""

import csv
import json
import re
import shutil

import pytest
from conftest import call


@pytest.fixture
def two(checkout):
    """A checkout whose second task asks the same problems otherwise."""
    same = checkout.settings["tasks"]["word_problems"] | {"limit": {}}
    checkout.settings["tasks"]["spoken"] = same | {
        "prompt": {"system": None, "prefill": "So: "},
        "eval": {"split": "dev", "threads": 1, "batch_size": 3, "sampling": {"max_new_tokens": 4}},
    }
    checkout.settings["evaluate_on"] = ["word_problems", "spoken"]
    checkout.write()
    return checkout


def commands(checkout, *arguments):
    """The shell commands that a run would execute."""
    process = checkout.snakemake("--dry-run", "--printshellcmds", *arguments)
    assert process.returncode == 0, process.stdout + process.stderr
    return re.findall(
        r"^ +\S[^\n]* scripts/\w+\.py .*? 2>\S+$", process.stdout + process.stderr, re.MULTILINE | re.DOTALL
    )


def test_only_its_own_jobs_have_its_overrides(two):
    jobs = commands(two)
    evaluations = [job for job in jobs if "scripts/evaluate.py" in job]
    assert len(evaluations) == 4
    for job in evaluations:
        spoken = "eval/spoken/" in job
        assert ("data/spoken/dev.jsonl" in job) == ('"batch_size": 3' in job) == ('"prefill": "So: "' in job) == spoken
        assert ("data/word_problems/test.jsonl" in job) == ('"system": "Be brief."' in job) == (not spoken)
        assert ('"max_new_tokens": 4' in job) == spoken and '"do_sample": false' in job
    (training,) = [job for job in jobs if "scripts/train.py" in job]
    assert '"prefill": ""' in training and "data/spoken" not in training


def test_an_override_asks_for_its_own_jobs_alone(two):
    """Neither a download nor a training hangs on how another task is asked."""
    before = commands(two)
    two.settings["tasks"]["spoken"]["prompt"]["prefill"] = "Well: "
    two.settings["tasks"]["spoken"]["eval"]["batch_size"] = 2
    two.write()
    changed = [job for job in commands(two) if job not in before]
    assert changed and all("spoken" in job or "report" in job or "package_model" in job for job in changed)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"prompt": {"sytem": ""}}, "config: tasks.spoken.prompt has no key sytem"),
        ({"eval": {"sampling": {"max_new_tokens": 0}}}, "config: tasks.spoken.eval.sampling.max_new_tokens"),
        ({"eval": {"backend": "ollama"}}, "config: tasks.spoken.eval.backend"),
    ],
)
def test_overrides_are_checked(two, change, says):
    two.settings["tasks"]["spoken"] |= change
    two.write()
    process = two.snakemake("--dry-run")
    assert process.returncode != 0 and says in process.stdout + process.stderr


def test_its_numbers_have_their_own_address_and_protocol(two):
    wanted = [f"results/tiny/eval/{task}/base/metrics.json" for task in ("word_problems", "spoken")]
    process = two.snakemake("--", *wanted)
    assert process.returncode == 0, process.stdout + process.stderr
    first, second = (json.loads((two.folder / path).read_text()) for path in wanted)
    assert (first["n"], second["n"]) == (20, 8)
    assert second["protocol"]["split"] == "dev" and second["protocol"]["eval"]["batch_size"] == 3
    assert first["protocol"]["decoding"]["sampling"]["max_new_tokens"] == 8
    assert second["protocol"]["decoding"]["sampling"] == {
        **{"do_sample": False, "max_new_tokens": 4, "repetition_penalty": 1.0, "eos_token_id": [0], "pad_token_id": 0}
    }
    assert first["protocol"]["prompts"]["first"].startswith("<|system|>Be brief.<|end|><|user|>")
    assert second["protocol"]["prompts"]["first"].startswith("<|user|>")
    assert second["protocol"]["prompts"]["first"].endswith("<|assistant|>So: ")
    samples = (two.folder / wanted[1]).with_name("samples.jsonl").read_text().splitlines()
    assert all(json.loads(line)["completion"].startswith("So: ") for line in samples)


def with_exam(checkout):
    """The checkout with a task that has a test split only, beside the one that it trains on."""
    (checkout.folder / "exam").mkdir()
    problem = {"question": "Ann has 2 hats. She buys 3. How many has she?", "answer": "2 + 3 = <<2+3=5>>5\n#### 5"}
    (checkout.folder / "exam/test.jsonl").write_text(json.dumps(problem) + "\n")
    checkout.settings["tasks"]["exam"] = {"source": "exam", "size": {"test": 1}, "sha256": {}, "limit": {}}
    checkout.settings["evaluate_on"] = ["word_problems", "exam"]
    checkout.write()
    return checkout


@pytest.fixture
def exam(checkout):
    return with_exam(checkout)


def test_a_task_for_evaluation_alone(exam):
    process = exam.snakemake("--", "results/tiny/eval/exam/base/metrics.json")
    assert process.returncode == 0, process.stdout + process.stderr
    assert json.loads((exam.folder / "results/tiny/eval/exam/base/metrics.json").read_text())["n"] == 1
    assert (exam.folder / "results/tiny/data/exam/train.jsonl").read_text() == ""


def test_its_scores_are_in_the_table(rerun):
    """A table has it beside the run's own task, without a guess from training problems."""
    process = with_exam(rerun).snakemake("--", "results/tiny/report.html")
    assert process.returncode == 0, process.stdout + process.stderr
    results = json.loads((rerun.folder / "results/tiny/results.json").read_text())
    assert results["shown"]["tasks"] == ["word_problems", "exam"]
    assert results["tasks"]["exam"]["guess"] is None and results["tasks"]["word_problems"]["guess"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"task": "exam"}, "task exam is for evaluation alone and has no train split"),
        ({"eval": {"split": "dev"}}, "task exam is for evaluation alone and has no dev split"),
    ],
)
def test_it_has_no_other_splits(exam, change, says):
    exam.write(**change)
    process = exam.snakemake("--dry-run")
    assert process.returncode != 0 and says in process.stdout + process.stderr


@pytest.mark.parametrize("change", [{"dev": 1}, {"size": {"train": 1, "test": 1}}])
def test_dev_comes_out_of_a_training_split(exam, change):
    exam.settings["tasks"]["exam"] |= change
    exam.write()
    process = exam.snakemake("--dry-run")
    assert process.returncode != 0 and "size.train, states its dev" in process.stdout + process.stderr


def test_a_reward_of_the_user_is_an_input_of_its_training(checkout):
    """Its path is relative to the config file, wherever the command is given."""
    (checkout.folder / "mine").mkdir()
    for folder in ("mine", "config"):  # the one beside the config file counts, not that beside the default
        own = checkout.folder / folder / "own.py"
        own.write_text("def short(text, tokens, problem):\n    return 1 / len(tokens)\n")
    overlay = checkout.folder / "mine/overlay.yaml"
    overlay.write_text('rewards: {"own.py:short": 0.2}\n')
    command = ("--dry-run", "--printshellcmds", "--", "results/tiny/adapters/grpo-seed0")
    process = call(checkout.folder, "--configfile", "tiny.yaml", "mine/overlay.yaml", *command)
    assert process.returncode == 0, process.stdout
    assert '"mine/own.py:short": 0.2' in process.stdout
    assert re.search(r"--code .* mine/own\.py", process.stdout)
    overlay.write_text('rewards: {"other.py:short": 0.2}\n')
    process = call(checkout.folder, "--configfile", "tiny.yaml", "mine/overlay.yaml", *command)
    assert process.returncode != 0 and "there is no file other.py beside the config file" in process.stdout


def test_a_training_with_a_reward_of_the_user(checkout):
    """It teaches and has its name in the history; an error in it stops the training and names its line."""
    (checkout.folder / "own.py").write_text(
        "def varied(text, tokens, problem):\n    return len(set(tokens)) / len(tokens)\n"
    )
    checkout.write(rewards={"accuracy": 0.0, "format": 0.0, "steps": 0.0, "own.py:varied": 1.0})
    target = "results/tiny/training/grpo-seed0/history.csv"
    process = checkout.snakemake("--", target)
    assert process.returncode == 0, process.stdout + process.stderr
    row = next(csv.DictReader((checkout.folder / target).open()))
    assert row["rewards/own.py:varied/mean"] == row["reward"] and 0 < float(row["reward"]) <= 1
    (checkout.folder / "own.py").write_text("def varied(text, tokens, problem):\n    return 1 / problem['length']\n")
    process = checkout.snakemake("--", target)
    last = (process.stdout + process.stderr).rstrip().splitlines()[-1]
    assert process.returncode == 1 and last.startswith("error: reward own.py:varied, line 2: KeyError"), last


QUIZ = '''"""Questions with choices."""

from answers import choice

ANSWER = choice
PACKAGES = ["jinja2"]  # whose version the protocol states


def problem(record):
    return {"question": choice.asked(record["asks"], record["choices"]), "answer": record["right"]}
'''


@pytest.fixture
def quiz(checkout):
    """A checkout with a task of the user's own, whose module lies beside its overlay in another folder."""
    (checkout.folder / "mine/quiz").mkdir(parents=True)
    record = {"asks": "Which is a fruit?", "choices": ["a stone", "an apple"], "right": "B"}
    (checkout.folder / "mine/quiz/test.jsonl").write_text(json.dumps(record) + "\n")
    (checkout.folder / "mine/quiz.py").write_text(QUIZ)
    task = {"module": "quiz.py", "source": "mine/quiz", "size": {"test": 1}, "sha256": {}, "limit": {}}
    overlay = {"evaluate_on": ["quiz"], "tasks": {"quiz": task}}
    (checkout.folder / "mine/overlay.json").write_text(json.dumps(overlay))
    return checkout


def with_overlay(checkout, *arguments):
    return call(checkout.folder, "--configfile", "tiny.yaml", "mine/overlay.json", *arguments)


def test_a_task_of_the_user(quiz):
    """Its file makes the prompts, its answer's type judges, the protocol names it, and a change reruns its jobs."""
    target = "results/tiny/eval/quiz/base/metrics.json"
    process = with_overlay(quiz, "--", target)
    assert process.returncode == 0, process.stdout
    metrics = json.loads((quiz.folder / target).read_text())
    assert metrics["scores"].keys() == {"strict", "flexible"}
    assert metrics["protocol"]["module"]["name"] == "mine/quiz.py"
    assert metrics["protocol"]["engine"].keys() == {"transformers", "torch", "jinja2"}
    assert "Which is a fruit?\nA) a stone\nB) an apple<" in metrics["protocol"]["prompts"]["first"]
    process = with_overlay(quiz, "--dry-run", "--", target)
    assert "Nothing to be done" in process.stdout
    (quiz.folder / "mine/quiz.py").write_text(QUIZ.replace('record["right"]', '"A"'))
    process = with_overlay(quiz, "--dry-run", "--", target)
    assert re.search(r"evaluate +1", process.stdout) and not re.search(r"download_model +1", process.stdout)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"headline": "math_verify"}, "headline: only numbers have the extractor math_verify"),
        (
            {"headline": "math_verify", "evaluate_on": ["word_problems"], "baselines": ["quiz"]},
            "answers of task quiz are",
        ),
        (
            {"headline": "math_verify", "evaluate_on": ["word_problems"], "task": "quiz"}
            | {"train": {"select": {"every": 1}}, "tasks": {"quiz": {"size": {"train": 4, "test": 1}, "dev": 1}}},
            "answers of task quiz_dev are none",
        ),
        (
            {"rewards": {"brevity": 0.2}},
            "rewards has no key brevity; it has accuracy, format, random, steps, <file>.py:<function>",
        ),
        (
            {"rewards": {"wrong.py:f": 0.2}},
            "rewards.wrong.py:f: mine/wrong.py: expected ':' (wrong.py, line 2): correct",
        ),
        (
            {"tasks": {"quiz": {"module": "wrong.py"}}},
            "tasks.quiz.module: mine/wrong.py: expected ':' (wrong.py, line 2)",
        ),
        ({"rewards": {"bare.py:f": 0.2}}, "rewards.bare.py:f: mine/bare.py does not define f: add it"),
        (
            {"tasks": {"quiz": {"module": "bare.py"}}},
            "tasks.quiz.module: mine/bare.py does not define ANSWER or judge: add it",
        ),
        ({"tasks": {"quiz": {"module": "absent.py"}}}, "tasks.quiz.module: there is no file absent.py"),
        ({"tasks": {"quiz": {"module": "riddles"}}}, "tasks.quiz.module: there is no module riddles: use one of"),
    ],
)
def test_what_cannot_be_judged(quiz, change, says):
    """It is refused before anything is made."""
    (quiz.folder / "mine/wrong.py").write_text("\ndef f()\n")
    (quiz.folder / "mine/bare.py").write_text("from animals import problem\n\nprint(f)\n")
    overlay = json.loads((quiz.folder / "mine/overlay.json").read_text())
    overlay["tasks"]["quiz"] |= change.pop("tasks", {}).get("quiz", {})
    (quiz.folder / "mine/overlay.json").write_text(json.dumps(overlay | change))
    process = with_overlay(quiz, "--dry-run")
    assert process.returncode != 0 and says in process.stdout, process.stdout


def test_numbers_have_the_headline_of_numbers_from_any_folder(checkout, tmp_path):
    """The package's files have other paths there."""
    shutil.copy(checkout.folder / "tiny.yaml", tmp_path)
    snakefile = checkout.folder / "workflow/Snakefile"
    target = "results/tiny/eval/word_problems/base/metrics.json"
    command = (
        "-s",
        snakefile,
        "--configfile",
        "tiny.yaml",
        "--config",
        "headline=math_verify",
        "--dry-run",
        "--",
        target,
    )
    process = call(tmp_path, *command)
    assert process.returncode == 0, process.stdout
