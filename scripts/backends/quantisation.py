"""4-bit base models: NF4 with double quantisation (Dettmers et al. 2023, QLoRA, arXiv:2305.14314)."""


def quantised(settings):
    """The arguments of from_pretrained for `train.load_in_4bit`, none if it is off."""
    if not settings.get("load_in_4bit"):
        return {}
    import torch
    from accelerate import PartialState
    from transformers import BitsAndBytesConfig
    from transformers.utils import is_bitsandbytes_available

    if not is_bitsandbytes_available():
        raise SystemExit(
            "error: train.load_in_4bit needs bitsandbytes, which the cpu environment lacks: use environment gpu or "
            "t4, or set train.load_in_4bit to false"
        )
    nf4 = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, settings["dtype"]),
    )
    return {"quantization_config": nf4, "device_map": {"": PartialState().device}}


def unpacked(policy):
    """Keep a policy's 4-bit weights in their plain layout; returns the policy. Other weights are unaffected.

    On a CPU with AVX512-BF16, bitsandbytes 0.50.2 packs the weights of a layer that runs in eval mode. The layer then
    passes no gradient back and rounds differently (`Linear4bit.forward` in bitsandbytes/nn/modules.py).
    """
    for layer in policy.modules():
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False
    return policy
