"""How many worked solutions and answers an arm was told."""

import copy

import pytest
import yaml
from reasoning.supervision import gives
from record.recompute import told_to_arms

CONFIG = yaml.safe_load(open("config/config.yaml"))
CONFIG["rewards"]["steps"] = 0.5
CONFIG["train"]["grpo"] |= {"max_steps": 24, "num_generations": 8}
CONFIG["train"]["sft"]["max_steps"] = 24
ARMS = {
    "grpo": {"rewards": {"steps": 0.0}},
    "steps": {},
    "cold": {"train": {"trainer": "sft", "problems": {"limit": 48}}},
    "after": {
        "rewards": {"steps": 0.0},
        "train": {"start": "cold", "problems": {"skip": 48}, "grpo": {"max_steps": 20}},
    },
    "sft": {"train": {"trainer": "sft", "sft": {"max_steps": 10}}},
    "rft": {"train": {"trainer": "sft", "teacher": "base"}},
    "student": {"train": {"trainer": "sft", "teacher": "cold"}},
    "wrong": {"train": {"problems": {"wrong_answers": True}}},
    "coin": {"rewards": {"accuracy": 0.0, "steps": 0.0, "random": 1.0}},
    "own": {"rewards": {"accuracy": 0.0, "steps": 0.0, "mine.py:reads_the_answer": 0.2}},
    "both": {"merge_of": {"adapters": {"cold": 1.0, "grpo": 1.0}, "method": "cat"}},
}


@pytest.mark.parametrize(
    ("arm", "solutions", "answers"),
    [
        ("grpo", 0, 144),  # 24 steps of 48 completions, 8 of a problem
        ("steps", 144, 0),
        ("cold", 48, 0),
        ("after", 48, 120),
        ("sft", 60, 0),
        ("rft", 0, 144),
        ("student", 48, 144),
        ("wrong", 0, 0),
        ("coin", 0, 0),
        ("own", 0, 144),
        ("both", 48, 144),
    ],
)
def test_what_an_arm_was_told(arm, solutions, answers):
    assert told_to_arms(CONFIG | {"arms": ARMS}, False)[arm] == {"solutions": solutions, "answers": answers}


@pytest.mark.parametrize(
    ("module", "steps", "sft"), [("svamp", "answers", "answers"), ("math500", "answers", "solutions")]
)
def test_a_task_tells_no_more_than_it_has(module, steps, sft):
    """Steps and solutions that no record has are not told; a user's module may have what it names."""
    tasks = {"word_problems": CONFIG["tasks"]["word_problems"] | {"module": module}}
    found = told_to_arms(CONFIG | {"arms": ARMS, "tasks": tasks}, False)
    assert found["steps"][steps] == 144 and found["sft"][sft] == 60


def test_a_users_module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = '"""Of a solution."""\n\n\ndef problem(record):\n    return record | {"steps": []}  # no solution\n'
    (tmp_path / "mine.py").write_text(text)
    assert gives({"module": "mine.py"}, "steps") and not gives({"module": "mine.py"}, "solution")


@pytest.mark.parametrize(
    ("body", "answers"),
    [
        ("def f(text, tokens, problem):\n    return len(text)\n", 0),
        ("def f(text, tokens, problem):\n    return text == problem['answer']\n", 144),
        ("def f(text, tokens, given):\n    return (lambda: given)()['answer'] in text\n", 144),
        ("def g(*all):\n    return all[2]['answer'] in all[0]\n\n\nf = g\n", 144),  # cannot be said
    ],
)
def test_a_reward_that_reads_no_answer_is_told_none(tmp_path, body, answers):
    (tmp_path / "mine.py").write_text(body)
    arm = {"rewards": {"accuracy": 0.0, "steps": 0.0, f"{tmp_path}/mine.py:f": 1.0}}
    assert told_to_arms(CONFIG | {"arms": {"own": arm}}, False)["own"] == {"solutions": 0, "answers": answers}


def test_no_more_than_there_is():
    config = copy.deepcopy(CONFIG) | {"arms": ARMS}
    config["tasks"]["word_problems"]["limit"] = {"train": 50}
    found = told_to_arms(config, False)
    assert found["grpo"]["answers"] == 50 and found["after"] == {"solutions": 48, "answers": 2}
