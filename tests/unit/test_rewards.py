"""Rewards: accuracy equals the metric, and each reward has the expected value on simple texts."""

import hashlib
import json
import re
from collections import deque
from types import SimpleNamespace

import pytest
import yaml
from answers import number as a_number
from reasoning.answer import extract
from reasoning.rewards import coin, own, reward_functions, rewards_of

OF_DEFAULT = yaml.safe_load(open("config/config.yaml"))["prompt"]
PROMPT = OF_DEFAULT | {"format": r"[^#]+#### [^\n]+\s*"}
REWARDS = rewards_of(a_number)
PROBLEM = {"answer": "17", "steps": ["12", "17"]}
RIGHT = "3 * 4 = 12\n12 + 5 = 17\n#### 17"


@pytest.mark.parametrize(
    ("text", "accuracy", "format", "steps"),
    [
        (RIGHT, 1, 1, 1),
        ("3 * 4 = 12\n12 + 4 = 16\n#### 16", 0, 1, 0.5),
        ("3 * 4 = $12.00\n12 + 4 = 16\n#### 16", 0, 1, 0.5),
        ("3 + 4 = 7\n7 + 10 = 17\n#### 17", 1, 1, 0.5),
        ("3 * 4 = 12\n#### 12", 0, 1, 0),
        ("3 * 4 = 12\n12 + 5 = 17\n17 + 0 = 17\n#### 17", 1, 1, 0),
        ("17\n#### 17", 1, 1, 0),
        ("x = 121, y = 170\n#### 1", 0, 1, 0),
        ("#### 17", 1, 0, 0),
        (RIGHT + "\nand more", 1, 0, 1),
        ("3 * 4 = 12\n12 + 5 = 17", 0, 0, 1),
        ("", 0, 0, 0),
    ],
)
def test_values(text, accuracy, format, steps):
    values = {name: REWARDS[name](text, PROBLEM, PROMPT) for name in ("accuracy", "format", "steps")}
    assert values == {"accuracy": accuracy, "format": format, "steps": steps}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (RIGHT, 1),
        ("3 * 4 = 12\n#### 12\n", 1),
        ("3 * 4 = 13\n#### 13", 1),  # wrong, in the right format
        ("3 * 4 = 12\n#### 13", 0),
        ("3 * 4 = 12\n5 + 12 = 17\n#### 17", 0),  # does not go on from 12
        (RIGHT + "\n#### 17", 0),
        ("#### 17", 0),
    ],
)
def test_format_of_the_default_run(text, value):
    assert REWARDS["format"](text, PROBLEM, OF_DEFAULT) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (RIGHT, 1),
        ("3 * 4 = 13\n13 - 9 = 1\n#### 1\n", 1),  # wrong, in the form
        ("3 * 4 = 12\n#### 12", 0),  # one equation
        ("3 * 4 = 12\n5 + 12 = 17\n#### 17", 0),
        (RIGHT + "\n#### 17", 0),
    ],
)
def test_two_equations(text, value):
    """The form that is planned for the study's control format_only."""
    assert own("config/two_equations.py:two_equations")(text, [], PROBLEM) == value


@pytest.mark.parametrize("text", [RIGHT, RIGHT + ".0", "#### 17 pens", "17", ""])
def test_accuracy_is_the_metric(text):
    metric = extract(text, PROMPT["answer"])["strict"] == PROBLEM["answer"]
    assert REWARDS["accuracy"](text, PROBLEM, PROMPT) == metric


def test_trl_signature():
    """Only rewards with a weight are computed, the prefill is part of the text, and rollouts are kept."""
    rollouts = deque(maxlen=1)
    functions, weights = reward_functions(
        {"accuracy": 1.0, "format": 0.2, "steps": 0.0, "random": 0.0}, PROMPT, 0, rollouts, a_number
    )
    completion = [{"role": "assistant", "content": RIGHT.removeprefix(PROMPT["prefill"])}]
    columns = {"prompts": ["p"], "completions": [completion], "completion_ids": [[1]], "answer": ["17"], "steps": [[]]}
    columns["trainer_state"] = SimpleNamespace(global_step=3)
    assert weights == [1.0, 0.2]
    assert [f.__name__ for f in functions] == ["accuracy", "format"]
    assert [f(**columns) for f in functions] == [[1.0], [1.0]]
    assert list(rollouts) == [(["p"], [[1]])]


