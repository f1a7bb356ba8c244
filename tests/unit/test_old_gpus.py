"""What differs before compute capability 8.0, as on a T4; which kernels a GPU really runs, only it can tell."""

import pytest
import torch
from backends.eval_vllm import attention, require_invariance
from backends.train_trl import require_vllms_attention
from backends.train_unsloth import require_safe_standby


@pytest.fixture(params=[(7, 5), (8, 0), (9, 0)], ids=str)
def capability(request, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: request.param)
    return request.param


def test_attention(capability):
    assert attention() == ({"attention_backend": "TRITON_ATTN"} if capability < (8, 0) else {})


@pytest.mark.parametrize(
    ("check", "setting"), [(require_vllms_attention, "use_vllm"), (require_safe_standby, "vllm_enable_sleep_mode")]
)
def test_refused(capability, check, setting):
    check({"grpo": {setting: False}})
    if capability >= (8, 0):
        check({"grpo": {setting: True}})
    else:
        with pytest.raises(SystemExit, match="^error: .*capability 8.0.*: set train"):
            check({"grpo": {setting: True}})


def test_batch_invariance(capability):
    require_invariance({})
    if capability >= (8, 0):
        require_invariance({"batch_invariant": True})
    else:
        with pytest.raises(SystemExit, match="^error: .*capability 8.0.*: set eval.batch_invariant to false"):
            require_invariance({"batch_invariant": True})


def test_without_a_gpu():
    assert attention() == {}
