"""Attention for the CPU that does not copy keys and values.

If several query heads share a key-value head, transformers copies keys and values for every query head, because CUDA's
kernels with a mask need that. torch's CPU kernel does not, and after a long prompt, the copies take most of the time of
decoding a token. Results are bit-identical.
"""

NAME = "grouped"


def attention_for(device):
    """The `attn_implementation` for a device: the one defined here for "cpu", else "sdpa"."""
    return register() if device == "cpu" else "sdpa"


def register():
    """Register `attn_implementation=NAME` with transformers; returns the name."""
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
