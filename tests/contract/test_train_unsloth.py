"""Unsloth's GRPOConfig, derived from TRL's, keeps every setting of every preset, and its changes are detected.

Needs the environment of envs/contract.txt, in which Unsloth can be imported without a GPU: .ci/run installs it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PRESETS = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "config").glob("*.yaml")}
GRPO = {
    name: PRESETS["config"]["train"]["grpo"] | preset["train"]["grpo"]
    for name, preset in PRESETS.items()
    if preset.get("train", {}).get("backend") == "unsloth"
}
# vLLM is hidden, because its CPU build is incompatible with Unsloth's patches.
PROGRAM = """
import importlib.util, inspect, json, os, sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "vllm":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Hidden())
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name.split(".")[0] == "vllm" else found(name, *rest)

from unsloth import FastLanguageModel
from unsloth.models.rl import _patch_trl_rl_trainers

_patch_trl_rl_trainers("grpo_trainer")
from trl import GRPOConfig
from backends.arguments import original, stated
from train import require_requested

assert original(GRPOConfig) is not GRPOConfig
answers = []
for given in json.loads(sys.argv[1]):
    known = stated(original(GRPOConfig), given)
    asked = original(GRPOConfig)(**known).to_dict()
    try:
        require_requested(asked, GRPOConfig(**known).to_dict())
        answers.append(None)
    except SystemExit as error:
        answers.append(str(error))
signatures = [FastLanguageModel.from_pretrained, FastLanguageModel.get_peft_model]
print("FOUND", json.dumps([answers, [sorted(inspect.signature(function).parameters) for function in signatures]]))
"""


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """A function that returns, for each set of training fields, `require_requested`'s error or None."""

    def answers(*fields):
        folder = tmp_path_factory.mktemp("unsloth")
        # A CPU machine rejects bfloat16 and GPU settings.
        cpu = {"use_cpu": True, "bf16": False, "fp16": False, "report_to": [], "output_dir": str(folder / "out")}
        process = subprocess.run(
            [sys.executable, "-c", PROGRAM, json.dumps([given | cpu for given in fields])],
            cwd=folder,
            capture_output=True,
            text=True,
            env=os.environ
            | {"UNSLOTH_ALLOW_CPU": "1", "UNSLOTH_DISABLE_STATISTICS": "1", "PYTHONPATH": str(ROOT / "scripts")}
            | {"UNSLOTH_COMPILE_LOCATION": str(folder / "unsloth_compiled_cache"), "HF_HUB_OFFLINE": "1"},
        )
        assert process.returncode == 0, process.stderr[-3000:]
        (line,) = [line for line in process.stdout.splitlines() if line.startswith("FOUND ")]
        return json.loads(line.removeprefix("FOUND "))

    return answers


def test_presets_are_kept(ask):
    answers, (loading, adapting) = ask(*GRPO.values())
    assert len(GRPO) == 8 and answers == [None] * 8
    # The arguments of backends/train_unsloth.py; unknown ones would be ignored silently.
    lora = {key for preset in PRESETS.values() for key in preset.get("train", {}).get("lora", {})}
    assert {"use_exact_model_name", "max_seq_length", "load_in_4bit", "fast_inference", "max_lora_rank"} <= set(loading)
    assert {"gpu_memory_utilization", "random_state", "dtype", "model_name"} <= set(loading)
    assert {"use_gradient_checkpointing", "random_state", *lora} <= set(adapting)


REWRITES = {  # common settings, and the field that Unsloth changes unless it is set too
    "epsilon_high from None to 0.28": {"loss_type": "dapo"},
    "epsilon_high from None to 5.0": {"loss_type": "cispo"},
    "scale_rewards from 'group' to 'none'": {"loss_type": "dr_grpo"},
    "gradient_checkpointing_kwargs from None to {'use_reentrant': True}": {"loss_type": "grpo"},
}


def test_rewrites_are_seen(ask):
    answers, _ = ask(*REWRITES.values())
    for said, rewrite in zip(answers, REWRITES, strict=True):
        assert rewrite in said and "train.grpo" in said