def test_random_is_a_fair_coin_that_repeats():
    """Each completion has its own, whatever its text: a group's equal completions get different ones."""

    def tosses(step, seed=0):
        (toss,), _ = reward_functions({"random": 1.0}, PROMPT, seed, deque(maxlen=1), a_number)
        chats, same = (
            [[{"role": "user", "content": "1 + 1?"}]] * 1000,
            [[{"role": "assistant", "content": RIGHT}]] * 1000,
        )
        columns = {"completion_ids": [[1]] * 1000, "answer": ["2"] * 1000, "steps": [[]] * 1000}
        return toss(prompts=chats, completions=same, trainer_state=SimpleNamespace(global_step=step), **columns)

    assert 400 < sum(tosses(0)) < 600 and set(tosses(0)) == {0.0, 1.0}
    assert tosses(0) == tosses(0)
    for other in (tosses(1), tosses(0, seed=1)):
        assert 400 < sum(a == b for a, b in zip(tosses(0), other, strict=True)) < 600


def rewarded(name, text="<b>17</b>", tokens=5):
    """The values of a user's reward for one completion of so many tokens, as TRL asks for them."""
    (function,), _ = reward_functions({name: 0.2}, PROMPT, 0, deque(maxlen=1), a_number)
    assert function.__name__ == name
    completion = [{"role": "assistant", "content": text}]
    return function([["p"]], [completion], [[1] * tokens], answer=["17"], steps=[["17"]], trainer_state=None)


OWN = """
def brevity(text, tokens, problem):
    return max(0.0, 1 - len(tokens) / 10)

def many(text, tokens, problem):
    return 2 * text.count("b") - 9

def gold(text, tokens, problem):
    return problem["answer"] in text and problem["prompt"] == ["p"]

def fails(text, tokens, problem):
    return len(tokens) / 0

def nothing(text, tokens, problem):
    pass
"""


@pytest.mark.parametrize(("function", "value"), [("brevity", 0.5), ("many", -5), ("gold", 1)])
def test_a_function_in_a_users_file(tmp_path, function, value):
    (tmp_path / "mine.py").write_text(OWN)
    assert rewarded(f"{tmp_path}/mine.py:{function}") == [value]


@pytest.mark.parametrize(
    ("function", "text", "tokens", "value"),
    [
        ("brevity", "", 25, 0.75),
        ("overlong", "", 192, 0.0),
        ("overlong", "", 208, -0.25),
        ("overlong", "", 256, -1.0),
        ("overlong", "", 999, -1.0),
        ("tags", "<think>1</think><answer>2</answer>", 5, 1.0),
        ("tags", "1</think><answer>2</answer><answer>", 5, 0.5),
    ],
)
def test_those_of_the_manual(tmp_path, function, text, tokens, value):
    page = open("config/bring_your_own.md").read()
    (written,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def brevity" in block]
    (tmp_path / "rewards.py").write_text(written)
    assert rewarded(f"{tmp_path}/rewards.py:{function}", text, tokens) == [value]


@pytest.mark.parametrize(
    ("text", "function", "says"),
    [
        (OWN, "fails", "line 12: ZeroDivisionError"),
        (OWN, "nothing", "returned None"),
        (OWN, "absent", "has no function absent"),
        ("def f(:", "f", "line 1: SyntaxError"),
        ("def f(*a):\n    return g()\n\ndef g():\n    return 1 / 0", "f", "line 5: ZeroDivisionError"),
    ],
)
def test_an_error_in_it_stops_the_run_with_its_line(tmp_path, text, function, says):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(SystemExit, match=says):
        rewarded(f"{tmp_path}/mine.py:{function}")


def test_the_coin_by_hand(monkeypatch):
    """The lowest bit of the first byte of a digest of seed, step, process, question and place in the batch."""
    monkeypatch.delenv("RANK", raising=False)
    digests = [hashlib.sha256(json.dumps([1, 2, "0", "q", i]).encode()).digest() for i in range(32)]
    assert [coin(1, 2, "q", i) for i in range(32)] == [digest[0] % 2 for digest in digests]
