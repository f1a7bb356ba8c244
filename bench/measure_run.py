"""Wall time and peak memory of every stage of a run: `python bench/measure_run.py [snakemake arguments]`.

Runs every job that is still missing (use a fresh clone for a whole run), samples the memory of the stages four times a
second and prints one JSON object. The default run should take at most 600 s on two idle cores with AVX-512, and 8 GB
per process.
"""

import json
import re
import subprocess
import sys
import time

import psutil

STAGE = re.compile(r"scripts/(\w+)\.py$")


def stage_of(process):
    """ "<rule> <policy>" of a process that runs a stage's script, else None."""
    command = process.cmdline()
    rule = next((match[1] for word in command[:2] if (match := STAGE.search(word))), None)
    written = r"--(?:metrics|merged|package|adapter|check|comparison)"
    policy = re.search(written + r" \S*?(base|\w+-seed\d+)", " ".join(command))
    return rule and f"{rule} {policy[1] if policy else ''}".strip()


def main(arguments):
    stages, start = {}, time.monotonic()
    run = subprocess.Popen(["snakemake", *(arguments or ["--cores", "1"])], stdout=sys.stderr)
    while run.poll() is None:
        for process in psutil.Process(run.pid).children(recursive=True):
            try:
                if stage := stage_of(process):
                    seen = stages.setdefault(stage, {"start": process.create_time(), "peak_gb": 0.0})
                    seen["peak_gb"] = max(seen["peak_gb"], process.memory_info().rss / 1e9)
                    seen["wall_s"] = time.time() - seen["start"]
            except psutil.Error:  # the process has just ended
                continue
        time.sleep(0.25)
    rows = {
        stage: {"wall_s": round(seen["wall_s"], 1), "peak_gb": round(seen["peak_gb"], 2)}
        for stage, seen in stages.items()
    }
    total = {
        "wall_s": round(time.monotonic() - start, 1),
        "peak_gb": max((r["peak_gb"] for r in rows.values()), default=0),
    }
    print(json.dumps({"stages": rows, "total": total, "returncode": run.returncode}, indent=2))
    return run.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
