"""What goes wrong on real machines: one clear line, no wrong number, and a rerun that recovers."""

import hashlib
import os
import shutil
import signal
import subprocess
import time

import psutil
import pytest
from conftest import Checkout

RESULTS = "results/tiny/results.json"
MODEL, SAMPLES = "results/tiny/models/grpo-seed0", "results/tiny/eval/word_problems/grpo-seed0/samples.jsonl"


def digest(checkout):
    return hashlib.sha256((checkout.folder / RESULTS).read_bytes()).hexdigest()


@pytest.fixture
def mount(tmp_path):
    """A function that mounts a file system of a size, or a read-only view of a folder, for the length of the test."""
    mounted = []

    def run(folder, *options):
        folder.mkdir(exist_ok=True)
        process = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True)
        if process.returncode:
            pytest.skip(f"cannot mount file systems here: {process.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield run
    for folder in reversed(mounted):
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


STAGES = ["evaluate", "tabulate_results"]
if os.environ.get("THOROUGH"):
    STAGES += ["format_task", "train", "merge_lora", "check_merge", "compare", "probe_contamination", "report"]


@pytest.mark.parametrize("stage", STAGES)
def test_full_disk(finished, tmp_path, mount, stage):
    """The disk fills up while a stage works: the stage says so; with space, the run ends in the same results."""
    disk = mount(tmp_path / "disk", "-t", "tmpfs", "-o", "size=300M", "tmpfs")
    checkout = finished.copy(disk / "checkout")
    rules = checkout.folder / "workflow/rules/environment.smk"
    rules.write_text(rules.read_text().replace("\nSMALL = 100e6\n", "\nSMALL = -1e9\n"))  # not found at the start
    filler = disk / "filler"
    with filler.open("wb") as file:
        file.write(b"x" * (shutil.disk_usage(disk).free - 20_000))
    process = checkout.snakemake("--forcerun", stage)
    output = process.stdout + process.stderr
    assert process.returncode == 1
    last = output.rstrip().splitlines()[-1]  # the stage's line, or Snakemake's own if it cannot keep the old output
    assert "No space left on device" in last or "free some space" in last, output
    filler.unlink()
    process = checkout.snakemake("--forcerun", stage)
    assert process.returncode == 0, process.stdout + process.stderr
    assert digest(checkout) == digest(finished)


def test_a_disk_that_is_full_at_the_start(finished, tmp_path, mount):
    disk = mount(tmp_path / "disk", "-t", "tmpfs", "-o", "size=60M", "tmpfs")
    checkout = finished.copy(disk / "checkout")
    process = checkout.snakemake("--forcerun", "compare")
    output = process.stdout + process.stderr
    assert process.returncode == 1 and "error: up to 0.1 GB are needed" in output and "Compare" not in output
    assert digest(checkout) == digest(finished)


def test_results_that_cannot_be_written(rerun, mount):
    before = digest(rerun)
    results = rerun.folder / "results/tiny/compare"
    mount(results, "--bind", str(results))
    subprocess.run(["mount", "-o", "remount,ro,bind", str(results)], check=True)
    process = rerun.snakemake("--forcerun", "compare")
    output = process.stdout + process.stderr
    assert process.returncode == 1 and digest(rerun) == before
    assert "Write-protected output files for rule compare" in output


def test_small_temporary_folder_and_read_only_home(tiny_model, tmp_path, mount, finished):
    small = mount(tmp_path / "small", "-t", "tmpfs", "-o", "size=64k", "tmpfs")
    home = mount(tmp_path / "home", "-t", "tmpfs", "-o", "size=64k,ro", "tmpfs")
    checkout = Checkout(tmp_path / "checkout", tiny_model)
    cache = str(tmp_path / "cache")  # which Snakemake itself needs
    process = checkout.snakemake(HOME=str(home), TMPDIR=str(small), XDG_CACHE_HOME=cache)
    assert process.returncode == 0, process.stdout + process.stderr
    assert digest(checkout) == digest(finished)


def test_a_job_that_is_killed(rerun):
    """As by the kernel, when memory runs out."""
    command = ["snakemake", "--cores", "2", "--configfile", "tiny.yaml", "--forcerun", "evaluate"]
    process = subprocess.Popen(
        command, cwd=rerun.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    )
    stages = []
    while not stages:
        assert process.poll() is None
        time.sleep(0.02)
        stages = [p for p in psutil.Process(process.pid).children(recursive=True) if "scripts/evaluate.py" in words(p)]
    os.kill(stages[-1].pid, signal.SIGKILL)
    output, _ = process.communicate()
    last = output.rstrip().splitlines()[-1]
    assert process.returncode == 1 and last.startswith("error: evaluate was killed, or ended without a word"), output
    again = rerun.snakemake()
    assert again.returncode == 0, again.stdout + again.stderr


def words(process):
    """The command of a process, empty if it is gone."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.parametrize("years", [-20, 20])
def test_a_clock_that_was_wrong(rerun, years):
    """Files dated long ago or far ahead: contents count, not times."""
    then = time.time() + years * 365 * 86400
    for path in rerun.folder.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts:
            os.utime(path, (then, then))
    assert rerun.planned() == {}


def test_a_model_from_the_future(rerun, finished):
    """It cannot stay newer than what is made of it, or every call would make that again."""
    then = time.time() + 365 * 86400
    for path in (rerun.folder / "results/tiny/models/base").iterdir():
        os.utime(path, (then, then))
    assert rerun.snakemake().returncode == 0
    assert rerun.planned() == {} and digest(rerun) == digest(finished)


def test_a_deleted_file_of_a_finished_model(rerun):
    """The next stage that reads the model stops, and its line names the cure."""
    (rerun.folder / MODEL / "model.safetensors").unlink()
    process = rerun.snakemake("--forcerun", "evaluate")
    line = (process.stdout + process.stderr).rstrip().splitlines()[-1]
    assert process.returncode == 1 and line.startswith("error: ") and "--forcerun merge_lora" in line
    assert rerun.snakemake("--forcerun", "merge_lora").returncode == 0


def test_a_deleted_intermediate(rerun, finished):
    (rerun.folder / SAMPLES).unlink()
    process = rerun.snakemake("--forcerun", "tabulate_results")
    assert process.returncode == 0 and "Evaluate grpo-seed0 on word_problems" in process.stdout
    assert digest(rerun) == digest(finished)
