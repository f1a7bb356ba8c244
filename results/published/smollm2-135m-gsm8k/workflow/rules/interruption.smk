# Interrupted runs: the jobs end with Snakemake, and the same command goes on. Jobs that a killed Snakemake cannot stop
# watch it themselves (scripts/stage/lifeline.py).
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil


def forget_killed_runs():
    """Remove the lock of a run that was killed, so that the same command goes on; a live run keeps its lock.

    A live run holds `.snakemake/run.lock`, which the system gives back when its process ends, however it ends. Jobs on
    other machines, which read this too, leave it alone.
    """
    if not workflow.is_main_process:
        return
    held = Path(".snakemake/run.lock")
    held.parent.mkdir(exist_ok=True)
    file = held.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    shutil.rmtree(".snakemake/locks", ignore_errors=True)
    forget_killed_runs.held = file  # open as long as this process lives


def correct_times():
    """Date results from the future, made while the clock was wrong, to now: what is made of them would stay older."""
    now = time.time()
    for path in Path(place("<results>")).rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a job at work moves its files
            if path.lstat().st_mtime > now:
                os.utime(path, (now, now), follow_symlinks=False)


def left_jobs():
    """The Slurm jobs of this folder, by id. The executor names a job's rule in its comment."""
    listing = ["squeue", "--me", "--noheader", "--format", "%i|%Z|%k"]
    lines = subprocess.run(listing, capture_output=True, text=True).stdout.splitlines()
    found = [line.split("|", 2) for line in lines]
    return [job for job, folder, comment in found if folder == os.getcwd() and comment.startswith("rule_")]


def cancel_left_jobs():
    """Cancel the Slurm jobs that a killed run left, and wait for their end: they would write what the new ones write.

    This run holds the folder's lock, so all jobs that are there before its first are of earlier runs.
    """
    if workflow.local_exec or not shutil.which("squeue"):
        return
    for _ in range(60):
        if not (left := left_jobs()):
            break
        subprocess.run(["scancel", *left])
        time.sleep(1)


def drop_checkpoints():
    """After a complete run: remove its jobs' checkpoints. A job that did so might be killed before its end is noted."""
    for job in workflow.dag.jobs:
        if "checkpoints" in job.params.keys() and os.path.exists(job.params.checkpoints):
            shutil.rmtree(job.params.checkpoints)
            with contextlib.suppress(OSError):
                os.removedirs(os.path.dirname(job.params.checkpoints))


def end_jobs_on_signals():
    """End the running jobs at SIGINT and SIGTERM, after which Snakemake alone would wait for them to finish."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if not callable(signal.getsignal(number)):
            continue  # ignored, as a shell without job control has it for what it starts in the background

        def end(received, frame, then=signal.getsignal(number)):
            for process in psutil.Process().children(recursive=True):
                try:
                    process.terminate()
                except psutil.NoSuchProcess:
                    continue
            then(received, frame)

        signal.signal(number, end)
