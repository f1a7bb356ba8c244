"""Sharing the prefix does not change results: hidden states, gradients and completions stay the same."""

import pytest
import torch
from speed.growing_cache import ROOM, growing_cache
from speed.shared_prefix import share_prefix
from transformers import AutoModelForCausalLM, DynamicCache

PAD = 0
OPENING = [5, 6, 7, 8, 9, 10, 11, 12]


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def batch(rows, right=0):
    """Rows of token ids, padded on the left to equal width, and by `right` columns on the right."""
    width = max(map(len, rows))
    ids = torch.tensor([[PAD] * (width - len(row)) + row + [PAD] * right for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) + [0] * right for row in rows])
    return ids, mask


CASES = {
    "shared opening": [OPENING + [20, 21], OPENING + [30, 31, 32, 33], OPENING + [40]],
    "nothing shared": [[20, 21], [30, 31, 32]],
    "one row is the opening": [OPENING, OPENING + [20, 21]],
    "equal rows": [OPENING, OPENING],
    "groups": [[*OPENING, *rest] for rest in ([20, 21, 50], [20, 21, 51], [30, 52], [20, 21, 51], [30, 53])],
    "one row": [OPENING],
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("right", [0, 2])
def test_hidden_states_and_gradients(tiny_model, name, right):
    ids, mask = batch(CASES[name], right)
    results = []
    for policy in (load(tiny_model), share_prefix(load(tiny_model))):
        states = policy.base_model(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()]
        states.square().sum().backward()
        results.append((states, policy.base_model.layers[0].self_attn.q_proj.weight.grad))
    for plain, shared in zip(*results, strict=True):
        torch.testing.assert_close(shared, plain, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", CASES)
def test_completions(tiny_model, name):
    ids, mask = batch(CASES[name])
    options = {"max_new_tokens": 8, "do_sample": False, "pad_token_id": PAD}
    plain = load(tiny_model).generate(ids, attention_mask=mask, **options)
    shared = share_prefix(load(tiny_model)).generate(input_ids=ids, attention_mask=mask, **options)
    assert torch.equal(plain, shared)


def test_roomy_cache_holds_what_a_dynamic_cache_holds(tiny_model):
    """Token by token beyond the allocated space, and after rows have been selected."""
    config = load(tiny_model).config
    roomy, plain = growing_cache(config), DynamicCache(config=config)
    torch.manual_seed(0)
    for length in [3, *[1] * (ROOM + 2)]:
        keys, values = torch.randn(2, 3, 1, length, 16)
        for got, wanted in zip(roomy.update(keys, values, 0), plain.update(keys, values, 0), strict=True):
            assert torch.equal(got, wanted)
    for cache in (roomy, plain):
        cache.batch_select_indices(torch.tensor([2, 0]))
    keys, values = torch.randn(2, 2, 1, 1, 16)
    for got, wanted in zip(roomy.update(keys, values, 0), plain.update(keys, values, 0), strict=True):
        assert torch.equal(got, wanted)
