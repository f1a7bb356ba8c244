"""What is wrong in a completion: each fault on a text that has it, and counts that add up."""

import pytest
from answers import number as a_number
from reasoning.faults import FAULTS, equations, fault, holds, learned
from reasoning.scoring import judge

PROMPT = {
    "answer": r"####\s*([^\n]*)",
    "format": ".*",
    "examples": [{"question": "?", "completion": "4 + 5 = 9\n9 - 2 = 7\n#### 7"}],
}
EXAMPLES = set(equations(PROMPT["examples"][0]["completion"]))
STEPS = ["12", "17"]


def judged(text, truncated=False, steps=STEPS, name="a"):
    """A completion of a problem whose answer is 17."""
    return {"id": name, "family": "f", "gold": "17", "steps": steps} | judge(
        name, "17", text, 9, truncated, PROMPT, a_number
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3 * 4 = 12\n12 + 5 = 17\n#### 17", None),
        ("the answer is\n#### 17", "right by other steps"),
        ("3 + 4 = 7\n7 + 10 = 17\n#### 17", "right by other steps"),
        ("3 * 4 = 11\n12 + 5 = 17\n#### 17", "right by other steps"),
        ("3 * 4 = 12\n12 + 5 = 17", "no answer"),
        ("3 * 4 = 12\n12 + 5 = 17\n#### many", "no answer"),
        ("4 + 5 = 9\n9 + 7 = 16\n#### 16", "copied"),
        ("3 * 4 = 12\n#### 12", "number of steps"),
        ("#### 12", "number of steps"),
        ("3 * 4 = 12\n12 + 5 = 17\n17 + 1 = 18\n#### 18", "number of steps"),
        ("3 * 4 = 13\n13 + 5 = 18\n#### 18", "arithmetic"),
        ("3 + 4 = 7\n7 + 5 = 12\n#### 12", "operation"),
        ("3 * 4 = 12\n12 + 5 = 17\n#### 18", "another answer"),
        ("3 × 4 = 12\n12 + 5 = $17.00\n#### 5", "another answer"),
    ],
)
def test_each_fault(text, found):
    assert fault(judged(text), EXAMPLES) == found


@pytest.mark.parametrize(
    ("question", "found"),
    [("Ann has 4 hats and gets 5.", "arithmetic"), ("Ann has 3 hats.", "copied"), (None, "copied")],
)
def test_a_step_of_the_questions_own_numbers_is_no_copy(question, found):
    text = "4 + 5 = 9\n9 + 7 = 17\n#### 18"
    assert fault(judged(text) | {"question": question}, EXAMPLES) == found


def test_the_token_limit_comes_first():
    assert fault(judged("3 * 4 = 12\n12 + ", truncated=True), EXAMPLES) == "truncated"


def test_without_steps_only_an_answer_can_be_wrong():
    assert fault(judged("4 + 5 = 9\n#### 9", steps=[]), EXAMPLES) == "another answer"
    assert learned([judged("#### 1", steps=[])], [judged("#### 17", steps=[])], PROMPT) is None


@pytest.mark.parametrize(
    ("text", "true"),
    [
        ("7 / 2 = 3.5", True),
        ("10 / 3 = 3.33", True),
        ("10 / 3 = 3.3", True),
        ("10 / 3 = 3.35", False),
        ("1 / 8 = 0.13", True),
        ("10 / 3 = 3", False),
        ("10 / 3 = 3.4", False),
        ("5 / 0 = 5", False),
        ("1,000 + 1 = 1001", True),
        ("2 x 3 = 6", True),
        ("9 ÷ 3 = 3", True),
        ("3 - 5 = -2", True),
        ("0.1 + 0.2 = 0.3", True),
    ],
)
def test_a_step_is_what_it_computes(text, true):
    (equation,) = equations(text)
    assert holds(equation) == true


def test_counts_add_up():
    """Each completion once; won and lost are the base model's and the policy's in the problems that changed."""
    solution = "3 * 4 = 12\n12 + 5 = 17\n#### 17"
    texts = [solution, "4 + 5 = 9\n9 - 2 = 7\n#### 7", "3 * 4 = 12\n#### 12", "no"]
    base = [judged(text, name=str(i)) for i, text in enumerate(texts)]
    policy = [judged(text, name=str(i)) for i, text in enumerate([texts[3], "#### 17", texts[2], solution])]
    found = learned(base, policy, PROMPT)
    assert list(found) == list(FAULTS)
    sums = {of: sum(count[of] for count in found.values()) for of in ("base", "policy", "won", "lost")}
    assert sums == {"base": 3, "policy": 3, "won": 2, "lost": 1}
    assert found["copied"] == {"base": 1, "policy": 0, "won": 1, "lost": 0}
    assert found["no answer"] == {"base": 1, "policy": 1, "won": 1, "lost": 1}
    assert found["right by other steps"] == {"base": 0, "policy": 1, "won": 0, "lost": 0}
