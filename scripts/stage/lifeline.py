"""A killed Snakemake cannot stop its jobs, so they watch it and end by themselves. On Linux; elsewhere none watches."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

SECONDS = 0.2  # between two looks


def status(pid):
    """`(parent, start, state)` of a process, None if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), fields[19], fields[0]


def snakemake_above():
    """The process, among those that started this one, that is Snakemake's; None if it was started by hand."""
    pid = os.getppid()
    while pid > 1 and (found := status(pid)):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:3]
        except OSError:
            return None
        if any(b"snakemake" in word.rpartition(b"/")[2] for word in words):
            return pid
        pid = found[0]
    return None


def end_with_snakemake():
    """End this process soon after the Snakemake that started it, however that ends."""
    pid = snakemake_above()
    if pid is None:
        return
    start = status(pid)[1]

    def watch():
        while (found := status(pid)) and found[1] == start and found[2] != "Z":
            time.sleep(SECONDS)
        print("error: Snakemake is gone: run the same command again to resume", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
