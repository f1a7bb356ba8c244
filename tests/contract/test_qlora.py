"""GRPO on a 4-bit base model, by bitsandbytes on a CPU: trained, merged into the full base, and how far off that is.

Needs the environment of envs/contract.txt: .ci/run makes it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "config/config.yaml").read_text())
PROMPT = json.dumps(CONFIG["prompt"] | {"examples": [], "format": "[^a-e]*"})
TRAIN = CONFIG["train"] | {
    "load_in_4bit": True,
    "lora": CONFIG["train"]["lora"] | {"r": 4, "layers_to_transform": None},
    "grpo": CONFIG["train"]["grpo"]
    | {
        "max_steps": 2,
        "num_generations": 4,
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 1,
        "optim": "paged_adamw_8bit",
    },
}


def script(name, *arguments):
    """Run a script of the package, its arguments given by name."""
    environment = os.environ | {"TRITON_INTERPRET": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, f"scripts/{name}.py", *map(str, arguments)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert process.returncode == 0, (process.stdout + process.stderr)[-3000:]


@pytest.fixture(scope="module")
def problems(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "train.jsonl"
    records = [
        {"id": str(n), "prompt": [{"role": "user", "content": f"{n} + 1"}], "answer": str(n + 1), "steps": []}
        for n in range(12)
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture(scope="module")
def adapter(problems, tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters") / "grpo-seed0"
    rewards = json.dumps({"accuracy": 1.0, "format": 1.0, "steps": 0.0, "random": 0.0})
    given = ("--settings", json.dumps(TRAIN), "--rewards", rewards, "--prompt", PROMPT, "--seed", 0)
    script("train_grpo", *given, "--source", "tiny", "--model", tiny_model, "--data", problems, "--adapter", folder)
    return folder


def test_optimizer_is_what_was_asked_for(adapter):
    assert json.loads((adapter / "effective.json").read_text())["optim"] == "paged_adamw_8bit"


def test_merge_states_the_distance_to_what_was_trained(adapter, problems, tiny_model, tmp_path):
    merged, report = tmp_path / "merged", tmp_path / "report.json"
    script("merge_lora", "--model", tiny_model, "--adapter", adapter, "--merged", merged)
    settings = json.dumps({"threads": 2, "items": 12, "atol": 0.001})
    given = ("--settings", settings, "--train", json.dumps(TRAIN), "--prompt", PROMPT, "--data", problems)
    script("check_merge", *given, "--model", tiny_model, "--adapter", adapter, "--merged", merged, "--report", report)
    found = json.loads(report.read_text())
    assert found["agreement"] == 1.0 and found["max_logit_difference"] < 1e-3
    # A 4-bit base is another model than the full one that the adapter is merged into.
    assert found["four_bit_base"]["max_logit_difference"] > 10 * found["max_logit_difference"]
