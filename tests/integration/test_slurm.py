"""The tiny run through Slurm: what is submitted, and how it goes on after lost jobs, time limits and kills."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from importlib.util import find_spec

import psutil
import pytest
from conftest import ROOT

IMAGES = sorted((ROOT / "containers").glob("cpu-*.sif"))
ADAPTER = "results/tiny/adapters/grpo-seed0"
HASHED = (f"{ADAPTER}/adapter_model.safetensors", "results/tiny/training/grpo-seed0/history.csv")
# One machine without a database is asked more often, and without the image, rules run in this environment.
OPTIONS = ["--profile", "profiles/slurm", "--verbose", "--slurm-status-command", "squeue"]
OPTIONS += [
    "--slurm-keep-successful-logs",
    "--slurm-init-seconds-before-status-checks",
    "1",
    "--seconds-between-status-checks",
    "1",
]
# In the image, jobs start far more slowly, so that one test has to do.
HERE = ["--software-deployment-method", "env-modules"]


def slurm_runs():
    """Whether Slurm has a node here."""
    return shutil.which("sinfo") and subprocess.run(["sinfo", "--noheader"], capture_output=True).stdout


pytestmark = pytest.mark.skipif(
    not (find_spec("snakemake_executor_plugin_slurm") and slurm_runs()),
    reason="no Slurm, or envs/slurm.txt is not installed: .ci/run installs and starts both",
)


def command(checkout, *arguments, deployment=HERE):
    return ["snakemake", "--configfile", "tiny.yaml", *OPTIONS, *deployment, *arguments], {"cwd": checkout.folder}


def call(checkout, *arguments, **deployment):
    """Run snakemake through Slurm; returns `(exit status, output)`."""
    words, where = command(checkout, *arguments, **deployment)
    process = subprocess.run(words, **where, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return process.returncode, process.stdout


def submitted(output):
    """The sbatch lines in an output, `{rule: [line, …]}`, without the command that they wrap."""
    found = {}
    for line, rule in re.findall(
        r"sbatch call: (sbatch .*?--comment '?rule_([a-z0-9_]+?)(?:_wildcards|[' ]).*?) --wrap", output
    ):
        found.setdefault(rule, []).append(line)
    return found


def jobs(checkout):
    """The ids of the Slurm jobs of a checkout that are pending or running."""
    lines = subprocess.run(["squeue", "-h", "-o", "%i|%Z"], capture_output=True, text=True, check=True).stdout.split()
    return [job for job, folder in (line.split("|", 1) for line in lines) if folder == str(checkout.folder)]


def digests(checkout):
    return {name: hashlib.sha256((checkout.folder / name).read_bytes()).hexdigest() for name in HASHED}


def resumed(checkout):
    """Whether a training in Slurm said that it goes on."""
    logs = (checkout.folder / ".snakemake/slurm_logs/rule_train").rglob("*.log")
    return any("resumes from checkpoint-" in log.read_text() for log in logs)


def trains(process, checkout):
    """Whether a process is the training of a checkout."""
    found = any(word.endswith("scripts/train.py") for word in process.info["cmdline"] or [])
    return found and process.info["cwd"] == str(checkout.folder)


def at_checkpoint(checkout, *arguments):
    """Start the training and stop it after its first complete checkpoint, lest it ends before Slurm acts on it.

    Returns the Snakemake process.
    """
    words, where = command(checkout, *arguments, "--", ADAPTER)
    log = open(checkout.folder / "output.txt", "w")
    process = subprocess.Popen(words, **where, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    while not list((checkout.folder / "results/tiny/checkpoints").rglob("checkpoint-*/complete.json")):
        assert process.poll() is None, (checkout.folder / "output.txt").read_text()
        time.sleep(0.1)
    trainings = [each for each in psutil.process_iter(["cmdline", "cwd"]) if trains(each, checkout)]
    assert trainings
    for each in trainings:
        each.send_signal(signal.SIGSTOP)
    return process


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_model):
    """A checkout with a training of many steps that ran here without Slurm, and a copy of it from before (`before`)."""
    from conftest import Checkout

    checkout = Checkout(tmp_path_factory.mktemp("slurm") / "checkout", tiny_model)
    checkout.settings["train"]["grpo"]["max_steps"] = 30
    checkout.settings["checkpoints"] = {"steps": 1, "minutes": 0}
    checkout.write()
    process = checkout.snakemake("--", "results/tiny/models/base", "results/tiny/data/word_problems/train.jsonl")
    assert process.returncode == 0, process.stdout + process.stderr
    before = checkout.copy(checkout.folder.parent / "before")
    process = checkout.snakemake("--", ADAPTER)
    assert process.returncode == 0, process.stdout + process.stderr
    checkout.before = before
    return checkout


def test_chain(whole, tmp_path):
    """A job is cancelled, the second call goes on where it was to the same bytes, and the third has nothing to do."""
    checkout = whole.before.copy(tmp_path / "checkout")
    process = at_checkpoint(checkout, "--retries", "0")
    subprocess.run(["scancel", *jobs(checkout)], check=True)
    assert process.wait(timeout=300) != 0
    assert not (checkout.folder / ADAPTER).exists()

    status, output = call(checkout)
    assert status == 0, output
    assert resumed(checkout)
    assert digests(checkout) == digests(whole)
    lines = submitted(output)
    assert {"train", "evaluate", "merge_lora", "tabulate_results", "report"} <= lines.keys()
    assert not {"download_model", "download_data"} & lines.keys()  # they need a network, which nodes may lack
    (training,) = lines["train"]
    assert " -t 60 " in training and " --mem 5000 " in training and " --cpus-per-task=2" in training
    assert all(" -t 30 " in line and " --mem 3000 " in line for line in lines["evaluate"])
    assert not [line for found in lines.values() for line in found if "gpu" in line or "gres" in line]

    status, output = call(checkout)
    assert status == 0 and "Nothing to be done" in output


def test_time_limit(whole, tmp_path):
    """A training that reaches its time limit is given more time and memory, and goes on where it was."""
    checkout = whole.before.copy(tmp_path / "checkout")
    process = at_checkpoint(checkout)
    (job,) = jobs(checkout)
    subprocess.run(["scontrol", "update", f"JobId={job}", "TimeLimit=0:01"], check=True)
    assert process.wait(timeout=500) == 0
    output = (checkout.folder / "output.txt").read_text()
    first, second = submitted(output)["train"]
    assert " -t 60 " in first and " -t 120 " in second and " --mem 10000 " in second
    assert "TIMEOUT" in output
    assert resumed(checkout)
    assert digests(checkout) == digests(whole)


def test_killed_snakemake(whole, tmp_path):
    """The same command cancels the jobs that a killed Snakemake left, and goes on where they were."""
    checkout = whole.before.copy(tmp_path / "checkout")
    process = at_checkpoint(checkout)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (left,) = jobs(checkout)
    status, output = call(checkout, "--", ADAPTER)
    assert status == 0, output
    state = subprocess.run(["scontrol", "show", "job", left], capture_output=True, text=True, check=True).stdout
    assert "JobState=CANCELLED" in state and resumed(checkout)
    assert digests(checkout) == digests(whole)


def test_gpus(checkout):
    """In a run for a GPU a job asks for the GPUs that it uses, however many a training has, and for one node."""
    checkout.settings["train"]["grpo"]["use_cpu"] = False
    checkout.settings["train"] |= {"processes": 2, "threads": 1}  # as many threads as the node has cores
    checkout.write(resources={"evaluate": {"mem_mb": 2000, "runtime": 7}})
    status, output = call(checkout, "--", "results/tiny/eval/word_problems/base/metrics.json")
    assert status == 0, output
    (line,) = submitted(output)["evaluate"]
    assert " --gpus=1" in line and " --nodes=1" in line and " -t 7 " in line and " --mem 2000 " in line
    status, output = call(checkout, "--retries", "0", "--", ADAPTER)  # which fails: the GPUs are GPUs in name
    (line,) = submitted(output)["train"]
    assert status != 0 and " --gpus=2" in line and " --nodes=1" in line, output


@pytest.mark.skipif(not (IMAGES and shutil.which("apptainer")), reason="no Apptainer or no image: .ci/run makes both")
def test_in_the_image(checkout):
    """The profile as it is: every job a Slurm job in the pinned image."""
    os.link(IMAGES[-1], checkout.folder / "containers" / IMAGES[-1].name)
    metrics = "results/tiny/eval/word_problems/base/metrics.json"
    status, output = call(checkout, "--", metrics, deployment=[])
    assert status == 0 and "evaluate" in submitted(output), output
    assert json.loads((checkout.folder / metrics).read_text())["environment"]["image"] == IMAGES[-1].name
