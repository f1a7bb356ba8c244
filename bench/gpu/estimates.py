"""What a preset's run should take on its card, before anything was measured: python bench/gpu/estimates.py

Times are bounds of the card's data sheet divided by the efficiencies below, which are assumptions. Memory is the
estimate of scripts/backends/gpu_memory.py. `first_hour.py` measures both and puts them side by side.
"""

import json
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
# Peak of the tensor cores in 16 bit (FLOP/s, dense) and memory bandwidth (bytes/s) by NVIDIA's data sheets, and memory.
CARDS = {
    "T4": {"flops": 65e12, "bandwidth": 320e9, "bytes": 15.6e9},
    "A10G": {"flops": 70e12, "bandwidth": 600e9, "bytes": 24.0e9},
    "A100-40GB": {"flops": 312e12, "bandwidth": 1555e9, "bytes": 42.4e9},
}
# The smallest common card that a preset's estimate fits on.
CARD = {
    "qwen2.5-1.5b": "A10G",
    "qwen2.5-math-7b": "A100-40GB",
    "llama-3.1-8b": "A100-40GB",
    "llama-3.2-1b": "A10G",
    "qwen3-0.6b": "A10G",
    "qwen2.5-1.5b-t4": "T4",
    "qwen2.5-3b-t4": "T4",
    "qwen2.5-math-7b-t4": "T4",
}
# Assumptions: the share of the peaks that is reached, tokens of a prompt and of a completion on average, the longest
# completion of a step in which a few are truncated, and what a decoding step costs besides reading the weights.
COMPUTE, READING = 0.25, 0.5
PROMPT_TOKENS, COMPLETION_TOKENS, STEP_SECONDS = 150, 220, 0.010
# A pass over one token costs 2 FLOP a weight. With frozen weights and recomputed activations training takes three:
# forward, again, and backward to the activations.
PASSES = 3


def shapes():
    """The presets' models, `{preset: fields of their config}`."""
    return yaml.safe_load(Path(__file__).with_name("shapes.yaml").read_text())


def overlaid(base, *overlays):
    """`base` with the overlays merged into it, as Snakemake merges configs."""
    for overlay in overlays:
        base = base | {k: overlaid(base[k], v) if isinstance(v, dict) and k in base else v for k, v in overlay.items()}
    return base


def config(*names):
    """The default config with the named overlays of config/."""
    return overlaid(*(yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()) for name in ("config", *names)))


def parameters(shape):
    """The number of weights of a model of `shape`."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**shape))
    return sum(p.numel() for p in model.parameters())


def times(preset, weights):
    """`{rollouts, training, step, train, evaluate}` in seconds: parts of a step, a step, and the stages."""
    settings, card = config(preset), CARDS[CARD[preset]]
    grpo = settings["train"]["grpo"]
    completions = grpo["per_device_train_batch_size"] * grpo["gradient_accumulation_steps"]
    width = 0.55 if settings["train"].get("load_in_4bit") else 2
    token_step = weights * width / (card["bandwidth"] * READING) + STEP_SECONDS
    limit, tokens = grpo["max_completion_length"], PROMPT_TOKENS + COMPLETION_TOKENS
    compute = 2 * weights / (card["flops"] * COMPUTE)
    rollouts = max(limit * token_step, completions * tokens * compute)
    training = PASSES * completions * tokens * compute
    problems, together = settings["tasks"]["gsm8k"]["size"]["test"], settings["eval"]["batch_size"]
    batches = -(-problems // together)
    evaluate = max(batches * limit * token_step, problems * tokens * compute)
    step = rollouts + training
    return {
        "rollouts": rollouts,
        "training": training,
        "step": step,
        "train": step * grpo["max_steps"],
        "evaluate": evaluate,
    }


def memory(preset, shape):
    """The peak of GPU memory in bytes by the package's own estimate, for the longest prompts of GSM8K."""
    from backends.gpu_memory import estimate

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(json.dumps(shape))
        train = config(preset)["train"]
        parts = estimate(folder, train, LONGEST_PROMPT, CARDS[CARD[preset]]["bytes"], train["backend"] == "unsloth")
    return sum(parts.values())


LONGEST_PROMPT = 300  # tokens, system turn included; a run counts its own


def rows():
    """`{preset: {card, weights, bytes, times…}}`."""
    found = {}
    for preset, shape in shapes().items():
        weights = parameters(shape)
        found[preset] = {"card": CARD[preset], "weights": weights, "bytes": memory(preset, shape)} | times(
            preset, weights
        )
    return found


def table():
    """The estimates as a table in Markdown."""
    lines = ["| preset | card | GPU memory | a step | training | an evaluation |", "|---|---|---|---|---|---|"]
    for preset, row in rows().items():
        lines.append(
            f"| `{preset}` | {row['card']} | {row['bytes'] / 1e9:.1f} GB | {row['step']:.0f} s | "
            f"{row['train'] / 3600:.1f} h | {row['evaluate'] / 60:.0f} min |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "scripts"))
    print(table())
