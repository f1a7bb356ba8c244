"""A run that was killed at any moment goes on where it was, and ends in the same results.

One moment by default, and 30 with THOROUGH=1.
"""

import hashlib
import os
import random
import re
import signal
import subprocess
import time

import pytest

KILLS = 30 if os.environ.get("THOROUGH") else 1
COMMAND = ["snakemake", "--cores", "2", "--configfile", "tiny.yaml"]


def results(checkout):
    """The digests of what a run is cited for."""
    names = ["results.json", "adapters/grpo-seed0/adapter_model.safetensors", "training/grpo-seed0/history.csv"]
    return {name: hashlib.sha256((checkout.folder / "results/tiny" / name).read_bytes()).hexdigest() for name in names}


def trained(checkout):
    """How many steps the last call of the training took."""
    log = checkout.folder / "logs/tiny/train/grpo-seed0.log"
    return len(re.findall(r"^\{'loss'", log.read_text(), re.MULTILINE)) if log.exists() else 0


def left_completions(checkout):
    """How many completions the evaluations have left behind, `{file: completions}`."""
    from stage.resume import left_behind

    folder = checkout.folder / "results/tiny/checkpoints/evaluate"
    return {path: sum(map(len, left_behind(path))) for path in folder.rglob("*.jsonl")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_model):
    """A checkout with an uninterrupted run, a copy from before it, and how long it took."""
    from conftest import Checkout

    checkout = Checkout(tmp_path_factory.mktemp("whole") / "checkout", tiny_model)
    checkout.settings["train"]["grpo"]["max_steps"] = 12
    checkout.settings["checkpoints"] = {"steps": 2, "minutes": 0}
    sampling = {"max_new_tokens": 8, "do_sample": True}
    checkout.settings["eval"] |= {"batch_size": 2, "draws": {"n": 3, "sampling": sampling}}
    checkout.write()
    before = checkout.copy(checkout.folder.parent / "before")
    start = time.monotonic()
    process = checkout.snakemake()
    assert process.returncode == 0, process.stdout + process.stderr
    checkout.before, checkout.seconds = before, time.monotonic() - start
    assert trained(checkout) == 12
    assert not (checkout.folder / "results/tiny/checkpoints").exists()
    return checkout


@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_at_any_moment(whole, tmp_path, seed):
    checkout = whole.before.copy(tmp_path / "checkout")
    process = subprocess.Popen(
        COMMAND, cwd=checkout.folder, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(random.Random(seed).uniform(0, whole.seconds))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    steps, left = trained(checkout), left_completions(checkout)
    second = checkout.snakemake()
    output = second.stdout + second.stderr
    assert second.returncode == 0, output
    assert results(checkout) == results(whole)
    again = trained(checkout) if "Train grpo" in output else 0
    assert steps + again < 2 * 12
    for path, count in left.items():
        name = path.relative_to(checkout.folder / "results/tiny/checkpoints/evaluate").parts[1]
        if count and f"Evaluate {name} on" in output:  # else its job was complete
            assert f"evaluate {name} on word_problems: resumes after {count} of" in output
    print(f"killed after {steps} steps and {sum(left.values())} completions; {again} more steps")


def test_killed_evaluation(whole, tmp_path):
    """As soon as some batches are complete, kill it: the next call samples the others only."""
    metrics = "results/tiny/eval/word_problems/base/metrics.json"
    checkout = whole.before.copy(tmp_path / "checkout")
    assert checkout.snakemake("--", "results/tiny/models/base").returncode == 0
    process = subprocess.Popen(
        [*COMMAND, "--", metrics],
        cwd=checkout.folder,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while sum(left_completions(checkout).values()) < 20 + 4:  # of 20 greedy ones and 60 drawn at random
        assert process.poll() is None, "the evaluation ended before it could be killed"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    left = left_completions(checkout)
    second = checkout.snakemake("--", metrics)
    output = second.stdout + second.stderr
    assert second.returncode == 0, output
    for path, count in left.items():
        total = 20 if path.name == "sampling.jsonl" else 60
        assert f"evaluate base on word_problems: resumes after {count} of {total} completions" in output
    for name in ("metrics.json", "samples.jsonl"):
        found = [(each.folder / metrics).with_name(name).read_bytes() for each in (checkout, whole)]
        assert found[0] == found[1]
