"""A training stops once all of its last steps reach a limit, and not before."""

import pytest
from backends.limits import LIMITS, reached

SETTINGS = {"steps": 3, "tied": 1.0, "truncated": 0.9, "masked": 0.5, "mismatch": 0.1}
GOOD = {"reward": 0.5, "frac_reward_zero_std": 0.25, "completions/clipped_ratio": 0.0}
VLLM = {"sampling/sampling_logp_difference/mean": 0.01}
END = {"train_loss": 0.0}  # the last row that the trainer logs


def rows(n, **changes):
    return [GOOD | {name.replace("__", "/"): value for name, value in changes.items()}] * n


def test_good():
    assert reached(SETTINGS, rows(9) + [END]) is None
    assert reached(SETTINGS, [row | VLLM for row in rows(9)]) is None


@pytest.mark.parametrize("name", LIMITS)
def test_each(name):
    """For as many steps as stated, in a row, and the last ones; null is no limit."""
    bad = [GOOD | VLLM | {LIMITS[name][0]: 1.0}]
    assert reached(SETTINGS, rows(5) + 3 * bad) == (name, 1.0)
    assert reached(SETTINGS, rows(5) + 2 * bad) is None
    assert reached(SETTINGS, 2 * bad + rows(1) + 2 * bad) is None
    assert reached(SETTINGS, 5 * bad + rows(1)) is None
    assert reached(SETTINGS | {name: None}, 5 * bad) is None


@pytest.mark.parametrize(
    ("rewards", "solved"),
    [
        ({"accuracy": 1.0, "format": 0.0}, True),  # whatever an overlong penalty, or steps that no task has, would add
        ({"accuracy": 0.9, "format": 1.0}, False),
        ({"format": 1.0}, True),  # a control
        ({"format": 0.9}, False),
        ({"tags.py:count": 2.0}, False),  # of which nobody knows the maximum
    ],
)
def test_nothing_left_to_learn(rewards, solved):
    """What all completions got right is no reason to stop, whatever the rewards add up to."""
    means = {f"rewards/{name}/mean": value for name, value in rewards.items()}
    tied = [{"reward": reward, "frac_reward_zero_std": 1.0} | means for reward in (0.2, 1.0, 3.0)]
    assert reached(SETTINGS, tied) == (None if solved else ("tied", 1.0))
