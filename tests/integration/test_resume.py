"""A training that was killed goes on where it was, and ends in the same bytes."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
import yaml

ADAPTER, TRAINING = "results/tiny/adapters/grpo-seed0", "results/tiny/training/grpo-seed0"
HASHED = (f"{ADAPTER}/adapter_model.safetensors", f"{TRAINING}/history.csv", f"{TRAINING}/arguments.json")
STEPS = 12


def digests(folder):
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in HASHED}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_model):
    """A checkout with an uninterrupted training."""
    from conftest import Checkout

    checkout = Checkout(tmp_path_factory.mktemp("whole") / "checkout", tiny_model)
    checkout.settings["train"]["grpo"] |= {"max_steps": STEPS, "num_iterations": 2}
    checkout.settings["checkpoints"] = {"steps": 1, "minutes": 0}
    checkout.write()
    process = checkout.snakemake("--", "results/tiny/models/base", "results/tiny/data/word_problems/train.jsonl")
    assert process.returncode == 0, process.stdout + process.stderr
    before = checkout.copy(checkout.folder.parent / "before")
    process = checkout.snakemake("--", ADAPTER)
    assert process.returncode == 0, process.stdout + process.stderr
    checkout.before = before
    return checkout


def kill_after_checkpoint(checkout, sign=None):
    """Start the training; as soon as there is a complete checkpoint, kill it all, or send a signal to Snakemake alone.

    Returns the checkpoint.
    """
    command = ["snakemake", "--cores", "2", "--configfile", "tiny.yaml", "--", ADAPTER]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    quiet["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored if started in the background
    process = subprocess.Popen(command, cwd=checkout.folder, start_new_session=True, **quiet)
    found = []
    while not found:
        assert process.poll() is None, "the training ended before it could be killed"
        time.sleep(0.05)
        found = list((checkout.folder / "results/tiny/checkpoints").glob("*/*/*/checkpoint-*/complete.json"))
    os.killpg(process.pid, signal.SIGKILL) if sign is None else process.send_signal(sign)
    process.wait()
    return found[0].parent


def running(checkout):
    """The stages that run in a checkout."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        if process.info["cwd"] == str(checkout.folder) and any("scripts/" in w for w in process.info["cmdline"] or []):
            found.append(process)
    return found


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_stage_outlives_snakemake(whole, tmp_path, sign):
    """Whatever ends Snakemake alone, its training ends too, and the same command goes on."""
    checkout = whole.before.copy(tmp_path / "checkout")
    kill_after_checkpoint(checkout, sign)
    gone, alive = psutil.wait_procs(running(checkout), timeout=60)
    assert not alive
    process = checkout.snakemake("--", ADAPTER)
    assert process.returncode == 0 and "resumes from" in process.stdout + process.stderr
    assert digests(checkout.folder) == digests(whole.folder)


def test_two_runs_exclude_each_other(whole, tmp_path):
    """The second one leaves and says so, and the first one ends well."""
    checkout = whole.before.copy(tmp_path / "checkout")
    command = ["snakemake", "--cores", "2", "--configfile", "tiny.yaml", "--", ADAPTER]
    first = subprocess.Popen(command, cwd=checkout.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not running(checkout):
        time.sleep(0.05)
    second = checkout.snakemake("--", ADAPTER)
    assert second.returncode != 0 and "no other Snakemake process" in second.stdout + second.stderr
    assert first.wait() == 0
    assert digests(checkout.folder) == digests(whole.folder)


def test_same_bytes_after_a_kill(whole, tmp_path):
    checkout = whole.before.copy(tmp_path / "checkout")
    kill_after_checkpoint(checkout)
    process = checkout.snakemake("--", ADAPTER)
    output = process.stdout + process.stderr
    assert process.returncode == 0, output
    assert "resumes from checkpoint-" in output
    assert digests(checkout.folder) == digests(whole.folder)
    assert not (checkout.folder / "results/tiny/checkpoints").exists()
    completions = [sorted(p.name for p in (c.folder / ADAPTER / "completions").iterdir()) for c in (checkout, whole)]
    assert completions[0] == completions[1] and len(completions[0]) == STEPS


def test_a_damaged_checkpoint_falls_back(whole, tmp_path):
    from backends.checkpoints import checkpoints, latest

    checkout = whole.before.copy(tmp_path / "checkout")
    first = kill_after_checkpoint(checkout)
    folder = first.parent
    complete = [path for path in checkpoints(folder) if (path / "complete.json").exists()]
    assert latest(folder) == complete[0]
    shutil.copytree(complete[0], folder / "checkpoint-99")
    assert latest(folder) == folder / "checkpoint-99"
    weights = folder / "checkpoint-99/adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert latest(folder) == complete[0]
    process = checkout.snakemake("--", ADAPTER)
    assert process.returncode == 0 and f"resumes from {complete[0].name}" in process.stdout + process.stderr
    assert digests(checkout.folder) == digests(whole.folder)


def test_a_change_does_not_resume(whole, tmp_path):
    checkout = whole.before.copy(tmp_path / "checkout")
    kill_after_checkpoint(checkout)
    checkout.settings["train"]["grpo"]["learning_rate"] = 1e-3
    checkout.write()
    process = checkout.snakemake("--", ADAPTER)
    output = process.stdout + process.stderr
    assert process.returncode == 0 and "resumes" not in output
    assert digests(checkout.folder)[HASHED[0]] != digests(whole.folder)[HASHED[0]]


def test_how_often_may_change(whole):
    whole.write(checkpoints={"steps": 3, "minutes": 1})
    planned = whole.planned("--", ADAPTER)
    whole.write()
    assert planned == {}
    assert json.loads((whole.folder / TRAINING / "arguments.json").read_text())["save_strategy"] == "no"


def test_imitation_resumes_too(tiny_model, tmp_path):
    """Supervised fine-tuning goes on from a checkpoint in the middle, to the bytes of the uninterrupted training."""
    from conftest import ROOT, training_outputs

    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    problems = [
        {"id": f"train-{n}", "prompt": [{"role": "user", "content": f"{n} + 1"}], "answer": str(n + 1)}
        | {"steps": [str(n + 1)], "solution": f"{n} + 1 = {n + 1}"}
        for n in range(8)
    ]
    data = tmp_path / "train.jsonl"
    data.write_text("".join(json.dumps(problem) + "\n" for problem in problems))
    train = config["train"] | {"trainer": "sft", "lora": {"r": 4}}
    train["problems"] |= {"shuffle": True}
    train["sft"] |= {"max_steps": 4, "per_device_train_batch_size": 3}
    given = {"train-config": json.dumps(train), "rewards-config": "{}", "prompt-config": json.dumps(config["prompt"])}
    given |= {"seed": "0", "source": "tiny", "model": str(tiny_model), "data": str(data)}
    command = [sys.executable, str(ROOT / "scripts/train.py"), "--adapter", str(tmp_path / "adapter")]
    command += [word for name, value in given.items() for word in (f"--{name}", value)]
    command += [*training_outputs(tmp_path), "--checkpoint-steps", "1"]

    def trained():
        process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert process.returncode == 0, process.stderr[-3000:]
        files = ("adapter/adapter_model.safetensors", "adapter/demonstrations.jsonl", "history.csv", "arguments.json")
        return process.stdout, [hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in files]

    said, whole = trained()
    assert "resumes" not in said
    (last,) = tmp_path.glob("checkpoints/*/checkpoint-3")
    shutil.rmtree(last)
    said, again = trained()
    assert "resumes from checkpoint-2" in said and again == whole
