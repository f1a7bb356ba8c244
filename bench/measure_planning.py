"""What Snakemake costs: planning a sweep, a call with nothing to do, and a chain's time beyond that of its jobs.

    python bench/measure_planning.py [--policies 10 100 300 1000] [--finished 1 50] >planning.json

Plans sweeps of so many policies without running them, and calls finished runs of so many policies, whose outputs are
empty files that are marked as complete. `--chain` also runs the chain of an overlay in a copy of the repository, and
subtracts its jobs, which run one after another, from its time. Seconds are medians of three, on the stated machine.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]


def call(folder, *arguments):
    """`(seconds, output)` of a snakemake call that must succeed."""
    start = time.monotonic()
    process = subprocess.run(["snakemake", *arguments], cwd=folder, capture_output=True, text=True)
    seconds = time.monotonic() - start
    if process.returncode:
        sys.exit(process.stdout + process.stderr)
    return seconds, process.stdout + process.stderr


def median(folder, *arguments):
    return round(statistics.median(call(folder, *arguments)[0] for _ in range(3)), 2)


def clone(folder):
    """A copy of the repository's tracked files."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if not name.startswith("results/published") and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def overlay(folder, **settings):
    """Write settings as an overlay; returns the arguments that give it."""
    (folder / "bench.yaml").write_text(json.dumps({"run": "bench", **settings}))
    return ["--configfile", "bench.yaml"]


def planning(folder, policies):
    """Seconds to plan a sweep of so many policies, with two seeds."""
    rates = {f"v{i}": {"train": {"grpo": {"learning_rate": 1e-4 + 1e-6 * i}}} for i in range(policies // 2)}
    given = overlay(folder, seeds=[0, 1], arms={"grpo": {}}, sweep={"rate": rates})
    return median(folder, "--dry-run", "--quiet", "all", *given, "--", "sweep")


def nothing_to_do(folder, policies):
    """Seconds of a call on a finished run of so many policies."""
    own = {"keep": {"merged_models": True}, "model": {"disk_gb": 0.001}, "arms": {"grpo": {}}}
    given = overlay(folder, seeds=[*range(policies)], **own)
    _, listing = call(folder, "--summary", "--workflow-profile", "none", *given, "--", "all")
    for line in listing.splitlines():
        path = folder / line.partition("\t")[0]
        if line.startswith("results/"):
            path.parent.mkdir(parents=True, exist_ok=True)
            folders = path.parent.name in ("models", "adapters", "hub") and not path.suffix
            path.mkdir(exist_ok=True) if folders else path.touch()
    call(folder, "--cores", "1", "--touch", *given)
    seconds, output = call(folder, "--cores", "1", *given)
    if "Nothing to be done" not in output:
        sys.exit(output)
    found = median(folder, "--cores", "1", *given)
    shutil.rmtree(folder / "results/bench")
    shutil.rmtree(folder / ".snakemake")
    return found


def chain(folder, configfile):
    """Seconds of a run, of its jobs, and the rest, per job too."""
    wall, _ = call(folder, "--cores", "1", "--configfile", configfile)
    notes = (json.loads(path.read_text()) for path in (folder / ".snakemake/metadata").rglob("*") if path.is_file())
    jobs = {note["log"][0]: note["endtime"] - note["starttime"] for note in notes}
    inside = sum(jobs.values())
    parts = {
        "wall_s": wall,
        "jobs_s": inside,
        "overhead_s": wall - inside,
        "overhead_s_per_job": (wall - inside) / len(jobs),
    }
    return {name: round(value, 2) for name, value in parts.items()} | {"jobs": len(jobs)}


def main(args):
    with tempfile.TemporaryDirectory() as scratch:
        folder = clone(Path(scratch))
        found = {
            "plan_s": {count: planning(folder, count) for count in args.policies},
            "nothing_to_do_s": {count: nothing_to_do(folder, count) for count in args.finished},
        }
        if args.chain:
            found["chain"] = chain(folder, str(args.chain.resolve()))
    machine = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2), "python": platform.python_version()}
    with open("/proc/cpuinfo") as info:
        machine["cpu"] = next((line.partition(": ")[2].strip() for line in info if line.startswith("model name")), None)
    print(json.dumps(found | {"machine": machine, "snakemake": version("snakemake")}, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", type=int, nargs="*", default=[10, 100, 300, 1000], help="sizes of planned sweeps")
    parser.add_argument("--finished", type=int, nargs="*", default=[1, 50], help="policies of the finished runs")
    parser.add_argument("--chain", type=Path, help="the overlay of a chain to run")
    main(parser.parse_args())
