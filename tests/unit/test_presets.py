"""Presets hold only differences from the default, and GPU presets differ only in what their models need."""

from pathlib import Path

import pytest
import yaml

FILES = sorted(Path("config").glob("*.yaml"))
PRESETS = {path.stem: yaml.safe_load(path.read_text()) for path in FILES}
DEFAULT = PRESETS.pop("config")

# Larger models train in 4 bit and float16, as on a T4, with smaller batches and learning rates. Top-level values (the
# run's name, its environment) and section `model` always differ.
MAY_DIFFER = {
    "train.dtype",
    "train.load_in_4bit",
    "train.lora.r",
    "train.lora.lora_alpha",
    "train.grpo.bf16",
    "train.grpo.fp16",
    "train.grpo.num_generations",
    "train.grpo.per_device_train_batch_size",
    "train.grpo.gradient_accumulation_steps",
    "train.grpo.learning_rate",
    "train.grpo.optim",
    "eval.dtype",
    "eval.engine.quantization",
}


def flat(settings, prefix=""):
    """`{"train.lora.r": 16, …}`: every value by its path, except non-empty mappings."""
    found = {}
    for key, value in settings.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {prefix + key: value}
    return found


def shared(settings):
    """The sections that GPU presets share: all except `model`, with the tasks by name."""
    resolved = flat(DEFAULT) | flat(settings)
    return {key: value for key, value in resolved.items() if "." in key and not key.startswith("model.")} | {
        key: resolved[key] for key in ("task", "evaluate_on")
    }


@pytest.mark.parametrize("name", PRESETS)
def test_presets_say_only_what_differs(name):
    default = flat(DEFAULT)
    repeated = [key for key, value in flat(PRESETS[name]).items() if key in default and default[key] == value]
    assert not repeated, f"config/{name}.yaml repeats the default: remove {', '.join(repeated)}"


def test_gpu_presets_are_one_recipe():
    on_gpu = {name: shared(preset) for name, preset in PRESETS.items() if not shared(preset)["train.grpo.use_cpu"]}
    assert len(on_gpu) >= 3
    keys = set().union(*on_gpu.values())
    differ = {key for key in keys if any(values.get(key) != on_gpu[min(on_gpu)].get(key) for values in on_gpu.values())}
    assert differ == MAY_DIFFER
