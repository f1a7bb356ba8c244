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
    assert reached(SETTINGS, rows(9) + [END], best=1.0) is None
    assert reached(SETTINGS, [row | VLLM for row in rows(9)], best=1.0) is None


@pytest.mark.parametrize("name", LIMITS)
def test_each(name):
    """For as many steps as stated, in a row, and the last ones; null is no limit."""
    bad = [GOOD | VLLM | {LIMITS[name][0]: 1.0}]
    assert reached(SETTINGS, rows(5) + 3 * bad, best=1.0) == (name, 1.0)
    assert reached(SETTINGS, rows(5) + 2 * bad, best=1.0) is None
    assert reached(SETTINGS, 2 * bad + rows(1) + 2 * bad, best=1.0) is None
    assert reached(SETTINGS, 5 * bad + rows(1), best=1.0) is None
    assert reached(SETTINGS | {name: None}, 5 * bad, best=1.0) is None


def test_nothing_left_to_learn():
    """A control whose reward is for the format alone soon gets all of it."""
    assert reached(SETTINGS, rows(3, frac_reward_zero_std=1.0, reward=1.2), best=1.2) is None
    assert reached(SETTINGS, rows(3, frac_reward_zero_std=1.0, reward=1.0), best=1.2) == ("tied", 1.0)
