"""Presets hold only differences from the default, and GPU presets differ only in what their models need."""

import re
from pathlib import Path

import pytest
import yaml
from answers import number
from reasoning.answer import extract_strict
from reasoning.overrides import merged as overlaid
from reasoning.training import worked_solutions
from trainers.sft import require_right

FILES = sorted(Path("config").glob("*.yaml"))
PRESETS = {path.stem: yaml.safe_load(path.read_text()) for path in FILES}
DEFAULT = PRESETS.pop("config")

# What a GPU preset may have otherwise than the others: what its model or a T4 needs. Top-level values (the run's name,
# its environment) and section `model` always differ.
MAY_DIFFER = {
    "prompt.system",
    "prompt.answer",
    "prompt.prefill",
    "prompt.chat_template_kwargs.enable_thinking",
    "prompt.format",
    "train.solution",
    "train.dtype",
    "train.load_in_4bit",
    "train.lora.r",
    "train.lora.lora_alpha",
    "train.grpo.bf16",
    "train.grpo.fp16",
    "train.grpo.max_steps",
    "train.grpo.per_device_train_batch_size",
    "train.grpo.gradient_accumulation_steps",
    "train.grpo.learning_rate",
    "train.grpo.optim",
    "train.grpo.vllm_gpu_memory_utilization",
    "eval.batch_invariant",
    "eval.dtype",
    "eval.engine.quantization",
    # The vendor's protocol, its number, and the number to beat.
    "tasks.gsm8k.published.trained.score",
    "tasks.gsm8k.published.trained.source",
    "tasks.gsm8k_vendor.prompt.system",
    "tasks.gsm8k_vendor.prompt.examples",
    "tasks.gsm8k_vendor.prompt.answer",
    "tasks.gsm8k_vendor.prompt.format",
    "tasks.gsm8k_vendor.eval.sampling.max_new_tokens",
    "tasks.gsm8k_vendor.published.base.score",
    "tasks.gsm8k_vendor.published.base.source",
}
OWN = ("model.", "resources.")
# What each is to beat: verl's GRPO with LoRA for 1.5B, else the vendor's score of the base model. Qwen3's
# has stated none.
VENDOR = {"qwen2.5-1.5b": 0.732, "qwen2.5-3b": 0.867, "qwen2.5-math-7b": 0.952, "llama-3.1-8b": 0.845}
VENDOR |= {"llama-3.2-1b": 0.444}
TO_BEAT = VENDOR | {"qwen2.5-1.5b": 0.779}


def flat(settings, prefix=""):
    """`{"train.lora.r": 16, …}`: every value by its path, except non-empty mappings."""
    found = {}
    for key, value in settings.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {prefix + key: value}
    return found


def shared(settings):
    """The sections that GPU presets share: all except `model` and what it asks of a cluster, with the tasks by name."""
    resolved = flat(DEFAULT) | flat(settings)
    return {key: value for key, value in resolved.items() if "." in key and not key.startswith(OWN)} | {
        key: resolved[key] for key in ("task", "evaluate_on")
    }


@pytest.mark.parametrize("name", PRESETS)
def test_presets_say_only_what_differs(name):
    """Arms aside, of which an overlay states all, and the name of the run, to which an overlay may add."""
    own = ("arms.", "controls.arms.")
    default = {key: value for key, value in flat(DEFAULT).items() if key not in ("arm", "run")}
    default = {key: value for key, value in default.items() if not key.startswith(own)}
    repeated = [key for key, value in flat(PRESETS[name]).items() if key in default and default[key] == value]
    assert not repeated, f"config/{name}.yaml repeats the default: remove {', '.join(repeated)}"


def test_gpu_presets_are_one_recipe():
    on_gpu = {name: shared(preset) for name, preset in PRESETS.items() if not shared(preset)["train.grpo.use_cpu"]}
    assert len(on_gpu) >= 3
    keys = set().union(*on_gpu.values())
    differ = {key for key in keys if any(values.get(key) != on_gpu[min(on_gpu)].get(key) for values in on_gpu.values())}
    assert differ == MAY_DIFFER


ON_GPU = [name for name, preset in PRESETS.items() if not shared(preset)["train.grpo.use_cpu"]]


