"""What a preset's run should take on its card, before anything was measured: python bench/gpu/estimates.py

With --resources, what its jobs ask a cluster for, which the presets state.

Times are bounds of the card's data sheet divided by the efficiencies below, which are assumptions. Memory is the
estimate of scripts/backends/gpu_memory.py. `first_hour.py` measures both and puts them side by side.
"""

import json
import math
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
# Allowances for a job's request to a cluster: what Python, CUDA's libraries and vLLM need of the machine's memory, how
# long loading and compiling take, and how many times the estimate a job may take before it is stopped and given more.
HOST_BYTES, START_SECONDS, MARGIN = 8e9, 1800, 2
# A GGUF file is compared on CPU cores, at so many FLOP/s.
CPU_FLOPS = 50e9


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


def longest_completion(settings):
    """The most tokens that a completion of any measured task may take."""
    sections = [settings["tasks"][task].get("eval", {}) for task in settings["evaluate_on"] + settings["baselines"]]
    limits = [section.get("sampling", {}).get("max_new_tokens", 0) for section in sections]
    return max(settings["eval"]["sampling"]["max_new_tokens"], *limits)


def requests(preset, weights):
    """Section `resources` of a preset, `{rule: {mem_mb, runtime}}` in MB and minutes, with `other` as in every run.

    Weights are in the machine's memory in 16 bit: a trainer's and vLLM's, those before and after a merge; those to be
    written as GGUF in 32 bit. A merge takes 2 GB whatever the model (bench/measure_merge.py).
    """
    settings, took, copy = config(preset), times(preset, weights), 2 * weights
    evaluate = took["evaluate"] * longest_completion(settings) / settings["train"]["grpo"]["max_completion_length"]
    compare = 2 * settings["merge"]["problems"] * PROMPT_TOKENS * 2 * weights / CPU_FLOPS
    needed = {
        "train": (HOST_BYTES + 2 * copy, took["train"]),
        "merge_lora": (2 * 2e9, 0),
        "check_merge": (HOST_BYTES + 2 * copy, 0),
        "evaluate": (HOST_BYTES + copy, evaluate),
        "probe_contamination": (HOST_BYTES + copy, evaluate),
        "export_gguf": (HOST_BYTES + 2 * copy, compare),
    }
    return {
        rule: {
            "mem_mb": 1000 * math.ceil(size / 1e9),
            "runtime": 30 * math.ceil((START_SECONDS + MARGIN * seconds) / 60 / 30),
        }
        for rule, (size, seconds) in needed.items()
    }


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


def sections():
    """The presets' sections `resources` as YAML, each under the name of its preset."""
    lines = []
    for preset, shape in shapes().items():
        asked = requests(preset, parameters(shape)).items()
        lines += [f"# config/{preset}.yaml", "resources: # asked of a cluster, by estimate: bench/gpu/estimates.py"]
        lines += [f"  {rule}: {{mem_mb: {each['mem_mb']}, runtime: {each['runtime']}}}" for rule, each in asked]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "scripts"))
    print(sections() if sys.argv[1:] == ["--resources"] else table())
