"""Attention without copies is bit-identical to transformers': hidden states and gradients."""

import pytest
import torch
from speed.grouped_attention import attention_for
from transformers import AutoModelForCausalLM

IDS = torch.tensor([[5, 6, 7, 8], [0, 0, 9, 10]])
MASK = torch.tensor([[1, 1, 1, 1], [0, 0, 1, 1]])


def states_and_gradients(folder, attention, mask):
    policy = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention)
    states = policy(IDS, attention_mask=mask, output_hidden_states=True).hidden_states[-1][MASK.bool()]
    states.square().sum().backward()
    return states, *(p.grad for p in policy.parameters() if p.grad is not None)


@pytest.mark.parametrize("mask", [MASK, torch.ones_like(MASK), None])
def test_same_bits(tiny_model, mask):
    ours, theirs = (states_and_gradients(tiny_model, name, mask) for name in (attention_for("cpu"), "sdpa"))
    assert len(ours) == len(theirs) > 2
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_same_completions(tiny_model):
    completions = [
        AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32, attn_implementation=attention).generate(
            IDS, attention_mask=MASK, max_new_tokens=8, do_sample=False, pad_token_id=0
        )
        for attention in (attention_for("cpu"), "sdpa")
    ]
    assert torch.equal(*completions)
