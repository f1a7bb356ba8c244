"""Attention for the CPU that leaves keys and values where they stand.

Where a few key-value heads serve many query heads, transformers copies each for every query head, as CUDA's kernels
with a mask need it. torch's CPU kernel does not, and the copies take most of the time of decoding one token behind a
long prompt. Results are the same bits.
"""

NAME = "grouped"


def attention_for(device):
    """The `attn_implementation` of a model on a device, "cpu" or another; on the CPU it is the one defined here."""
    return register() if device == "cpu" else "sdpa"


def register():
    """Make `attn_implementation=NAME` known to transformers; returns the name."""
    from torch.nn.functional import scaled_dot_product_attention
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    def attention(module, query, key, value, attention_mask, dropout=0.0, scaling=None, is_causal=None, **_):
        causal = module.is_causal if is_causal is None else is_causal
        output = scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=attention_mask,
            dropout_p=dropout,
            scale=scaling,
            is_causal=causal and attention_mask is None and query.shape[2] > 1,
            enable_gqa=True,
        )
        return output.transpose(1, 2).contiguous(), None

    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    return NAME
