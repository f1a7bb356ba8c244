"""GRPO on a 4-bit base model with bitsandbytes on a CPU: training, merging into the full base, and their difference.

On a CPU with AVX512-BF16, bitsandbytes repacks a layer's weights the first time it runs in eval mode on an input that
needs no gradient. This requires whole blocks (64 columns, 32 rows). Afterwards, the layer passes no gradient back to
its input.

Needs the environment of envs/contract.txt: .ci/run installs it.
"""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import make_tiny_model, training_outputs

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
REWARDS = {"accuracy": 1.0, "format": 1.0, "steps": 0.0, "random": 0.0}
# Runs the script in its first argument; fails if a 4-bit layer runs in a way that packs its weights.
WATCHED = """
import runpy, sys
from bitsandbytes.nn import Linear4bit

forward = Linear4bit.forward

def watched(layer, x):
    assert layer.training or x.requires_grad, "a 4-bit layer runs in eval mode during training"
    return forward(layer, x)

Linear4bit.forward = watched
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def script(name, *arguments, program=()):
    """Run a script of the package with arguments by name; `program` holds Python's arguments before its path."""
    environment = os.environ | {"TRITON_INTERPRET": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": "scripts"}
    command = [sys.executable, *program, f"scripts/{name}.py", *map(str, arguments)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert process.returncode == 0, (process.stdout + process.stderr)[-3000:]


def train(folder, model, problems, **grpo):
    """Train with changes to `train.grpo`; returns the rows of the history."""
    settings = TRAIN | {"grpo": TRAIN["grpo"] | grpo}
    given = ("--train-config", json.dumps(settings), "--rewards-config", json.dumps(REWARDS), "--prompt-config", PROMPT)
    paths = ("--seed", 0, "--source", "tiny", "--model", model, "--data", problems, "--adapter", folder)
    script("train", *given, *paths, *training_outputs(folder.parent), program=("-c", WATCHED))
    return list(csv.DictReader((folder.parent / "history.csv").open()))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The tiny model, with the width of a block of NF4 weights."""
    folder = tmp_path_factory.mktemp("blocks")
    make_tiny_model(folder, hidden_size=64, intermediate_size=128)
    return folder


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
def adapter(problems, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters") / "grpo-seed0"
    train(folder, model, problems)
    return folder


def test_optimizer_is_what_was_asked_for(adapter):
    assert json.loads((adapter.parent / "arguments.json").read_text())["optim"] == "paged_adamw_8bit"


def test_merge_states_the_distance_to_what_was_trained(adapter, problems, model, tmp_path):
    merged, check = tmp_path / "merged", tmp_path / "grpo-seed0.json"
    settings = json.dumps({"threads": 2, "problems": 12})
    script("merge_lora", "--merge-config", settings, "--model", model, "--adapter", adapter, "--merged", merged)
    given = (
        "--merge-config",
        settings,
        "--train-config",
        json.dumps(TRAIN),
        "--prompt-config",
        PROMPT,
        "--data",
        problems,
    )
    script("check_merge", *given, "--model", model, "--adapter", adapter, "--merged", merged, "--check", check)
    found = json.loads(check.read_text())
    assert found["agreement"] == 1.0 and found["max_logit_difference"] < 1e-3
    # The 4-bit base differs from the full base that the adapter is merged into.
    assert found["four_bit_base"]["max_logit_difference"] > 10 * found["max_logit_difference"]


@pytest.mark.parametrize("grpo", [{}, {"beta": 0.04, "num_iterations": 2}, {"gradient_checkpointing": True}])
def test_training_keeps_its_gradient(grpo, problems, model, tmp_path):
    """No forward pass during training, with or without gradient, would pack the weights."""
    rows = train(tmp_path / "adapter", model, problems, **grpo)
    assert all(float(row["grad_norm"]) > 0 for row in rows), rows


@pytest.mark.parametrize("mended", [False, True])
def test_what_a_forward_in_eval_mode_costs(mended):
    """On a CPU with AVX512-BF16, a packed layer passes no gradient back, but an `unpacked` one does.

    If this fails because bitsandbytes was fixed, remove `unpacked` and `WATCHED`.
    """
    import torch
    from backends.quantisation import unpacked
    from bitsandbytes.functional import has_avx512bf16
    from bitsandbytes.nn import Linear4bit

    layer = Linear4bit(64, 64, bias=False, compute_dtype=torch.float32, quant_type="nf4").to("cpu")
    layer = unpacked(layer) if mended else layer

    def gradient():
        x = torch.ones(2, 64, requires_grad=True)
        layer.train()(x).sum().backward()
        return 0.0 if x.grad is None else x.grad.norm().item()

    before = gradient()
    layer.eval()(torch.ones(2, 64))
    assert before > 0 and gradient() == (0 if has_avx512bf16() and not mended else before)
