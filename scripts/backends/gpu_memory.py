"""The GPU memory that training needs: estimated before it starts, measured when it ends."""

from math import prod

from backends.tokenizer import token_ids

# Bits per quantised weight: 4, plus 0.127 for its share of the doubly quantised constants (Dettmers et al. 2023, QLoRA,
# arXiv:2305.14314, section 3).
NF4_BITS = 4.127
# Bytes of activations that a layer stores for the backward pass, in 16 bit, per token and hidden unit, without
# attention scores (Korthikanti et al. 2022, arXiv:2205.05198, equation 2).
LAYER_BYTES = 34
# For CUDA, its libraries and fragmentation: an allowance, not a measurement.
RUNTIME_BYTES = 1.2e9
# Bytes per trained weight in float32: the weight, its gradient, and Adam's two moments in 32 or 8 bit.
ADAM, ADAM_8BIT = 4 + 4 + 8, 4 + 4 + 2

# The log's KL divergence needs the logits of so many rollouts twice, and in float32 of so many positions at once.
KL_ROLLOUTS, KL_POSITIONS = 2, 64
FLOAT32_COPIES = 5  # two of log-probabilities, and what they are made of and multiplied to

# The settings that shrink each part.
KEYS = {
    "weights": "train.load_in_4bit",
    "adapter": "train.lora.r or train.grpo.optim",
    "rollouts": "train.grpo.vllm_gpu_memory_utilization or train.grpo.per_device_train_batch_size",
    "activations": "train.grpo.per_device_train_batch_size or train.grpo.gradient_checkpointing",
    "logits": "train.grpo.per_device_train_batch_size or train.grpo.max_completion_length",
}


def estimate(model, settings, prompt_tokens, total, shared_weights):
    """`{part: bytes}` for section `train` on a GPU of `total` bytes, prompts at most `prompt_tokens` long.

    With `shared_weights`, vLLM computes with the trainer's weights and has no copy of its own. `model` is the directory
    of the base model, of which only its config is read. "runtime" is an allowance; the rest follows from shapes.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    grpo = settings["grpo"]
    config = AutoConfig.from_pretrained(model)
    with torch.device("meta"):
        policy = AutoModelForCausalLM.from_config(config)
        size = {p: prod(p.shape) for p in policy.parameters()}
        linear = [m.weight for n, m in policy.named_modules() if isinstance(m, torch.nn.Linear) and n != "lm_head"]
        adapted = get_peft_model(policy, LoraConfig(task_type="CAUSAL_LM", **settings["lora"]))
    trained = sum(prod(p.shape) for p in adapted.parameters() if p.requires_grad)
    width = 4 if settings["dtype"] == "float32" else 2
    quantised = sum(size[w] for w in linear) if settings.get("load_in_4bit") else 0
    weights = (sum(size.values()) - quantised) * width + quantised * NF4_BITS / 8
    if grpo.get("fsdp"):  # a share; embeddings, which stay together, and two layers, of which one is on its way
        embeddings = policy.get_input_embeddings().weight
        layers = 2 * (sum(size.values()) - size[embeddings]) / config.num_hidden_layers
        weights = weights / settings["processes"] + (size[embeddings] + layers) * width

    batch, length = grpo["per_device_train_batch_size"], prompt_tokens + grpo["max_completion_length"]
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    token = 2 * config.num_hidden_layers * config.num_key_value_heads * head * 2  # keys and values, 16 bit
    # transformers' generate caches a step's sequences; vLLM reserves its share of the GPU, weights included.
    sequences = batch * grpo.get("steps_per_generation", grpo["gradient_accumulation_steps"])
    cache = sequences * length * token
    if grpo.get("use_vllm"):
        share = grpo.get("vllm_gpu_memory_utilization", 0.3) * total
        one = length * token  # more wait, if the share has no room for them
        cache = max(one, share - weights) if shared_weights else max(one + weights, share)
    layer = batch * length * config.hidden_size * LAYER_BYTES * width / 2
    kept = batch * length * config.hidden_size * config.num_hidden_layers * width
    # The loss has logits, softmax and gradient; the divergence comes after it.
    loss = batch * grpo["max_completion_length"] * config.vocab_size * 4 * 3
    kept_logits = KL_ROLLOUTS * (grpo["max_completion_length"] + 1) * config.vocab_size * width * 2
    divergence = kept_logits + KL_ROLLOUTS * KL_POSITIONS * config.vocab_size * 4 * FLOAT32_COPIES
    return {
        "weights": weights,
        "adapter": trained * (ADAM_8BIT if "8bit" in grpo.get("optim", "") else ADAM),
        "rollouts": cache,
        "activations": kept + layer if grpo["gradient_checkpointing"] else config.num_hidden_layers * layer,
        "logits": max(loss, divergence),
        "runtime": RUNTIME_BYTES,
    }


def show(parts):
    """The parts in GB, on one line."""
    return ", ".join(f"{name} {size / 1e9:.2f}" for name, size in parts.items())


def require_fit(parts, free):
    """Stop if the estimate is more than `free` bytes, and say which setting to change."""
    needed = sum(parts.values())
    print(f"GPU memory, estimated: {needed / 1e9:.2f} GB of {free / 1e9:.2f} free ({show(parts)})")
    if needed > free:
        largest = max(KEYS, key=parts.get)
        raise SystemExit(
            f"error: training needs about {needed / 1e9:.1f} GB of GPU memory and {free / 1e9:.1f} GB are free; the "
            f"{largest} need most of it: change {KEYS[largest]}, or use a larger GPU"
        )


def longest(tokenizer, chats):
    """The length of the longest prompt in tokens, chat template included."""
    return max(map(len, token_ids(tokenizer, chats)))


def require_memory(model, settings, prompt_tokens, shared_weights):
    """Stop before a model is loaded if there is no GPU or too little memory on it; a CPU run passes."""
    import torch

    if settings["grpo"]["use_cpu"]:
        return
    if not torch.cuda.is_available():
        raise SystemExit(
            "error: this run needs an NVIDIA GPU and PyTorch finds none: check nvidia-smi, or use the default run, "
            "which needs none"
        )
    if settings["dtype"] == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise SystemExit(
            "error: this GPU does not support bfloat16: set train.dtype and eval.dtype to float16, train.grpo.bf16 to "
            "false and train.grpo.fp16 to true"
        )
    free, total = torch.cuda.mem_get_info()
    require_fit(estimate(model, settings, prompt_tokens, total, shared_weights), free)


def peak():
    """`{gpu, peak_bytes}`: the GPU's name and the most memory that PyTorch reserved on it; both None without a GPU."""
    import torch

    if not torch.cuda.is_initialized():
        return {"gpu": None, "peak_bytes": None}
    measured = torch.cuda.max_memory_reserved()
    print(f"GPU memory, measured peak: {measured / 1e9:.2f} GB")
    return {"gpu": torch.cuda.get_device_name(), "peak_bytes": measured}
