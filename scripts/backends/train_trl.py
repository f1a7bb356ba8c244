"""Train with unmodified TRL and PEFT, on a CPU or on one or several GPUs.

Rollouts come from transformers' generate, or from vLLM in the same process (`train.grpo.use_vllm`), to which TRL copies
the weights after every step.
"""


def score_completions_only():
    """Let TRL compute logits for completion tokens only, not for prompt tokens, which halves the time of a step.

    Without Triton, TRL 1.16 and newer computes logits at every position and drops those of the prompts (`compact` in
    trl/trainer/utils.py, `add_fused_lm_head`), so that compilers see constant shapes. Nothing is compiled here.
    The name is private to TRL. If it is gone, check whether TRL still does this.
    """
    import trl
    import trl.trainer.utils
    from packaging.version import Version

    if Version(trl.__version__) < Version("1.16"):
        return
    if not callable(getattr(trl.trainer.utils, "_use_triton", None)):
        raise SystemExit(
            f"error: TRL {trl.__version__} has no trl.trainer.utils._use_triton, which scripts/backends/train_trl.py "
            "replaces: use the locked TRL, or change score_completions_only"
        )
    trl.trainer.utils._use_triton = lambda device: True


def require_vllms_attention(settings):
    """Stop if vLLM would take an attention kernel that fails on this GPU.

    Before compute capability 8.0, vLLM 0.19 takes FlashInfer, which compiles itself with nvcc and is broken there
    (`_get_backend_priorities` in vllm/platforms/cuda.py). TRL makes the engine, and cannot be told to take another.
    """
    import torch

    if settings["grpo"].get("use_vllm") and torch.cuda.is_available() and torch.cuda.get_device_capability() < (8, 0):
        raise SystemExit(
            "error: TRL's vLLM needs a GPU of compute capability 8.0 or newer: set train.backend to unsloth, or "
            "train.grpo.use_vllm to false"
        )


def load(model, chats, settings, prompt, folder):
    """(policy, tokenizer, GRPOTrainer arguments) for the model in directory `model`.

    `chats` are the training prompts, `settings` and `prompt` the config sections `train` and `prompt`; a backend may
    write into `folder`.
    """
    import torch
    from peft import LoraConfig
    from speed.grouped_attention import attention_for
    from speed.shared_prefix import share_prefix
    from transformers import AutoModelForCausalLM

    from backends.gpu_memory import longest, require_memory
    from backends.quantisation import quantised, unpacked
    from backends.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(model, prompt)
    require_memory(model, settings, longest(tokenizer, chats), shared_weights=False)
    require_vllms_attention(settings)
    score_completions_only()
    device = "cpu" if settings["grpo"]["use_cpu"] else "cuda"
    policy = AutoModelForCausalLM.from_pretrained(
        model,
        dtype=getattr(torch, settings["dtype"]),
        attn_implementation=attention_for(device),
        **quantised(settings),
    )
    policy = unpacked(policy)
    if not settings["grpo"]["gradient_checkpointing"]:  # it recomputes activations without a cache
        policy = share_prefix(policy)
    return policy, tokenizer, {"peft_config": LoraConfig(task_type="CAUSAL_LM", **settings["lora"])}
