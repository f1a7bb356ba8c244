"""GRPO with rollouts from vLLM in the same process, on a CPU: vLLM gets the policy's weights after every step.

Needs the environment of envs/contract.txt: .ci/run installs it.
"""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas
import yaml
from conftest import training_outputs

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "config/config.yaml").read_text())
# vLLM for CPUs packs its weights after loading and then cannot update them; this keeps them unpacked.
PROGRAM = """
import torch
import vllm.model_executor.layers.utils as utils

def plain(layer, remove_weight):
    layer.cpu_linear = torch.nn.functional.linear

utils.dispatch_cpu_unquantized_gemm = plain
import runpy
runpy.run_path("scripts/train.py", run_name="__main__")
"""


STEPS = 3


def train(folder, model, seed):
    """Train with vLLM's rollouts in a folder; returns the history's rows, and the completions of the first step."""
    folder.mkdir()
    data, adapter = folder / "train.jsonl", folder / "adapter"
    chats = [[{"role": "user", "content": f"{n} + 1"}] for n in range(12)]
    data.write_text("".join(json.dumps({"prompt": chat, "answer": "1", "steps": []}) + "\n" for chat in chats))
    batch = {"num_generations": 4, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1}
    # Large steps, so that an outdated copy of the weights would give different probabilities.
    rollouts = {"use_vllm": True, "temperature": 1.0, "max_steps": STEPS, "learning_rate": 0.05}
    grpo = CONFIG["train"]["grpo"] | batch | rollouts
    given = {
        "train-config": CONFIG["train"] | {"lora": {"r": 4, "lora_alpha": 32}, "grpo": grpo},
        "rewards-config": {"accuracy": 0.0, "format": 0.0, "steps": 0.0, "random": 1.0},
        "prompt-config": CONFIG["prompt"] | {"examples": [], "format": "[^a-e]*"},
    }
    arguments = [part for name, value in given.items() for part in (f"--{name}", json.dumps(value))]
    arguments += ["--seed", seed, "--source", "tiny", "--model", model, "--data", data, "--adapter", adapter]
    arguments += training_outputs(folder)
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ
        | {"TRITON_INTERPRET": "1", "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "PYTHONPATH": "scripts"},
    )
    assert process.returncode == 0, (process.stdout + process.stderr)[-4000:]
    first = sorted((adapter / "completions").iterdir())[0]
    return list(csv.DictReader((folder / "history.csv").open())), pandas.read_parquet(first)["completion"].astype(str)


def test_weights_follow(tiny_model, tmp_path):
    rows, completions = train(tmp_path / "0", tiny_model, 0)
    apart = [float(row["sampling/sampling_logp_difference/max"]) for row in rows]
    kl = [float(row["kl"]) for row in rows]
    assert min(kl) > 0.005, kl  # nats per token; with an outdated copy, log-probabilities differ by 0.1
    assert len(rows) == STEPS and max(apart) < 0.02, apart
    assert all(float(row["masked"]) == 0 < float(row["sampling/importance_sampling_ratio/min"]) for row in rows)

    # No more room than the longest prompt, of 26 tokens with the template's, and a completion need.
    stated = json.loads((tmp_path / "0/arguments.json").read_text())
    assert stated["vllm_max_model_length"] <= 40 + stated["max_completion_length"]

    # The engine seeds the process with a seed of its own, and the policies are still the same.
    _, others = train(tmp_path / "1", tiny_model, 1)
    assert len(completions) == len(others) and not {*completions} & {*others}
