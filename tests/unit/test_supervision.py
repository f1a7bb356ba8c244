"""How many worked solutions and answers an arm was told."""

import copy

import pytest
import yaml
from record.recompute import told_to_arms

CONFIG = yaml.safe_load(open("config/config.yaml"))
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
        ("both", 48, 144),
    ],
)
def test_what_an_arm_was_told(arm, solutions, answers):
    assert told_to_arms(CONFIG | {"arms": ARMS}, False)[arm] == {"solutions": solutions, "answers": answers}


def test_no_more_than_there_is():
    config = copy.deepcopy(CONFIG) | {"arms": ARMS}
    config["tasks"]["word_problems"]["limit"] = {"train": 50}
    found = told_to_arms(config, False)
    assert found["grpo"]["answers"] == 50 and found["after"] == {"solutions": 48, "answers": 2}
