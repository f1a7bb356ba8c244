"""How time and memory of the stages grow with problems, completions and seeds, measured in a copy of the repository.

    python bench/measure_growth.py [--configfile config/<run>.yaml] >growth.json      # minutes for each value on a CPU

Prints `{axis: {value: {stage: {wall_s, peak_gb}}}}` as bench/measure_run.py measures them, and the machine.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from measure_planning import clone


def problems(count, config):
    """The base model's evaluation of so many generated problems."""
    task = {"source": f"generated://word_problems?seed=0&train=40&test={count}", "size": {"train": 40, "test": count}}
    tasks = {"word_problems": task | {"dev": 8, "limit": {}, "sha256": {"train": None, "test": None}}}
    return {"tasks": tasks}, "eval/word_problems/base/metrics.json"


def completions(count, config):
    """GRPO from the base model with so many completions of each of the same number of problems in a step."""
    given = config.get("train", {}).get("grpo", {})
    each = given.get("per_device_train_batch_size", 24) // given.get("num_generations", 8) or 1  # else three problems
    grpo = {"num_generations": count, "per_device_train_batch_size": each * count, "max_steps": 4}
    return {"arms": {"grpo": {}}, "train": {"grpo": grpo}}, "adapters/grpo-seed0"


def seeds(count, config):
    """A whole run, with all its arms, with so many seeds."""
    return {"seeds": [*range(count)]}, "results.json"


AXES = {"problems": (problems, (100, 200, 400)), "completions": (completions, (4, 8, 16)), "seeds": (seeds, (1, 2, 3))}


def main(args):
    config = yaml.safe_load(args.configfile.read_text()) if args.configfile else {}
    found = {axis: {} for axis in args.axes}
    with tempfile.TemporaryDirectory() as scratch:
        folder = clone(Path(scratch))
        for axis in args.axes:
            make, values = AXES[axis]
            for value in values:
                changes, target = make(value, config)
                name = f"{axis}-{value}"
                (folder / "base.yaml").write_text(json.dumps(config))
                (folder / "change.yaml").write_text(json.dumps({"run": name, **changes}))
                measure = [sys.executable, "bench/measure_run.py", "--cores", "1"]
                given = ["--configfile", "base.yaml", "change.yaml", "--", f"results/{name}/{target}"]
                process = subprocess.run([*measure, *given], cwd=folder, stdout=subprocess.PIPE, text=True)
                if process.returncode:
                    sys.exit(f"error: {name} did not end: its output is above")
                found[axis][value] = json.loads(process.stdout)["stages"]
    machine = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2), "python": platform.python_version()}
    print(json.dumps(found | {"machine": machine}, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configfile", type=Path, help="an overlay to vary; the default run if there is none")
    parser.add_argument("--axes", nargs="+", choices=AXES, default=[*AXES], help="what to vary")
    main(parser.parse_args())
