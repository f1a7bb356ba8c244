"""4-bit base models: NF4 with double quantisation (Dettmers et al. 2023, QLoRA, arXiv:2305.14314)."""


def quantised(settings):
    """The arguments of from_pretrained if `settings`, a config section `train` or `eval`, say 4 bit, else none."""
    asking = {
        "train.load_in_4bit": settings.get("load_in_4bit"),
        "eval.engine.quantization": settings.get("engine", {}).get("quantization"),
    }
    if not any(asking.values()):
        return {}
    import torch
    from accelerate import PartialState
    from transformers import BitsAndBytesConfig
    from transformers.utils import is_bitsandbytes_available

    if not is_bitsandbytes_available():
        raise SystemExit(
            f"error: {next(key for key in asking if asking[key])} needs bitsandbytes, which the cpu environment lacks: "
            "use environment gpu or t4, or load the model in 16 bit"
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
