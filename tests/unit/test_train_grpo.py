"""A training that changed nothing stops, whatever its adapter began with."""

import runpy

import pytest
import torch

TRAIN = runpy.run_path("scripts/train_grpo.py")


class Policy(torch.nn.Module):
    """Two of an adapter's matrices, the B with given values."""

    def __init__(self, values):
        super().__init__()
        self.lora_A = torch.nn.Parameter(torch.ones(4))
        self.lora_B = torch.nn.Parameter(torch.tensor(values))


@pytest.mark.parametrize("values", [[0.0, 0.0, 0.0], [0.5, -0.25, 1.0]])
@pytest.mark.parametrize(("gradient", "learned"), [(0.0, False), (1.0, True)])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_learning(values, gradient, learned, decay):
    """B is zero by default, and not with `init_lora_weights: pissa`; weight decay alone is no learning."""
    policy = Policy(values)
    before = TRAIN["adapter_values"](policy)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-4, weight_decay=decay)
    for _ in range(20):
        policy.lora_A.grad = torch.full((4,), gradient)
        policy.lora_B.grad = gradient * torch.tensor([1.0, 1.0, -1.0])
        optimizer.step()
    if learned:
        TRAIN["require_learning"](policy, before)
    else:
        with pytest.raises(SystemExit, match="error: training changed nothing"):
            TRAIN["require_learning"](policy, before)
