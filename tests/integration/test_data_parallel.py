"""Two processes that share each batch train what one process trains, up to the order of sums."""

import csv
import json
import subprocess
import sys

import pytest
from conftest import ROOT, training_outputs

# A reward file that also makes every row's draws its own, so that rollouts do not depend on the process of a row.
REWARD = """
import os

import torch

RANK, state = int(os.environ.get("RANK", "0")), {"seen": 0, "rows": 1, "token": 0}


def draw(probabilities, num_samples):
    state["rows"], state["token"] = len(probabilities), state["token"] + 1
    drawn = []
    for i, row in enumerate(probabilities):
        name = (state["seen"] // state["rows"], state["token"], RANK * state["rows"] + i)
        generator = torch.Generator().manual_seed(hash(name) % 2**31)
        drawn.append((row / torch.empty_like(row).exponential_(generator=generator)).argmax())
    return torch.stack(drawn)[:, None]


torch.multinomial = draw


def reward(text, tokens, problem):
    state["seen"], state["token"] = state["seen"] + 1, 0
    return sum(tokens) % 7 / 7
"""
LOGGED = ("loss", "reward", "reward_std", "entropy", "grad_norm", "completions/mean_length", "num_tokens")


def train(folder, finished, processes, batch):
    """Train in a folder of its own; returns the adapter's tensors and the history's rows."""
    from safetensors.torch import load_file

    folder.mkdir()
    (folder / "rowwise.py").write_text(REWARD)
    config = json.loads((finished.folder / "results/tiny/config.json").read_text())
    settings = config["train"] | {"threads": 1, "processes": processes}
    changes = {"max_steps": 3, "per_device_train_batch_size": batch, "gradient_accumulation_steps": 1}
    settings["grpo"] = settings["grpo"] | changes
    inputs = finished.folder / "results/tiny"
    launch = [sys.executable]
    if processes > 1:
        launch += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [
        *launch,
        ROOT / "scripts/train.py",
        *("--train-config", json.dumps(settings)),
        *("--rewards-config", json.dumps({f"{folder / 'rowwise.py'}:reward": 1.0})),
        *("--prompt-config", json.dumps(config["prompt"])),
        *("--seed", "0", "--source", "tiny"),
        *("--model", inputs / "models/base"),
        *("--data", inputs / "data/word_problems/train.jsonl"),
        *("--adapter", folder / "adapter"),
        *training_outputs(folder),
    ]
    process = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    with open(folder / "history.csv") as file:
        return load_file(folder / "adapter/adapter_model.safetensors"), list(csv.DictReader(file))


@pytest.fixture(scope="module")
def one(finished, tmp_path_factory):
    return train(tmp_path_factory.mktemp("one") / "run", finished, 1, 8)


def test_two_processes_train_what_one_trains(one, finished, tmp_path):
    """To 1e-6, where training has moved the adapter by 1e-3; the same rollouts, rewards and gradients."""
    adapter, history = train(tmp_path / "run", finished, 2, 4)
    assert adapter.keys() == one[0].keys()
    assert max(float(value.abs().max()) for name, value in one[0].items() if "lora_B" in name) > 5e-4
    for name, value in adapter.items():
        assert float((value - one[0][name]).abs().max()) < 1e-6, name
    for row, expected in zip(history, one[1], strict=True):
        for key in LOGGED:
            assert float(row[key]) == pytest.approx(float(expected[key]), rel=1e-4, abs=1e-6), key
