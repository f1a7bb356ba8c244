"""The report's table of a training's log."""

import pytest
from reporting.training import health


def test_health():
    row = {"frac_reward_zero_std": "0.5", "completions/clipped_ratio": "0.0", "clip_ratio/region_mean": "0.1"}
    vllm = {"sampling/sampling_logp_difference/mean": "0.02", "sampling/importance_sampling_ratio/min": "0.9"}
    rows = [row | vllm, row | vllm | {"frac_reward_zero_std": "1.0", "sampling/importance_sampling_ratio/min": "0.0"}]
    assert health([row]) == {"groups tied": 0.5, "completions truncated": 0.0, "tokens clipped": pytest.approx(0.1)}
    found = health(rows)
    assert found["groups tied"] == 0.75 and found["vLLM apart"] == pytest.approx(0.02) and found["least weight"] == 0
