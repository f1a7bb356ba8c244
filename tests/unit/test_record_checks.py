"""The parts of `verify` that hold a record to something else, each by itself."""

import copy
import subprocess

import pytest
from record.commands import flags, policy_of
from record.compared import near
from record.origin import made_again
from record.pages import strokes
from record.recompute import recomputed_numbers
from record.repository import check_config, config_files, overlaid
from record.trainings import SCHEDULES, check_history
from snakemake.utils import update_config
from stage.environment import environment
from stage.files import write_json


def test_a_config_with_files_of_the_user(tmp_path, monkeypatch):
    """The rules name them by the working directory, an overlay in a folder by its own; which one is a matter of git."""
    default = {
        "run": "default",
        "arms": {"grpo": {}},
        "controls": {"arms": {}},
        "sweep": {},
        "rewards": {"format": 0.0},
    }
    overlay = {
        "run": "animals",
        "tasks": {"animals": {"module": "animals.py"}},
        "rewards": {"rewards.py:brevity": 0.2, "other.py:one": 0.1},
        "arms": {"long": {"rewards": {"rewards.py:brevity": 0.0}}},
        "sweep": {"reward": {"more": {"rewards": {"rewards.py:brevity": 0.5}}}},
    }
    files = {
        "config/config.yaml": default | {"tasks": {}},
        "config/pins.yaml": {"evaluate_on": []},
        "mine/config.yaml": overlay,
    }
    files |= dict.fromkeys(["config/rewards.py", "mine/rewards.py", "mine/animals.py", "other.py"], "")
    for name, content in files.items():
        write_json(tmp_path / name, content)
    monkeypatch.chdir(tmp_path)
    for git in ("git init --quiet", "git add .", "git -c user.name=n -c user.email=e commit --quiet --message m"):
        subprocess.run(git.split(), check=True)
    made_at = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    config = default | {
        "run": "animals",
        "arm": "long",
        "tasks": {"animals": {"module": "mine/animals.py"}},
        "rewards": {"format": 0.0, "mine/rewards.py:brevity": 0.2, "other.py:one": 0.1},
        "arms": {"long": {"rewards": {"mine/rewards.py:brevity": 0.0}}},
        "sweep": {"reward": {"more": {"rewards": {"mine/rewards.py:brevity": 0.5}}}},
    }
    provenance = {"commit": made_at, "configfiles": ["mine/config.yaml"]}
    assert check_config(config, provenance)[0] == []
    (line,) = check_config(config | {"tasks": {"animals": {"module": "other.py"}}}, provenance)[0]
    assert "config.tasks.animals.module: published 'other.py', by config/config.yaml and mine/config.yaml" in line


def test_the_overlays_of_a_run(tmp_path, monkeypatch):
    """A preset is of its own overlay, whatever a record states; the default run with or without what adds to it."""
    for name, run in (("config", "default"), ("more", "default"), ("preset", "preset")):
        write_json(tmp_path / f"config/{name}.yaml", {"run": run})
    monkeypatch.chdir(tmp_path)
    for git in ("git init --quiet", "git add .", "git -c user.name=n -c user.email=e commit --quiet --message m"):
        subprocess.run(git.split(), check=True)
    assert config_files("HEAD", "preset", []) == config_files("HEAD", "preset", ["mine.yaml"]) == ["config/preset.yaml"]
    assert config_files("HEAD", "mine", ["mine.yaml"]) == ["mine.yaml"]
    assert config_files("HEAD", "default", []) == config_files("HEAD", "default", ["mine.yaml"]) == []
    assert config_files("HEAD", "default", ["mine.yaml", "config/more.yaml"]) == ["config/more.yaml"]


