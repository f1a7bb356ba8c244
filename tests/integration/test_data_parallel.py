"""Two processes that share each batch, or also the model, train what one process trains, up to the order of sums."""

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
# Accelerate divides a model among GPUs alone, and silently not among processes on a CPU. PyTorch does both.
SHARDED = """
import torch.distributed.fsdp
from accelerate.state import AcceleratorState, DistributedType, PartialState

original = AcceleratorState.__init__


def start(self, *args, fsdp_plugin=None, **options):
    original(self, *args, fsdp_plugin=fsdp_plugin, **options)
    if fsdp_plugin is not None and self.distributed_type == DistributedType.MULTI_CPU:
        PartialState._shared_state["distributed_type"] = self.distributed_type = DistributedType.FSDP
        self.fsdp_plugin = fsdp_plugin


AcceleratorState.__init__ = start
divide = torch.distributed.fsdp.fully_shard


def fully_shard(module, **options):
    with open(f"divided-by-{RANK}", "a") as file:
        file.write(f"{type(module).__name__}\\n")
    return divide(module, **options)


torch.distributed.fsdp.fully_shard = fully_shard
"""
LOGGED = ("loss", "reward", "reward_std", "entropy", "grad_norm", "completions/mean_length", "num_tokens")


def train(folder, finished, processes, batch, code=REWARD, **grpo):
    """Train in a folder of its own; returns the adapter's tensors and the history's rows."""
    from safetensors.torch import load_file

    folder.mkdir()
    (folder / "rowwise.py").write_text(code)
    config = json.loads((finished.folder / "results/tiny/config.json").read_text())
    settings = config["train"] | {"threads": 1, "processes": processes}
    changes = {"max_steps": 3, "per_device_train_batch_size": batch, "gradient_accumulation_steps": 1}
    settings["grpo"] = settings["grpo"] | changes | grpo
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


def same(trained, expected):
    """Whether two trainings are the same, to 1e-6, while training has moved the adapter by 1e-3."""
    (adapter, history), (wanted, rows) = trained, expected
    assert adapter.keys() == wanted.keys()
    assert max(float(value.abs().max()) for name, value in wanted.items() if "lora_B" in name) > 5e-4
    for name, value in adapter.items():
        assert value.shape == wanted[name].shape and float((value - wanted[name]).abs().max()) < 1e-6, name
    for row, other in zip(history, rows, strict=True):
        for key in LOGGED:
            assert float(row[key]) == pytest.approx(float(other[key]), rel=1e-4, abs=1e-6), key


def test_two_processes_train_what_one_trains(one, finished, tmp_path):
    """The same rollouts, rewards and gradients."""
    same(train(tmp_path / "run", finished, 2, 4), one)


def test_two_processes_that_divide_the_model(one, finished, tmp_path):
    """By FSDP: each has half of every layer, and the adapter is saved whole."""
    same(train(tmp_path / "run", finished, 2, 4, REWARD + SHARDED, fsdp=True), one)
    for rank in (0, 1):
        divided = (tmp_path / f"run/divided-by-{rank}").read_text().split()
        assert divided.count("LlamaDecoderLayer") == 2 and divided[-1] == "PeftModelForCausalLM"
