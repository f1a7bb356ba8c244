"""Which completions GRPO's loss leaves out, as TRL's own code weights them."""

import csv
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml
from conftest import training_outputs

BOUNDS = {"vllm_importance_sampling_clip_min": None, "vllm_importance_sampling_clip_max": 3.0}
BOUNDS["vllm_importance_sampling_correction"] = True


def shares(mode, given=BOUNDS, **batch):
    from backends.masked import unweighted

    return unweighted(batch, SimpleNamespace(vllm_importance_sampling_mode=mode, **given)).tolist()


@pytest.fixture
def batch():
    """Four completions: as sampled, one token far off, all tokens far off, and a truncated one that is masked."""
    import torch

    mask = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 1, 0], [0, 0, 0]])
    engine = torch.tensor([[-1.0, -1.0, float("nan")], [-5.0, -1.0, -9.0], [-5.0, -5.0, -9.0], [-9.0, -9.0, -9.0]])
    policy = torch.full((4, 3), -1.0)
    return {"completion_mask": mask, "old_per_token_logps": policy, "sampling_per_token_logps": engine}


def test_sequences(batch):
    assert shares("sequence_mask", **batch) == [False, True, True, True]


def test_tokens(batch):
    """A completion with a token left counts."""
    assert shares("token_mask", **batch) == [False, False, True, True]


def test_truncated_weights_leave_nothing_out(batch):
    assert shares("sequence_truncate", **batch) == [False, False, False, True]


def test_without_the_correction(batch):
    without = BOUNDS | {"vllm_importance_sampling_correction": False}
    assert shares("sequence_mask", without, **batch) == [False, False, False, True]


def test_without_vllm(batch):
    assert shares("sequence_mask", completion_mask=batch["completion_mask"]) == [False, False, False, True]


def trained(tiny_model, folder, grpo, limits):
    """The process of a training by a coin, four steps of four completions of two tokens."""
    config = yaml.safe_load(open("config/config.yaml"))
    data = folder / "train.jsonl"
    chats = [[{"role": "user", "content": f"{n} + 1"}] for n in range(8)]
    data.write_text(
        "".join(
            json.dumps({"id": str(n), "prompt": chat, "answer": "1", "steps": []}) + "\n"
            for n, chat in enumerate(chats)
        )
    )
    grpo |= {"num_generations": 4, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1, "max_steps": 4}
    limits = config["train"]["limits"] | {"tied": None, "truncated": None} | limits
    grpo = config["train"]["grpo"] | {"max_completion_length": 2} | grpo
    train = config["train"] | {"lora": {"r": 4}, "grpo": grpo, "limits": limits}
    given = {"train-config": train, "prompt-config": config["prompt"] | {"examples": [], "format": "[^a-e]*"}}
    given["rewards-config"] = {"accuracy": 0.0, "format": 0.0, "steps": 0.0, "random": 1.0}
    words = [part for name, value in given.items() for part in (f"--{name}", json.dumps(value))]
    words += ["--seed", 0, "--source", "tiny", "--model", tiny_model, "--data", data, "--adapter", folder / "adapter"]
    command = [sys.executable, "scripts/train.py", *map(str, words), *training_outputs(folder)]
    return subprocess.run(command, capture_output=True, text=True)


def test_it_is_in_the_history(tiny_model, tmp_path):
    """TRL's own trainer with truncated completions masked, all of which are: the limit stops it."""
    process = trained(tiny_model, tmp_path, {"mask_truncated_completions": True}, {"steps": 2})
    assert process.returncode == 1
    assert "2 steps, completions had no weight in the loss (1, train.limits.masked is 0.5)" in process.stderr


def test_what_the_policy_has_left_behind(tiny_model, tmp_path):
    """Each batch is used twice: the first time it is the policy's own, the second time its bad half is too far off."""
    process = trained(tiny_model, tmp_path, {"off_policy_mask_threshold": 1.0e-12, "num_iterations": 2}, {})
    assert process.returncode == 0, process.stderr
    history = [float(row["masked"]) for row in csv.DictReader(open(next(tmp_path.rglob("history.csv"))))]
    assert history[0] == history[2] == 0 < min(history[1], history[3])


def test_a_loss_that_masks_nothing():
    from backends.masked import log_masked_in_loss

    trainer = SimpleNamespace(get_off_policy_mask=print, _compute_loss=lambda model, inputs: 0.0, args=None)
    log_masked_in_loss(trainer, print)
    with pytest.raises(SystemExit, match="does not read train.grpo.off_policy_mask_threshold: set it to null"):
        trainer._compute_loss(None, {})