@pytest.mark.parametrize("name", ON_GPU)
def test_steps_of_sixteen_prompts(name):
    """Of 8 completions each, whatever fits on the card at once."""
    values = shared(PRESETS[name])
    completions = values["train.grpo.per_device_train_batch_size"] * values["train.grpo.gradient_accumulation_steps"]
    assert completions == 16 * values["train.grpo.num_generations"] == 128


@pytest.mark.parametrize("name", ON_GPU)
def test_number_formats(name):
    """A T4 has no bfloat16 and no batch-invariant kernels; training and evaluation have one format."""
    values, t4 = shared(PRESETS[name]), PRESETS[name]["environment"] == "t4"
    assert t4 == name.endswith("-t4")
    assert values["train.dtype"] == values["eval.dtype"] == ("float16" if t4 else "bfloat16")
    assert (values.get("train.grpo.fp16", False), values["train.grpo.bf16"]) == (t4, not t4)
    assert values.get("eval.batch_invariant", False) is not t4


@pytest.mark.parametrize("name", ON_GPU)
def test_profile(name):
    """A preset's profile is the one of all images with the preset."""
    profiles = {
        folder: yaml.safe_load(Path("profiles", folder, "config.yaml").read_text()) for folder in ("apptainer", name)
    }
    assert profiles[name] == profiles["apptainer"] | {"configfile": [f"config/{name}.yaml"]}


@pytest.mark.parametrize("name", ON_GPU)
def test_published_numbers(name):
    """Each base model is held to its vendor's score by the vendor's protocol, and the training to a number to beat."""
    config, model = PRESETS[name], name.removesuffix("-t4")
    assert config["baselines"] == ["gsm8k_vendor"]
    published = {task: settings.get("published") for task, settings in config["tasks"].items()}
    if model == "qwen3-0.6b":
        assert published == {"gsm8k_vendor": None}
        return
    assert published["gsm8k_vendor"]["base"]["score"] == VENDOR[model]
    assert published["gsm8k"]["trained"]["score"] == TO_BEAT[model]


def test_the_vendor_asks_the_same_problems():
    """From the same pinned source, with the same digest and number."""
    ours, vendor = DEFAULT["tasks"]["gsm8k"], DEFAULT["tasks"]["gsm8k_vendor"]
    assert ours["source"] == vendor["source"] and ours["sha256"]["test"] == vendor["sha256"]["test"]
    assert ours["size"]["test"] == vendor["size"]["test"] == 1319


PROBLEM = {
    "id": "train-0",
    "prompt": [{"role": "user", "content": "3 * 4 - 2?"}],
    "answer": "10",
    "solution": "3 * 4 = 12\n12 - 2 = 10",
}


@pytest.mark.parametrize("name", ["default", *PRESETS])
def test_worked_solutions_are_right_completions(name):
    """So that an arm with supervised fine-tuning works on each: in the right format, and with the prefill."""
    config = overlaid(DEFAULT, PRESETS.get(name, {}))
    prompt, demonstrations = config["prompt"], worked_solutions([PROBLEM], config["train"]["solution"])
    require_right(demonstrations, prompt, number)
    assert re.fullmatch(prompt["format"], demonstrations[0]["completion"], re.DOTALL)
    assert all(step in demonstrations[0]["completion"] for step in PROBLEM["solution"].splitlines())


@pytest.mark.parametrize(
    "completion",
    [
        "It is 7 - 25 = -18. The final answer is -18",
        r"The final answer is: $\boxed{-18}$.",
        "The final answer is $-18.",
    ],
)
@pytest.mark.parametrize("name", ["llama-3.1-8b", "llama-3.2-1b"])
def test_the_answer_of_llama(name, completion):
    pattern = PRESETS[name]["tasks"]["gsm8k_vendor"]["prompt"]["answer"]
    assert extract_strict(completion, pattern) == "-18"


@pytest.mark.parametrize("name", ["llama-3.1-8b", "llama-3.2-1b"])
def test_worked_examples_answer_themselves(name):
    prompt = PRESETS[name]["tasks"]["gsm8k_vendor"]["prompt"]
    assert len(prompt["examples"]) == 8
    for example in prompt["examples"]:
        assert extract_strict(example["completion"], prompt["answer"]) is not None
        assert re.fullmatch(prompt["format"], example["completion"], re.DOTALL)