@pytest.mark.parametrize(
    ("value", "changes"),
    [
        ({"a": {"b": 1, "c": [1]}, "d": 2}, {"a": {"c": [2]}, "e": {"f": 3}}),
        ({"a": None}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": None}),
    ],
)
def test_overlaid_as_snakemake_does(value, changes):
    expected, before = copy.deepcopy(value), copy.deepcopy(value)
    update_config(expected, changes)
    assert overlaid(value, changes) == expected and value == before


def test_flags_of_a_command():
    command = "A=b python scripts/x.py \\\n  --one '{\"a\": 1}' \\\n  --two a b \\\n  2>logs/x.log\n"
    assert flags(command) == {"one": ['{"a": 1}'], "two": ["a", "b"]}


def test_policy_of_a_path():
    assert policy_of("results/tiny/eval/gsm8k/base/metrics.json") == "base"
    assert policy_of("results/base_line/merge/grpo-seed10.json") == "grpo-seed10"
    assert policy_of("results/tiny/results.json") is None


def test_near_is_about_numbers():
    assert near('<path d="M 1.001 2" id="ab1"/>', '<path d="M 1.002 2" id="cd2"/>')
    assert not near('<path d="M 1.1 2"/>', '<path d="M 1.2 2"/>')
    assert not near("<text>base</text>", "<text>bass</text>")


def test_strokes_of_a_pdf():
    from matplotlib import pyplot
    from reporting.figures import pdf

    def drawn(*heights):
        figure, axis = pyplot.subplots()
        axis.plot(heights)
        return strokes(pdf(figure))

    assert near(drawn(1, 2, 3), drawn(1, 2, 3)) and not near(drawn(1, 2, 3), drawn(1, 2.5, 3))


@pytest.mark.parametrize(("kind", "warmup"), [("linear", 0), ("linear", 3), ("constant", 0)])
def test_schedules_are_those_of_transformers(kind, warmup):
    import torch
    from transformers import get_scheduler

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = get_scheduler(kind, optimizer, num_warmup_steps=warmup, num_training_steps=8)
    for done in range(8):
        assert SCHEDULES[kind](done, warmup, 8) == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()


def test_history_of_the_published_run_keeps_what_any_training_keeps():
    """On real numbers: rewards, lengths, shares and a linear schedule over 20 steps."""
    import csv
    from pathlib import Path

    arguments = {"max_steps": 20, "max_completion_length": 26, "lr_scheduler_type": "linear"}
    arguments |= {"warmup_steps": 0, "learning_rate": 4e-4}
    paths = sorted(Path("results/published/smollm2-135m-words/training").glob("cold_start_grpo-*/history.csv"))
    assert len(paths) >= 3
    for path in paths:
        rows = list(csv.DictReader(path.open()))
        assert [*check_history(rows, arguments, {"accuracy": 1.0, "steps": 0.0, "format": 0.0})] == []
        rows[3]["reward"] = str(float(rows[3]["reward"]) + 0.01)
        assert [*check_history(rows, arguments, {"accuracy": 1.0})][0].startswith("step 4: reward")


def test_problems_of_the_published_run_are_made_again(tmp_path):
    """The digest that its metrics state is that of the problems made again from the config's source."""
    import json
    from pathlib import Path

    record = Path("results/published/smollm2-135m-words")
    config = json.loads((record / "config.json").read_text())
    metrics = json.loads((record / "eval/word_problems/base/metrics.json").read_text())
    problems, digest, _, where = made_again(config, "word_problems", tmp_path)
    assert digest == metrics["protocol"]["data_sha256"] and len(problems) == 300 and where.startswith("compositions://")


def test_a_number_of_two_scopes_counts_once():
    metrics = {"n": 2, "scores": {"strict": {"value": 0.5}}, "protocol": {"seed": 1}, "environment": {}}
    entry = {"verbatim": {"n": 3}, "arms": {"a": {"mean": 0.5}}, "leads": {}, "marked": {}}
    results = {"tasks": {"t": entry | {"policies": {"base": {"metrics": metrics, "comparison": None}}}}}
    scopes = [*recomputed_numbers(results, ""), *recomputed_numbers(results, "controls")]
    assert len(set(scopes)) == 2 + 1 + 2  # metrics, probe, and an arm's mean over the seeds of each scope


def test_environment_states_the_kind_of_processor():
    import torch

    processor = environment()["processor"]
    assert processor["vendor"] and processor["capability"] == torch.backends.cpu.get_cpu_capability()
    assert processor["gpu"] is None or torch.cuda.is_available()
