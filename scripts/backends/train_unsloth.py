"""Train with Unsloth on one GPU: 4- or 16-bit base model, rollouts from vLLM, which shares the weights."""

import os
from functools import wraps

CACHE = "unsloth_compiled_cache"


def environment(settings, folder):
    """The environment variables that Unsloth and vLLM read on import."""
    return {
        # Unsloth generates its trainer from TRL's and imports it from this folder: keep it with the adapter.
        "UNSLOTH_COMPILE_LOCATION": str(folder / CACHE),
        "UNSLOTH_DISABLE_STATISTICS": "1",
        "VLLM_NO_USAGE_STATS": "1",
        # FlashInfer compiles itself if it finds nvcc, and vLLM then refuses it on a T4: avoid it everywhere.
        "UNSLOTH_VLLM_NO_FLASHINFER": "1",
        # Standby frees vLLM's cache during a training step. The override keeps the configured share of memory.
        "UNSLOTH_VLLM_STANDBY": str(int(settings["grpo"].get("vllm_enable_sleep_mode", False))),
        "UNSLOTH_VLLM_STANDBY_UTIL_OVERRIDE": "1",
    }


def require_safe_standby(settings):
    """Stop if standby is on and the GPU is one on which it crashes at random (found by Unsloth on a T4)."""
    import torch

    if settings["grpo"].get("vllm_enable_sleep_mode") and torch.cuda.get_device_capability() < (8, 0):
        raise SystemExit(
            "error: vLLM's sleep mode crashes on GPUs before compute capability 8.0: set "
            "train.grpo.vllm_enable_sleep_mode to false"
        )


def require_quantised(policy, settings):
    """Stop if a model that should have 4-bit layers has none: without bitsandbytes' kernels Unsloth loads 16 bit."""
    wanted = settings.get("load_in_4bit", False)
    if wanted and not any(type(module).__name__ == "Linear4bit" for module in policy.modules()):
        raise SystemExit(
            "error: Unsloth loaded the model in 16 bit, because bitsandbytes does not work here: run python -m "
            "bitsandbytes to see why, or set train.load_in_4bit to false"
        )


def in_folder(load_lora, folder):
    """Unsloth's `load_lora`, which writes the adapter's config under a relative name, writing it into `folder`.

    In the working directory, two trainings would write the same file.
    """

    @wraps(load_lora)
    def load(name, *arguments, **options):
        return load_lora(str(folder / name), *arguments, **options)

    return load


def load(model, chats, settings, prompt, folder):
    """(policy, tokenizer, GRPOTrainer arguments) for the model in directory `model`; as in `train_trl`.

    The model must be a folder: given a name, Unsloth loads a 4-bit copy from another repository, at no pinned revision.
    """
    import torch

    if not torch.cuda.is_available():
        raise SystemExit(
            "error: train.backend unsloth needs an NVIDIA GPU and PyTorch finds none: check nvidia-smi, or set "
            "train.backend to trl"
        )
    require_safe_standby(settings)
    seed = torch.initial_seed()  # read now: vLLM's engine seeds the process with its own
    folder.mkdir(parents=True, exist_ok=True)
    os.environ |= environment(settings, folder)
    from unsloth import FastLanguageModel  # before transformers, which it patches  # isort: skip
    from backends.gpu_memory import longest, require_memory
    from backends.tokenizer import load_tokenizer, prepared

    grpo, lora = settings["grpo"], settings["lora"]
    prompt_tokens = longest(load_tokenizer(model, prompt), chats)
    require_memory(model, settings, prompt_tokens, shared_weights=True)
    policy, tokenizer = FastLanguageModel.from_pretrained(
        model_name=str(model),
        use_exact_model_name=True,
        max_seq_length=prompt_tokens + grpo["max_completion_length"],
        dtype=getattr(torch, settings["dtype"]),
        load_in_4bit=settings.get("load_in_4bit", False),
        fast_inference=grpo["use_vllm"],
        gpu_memory_utilization=grpo.get("vllm_gpu_memory_utilization", 0.3),  # TRL's default
        max_lora_rank=lora["r"],
        random_state=seed,
    )
    require_quantised(policy, settings)
    policy = FastLanguageModel.get_peft_model(
        policy,
        **lora,
        # "unsloth" offloads checkpointed activations to CPU memory.
        use_gradient_checkpointing="unsloth" if grpo["gradient_checkpointing"] else False,
        random_state=seed,
    )
    if hasattr(policy, "load_lora"):
        policy.load_lora = in_folder(policy.load_lora, folder / CACHE)
    return policy, prepared(tokenizer, prompt), {}
