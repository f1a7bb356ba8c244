"""The layout of a published record."""

import gzip
import json
import re
import shutil
from pathlib import Path

from reasoning.policies import arm_of, packaged_policies
from stage.files import read_json

# Counts up when a record of this code can no longer be read by the code before it, or when a number or a text that
# `verify` recomputes is made otherwise: a record is then verified by the code that made it.
FORMAT = 4

# The run's own results are at the top, those that include its controls in a subfolder.
SCOPES = (Path(), Path("controls"))
NUMBERS = "config.json results.json table.csv table.txt table.tex numbers.tex report.html".split()
TRAINING = "history.csv arguments.json environment.json gpu_memory.json".split()
JOBS = "jobs.json"
PLAN = "plan.md"  # a copy of the page that the config names as its plan
# The record's own files and folders, which are not the output of a rule.
OWN = {"workflow", JOBS, PLAN, *"CITATION.cff provenance.json record.html".split()}
OWN |= {"ro-crate-metadata.json", "SHA256SUMS", "SHA256SUMS.sig", "README.md"}


def require_commit(record):
    """Stop if what a record names as its commit is none: git would take another word for an option of its own."""
    made_at = read_json(record / "provenance.json")["commit"]
    if not re.fullmatch(r"[0-9a-f]{40}", made_at):
        raise SystemExit(f"provenance.commit is {made_at!r}, and not the 40 hex digits of a commit")


def scopes(folder):
    """The scopes that the folder of a run or record has."""
    return [scope for scope in SCOPES if (folder / scope / "results.json").exists()]


def policies_of(results):
    """The policies that a run's tables are about, without the base model and arms of earlier configs."""
    tasks = (read_json(results / scope / "results.json")["tasks"].values() for scope in scopes(results))
    return {policy for of in tasks for entry in of for policy in entry["policies"]} - {"base"}


def of_config(policy, config):
    """Whether a policy is the base model, or of an arm of the config or of a setting of its sweep."""
    arm, arms = arm_of(policy), config["arms"] | config["controls"]["arms"]
    return arm.startswith("base") or arm in arms or any(config["sweep"] and arm.startswith(f"{name}_") for name in arms)


def record_files(results):
    """The files that a record takes from a run's folder, as sorted relative paths."""
    files = {scope / name for scope in scopes(results) for name in NUMBERS}
    files |= {
        path.relative_to(results) for scope in scopes(results) for path in (results / scope / "figures").iterdir()
    }
    for scope in scopes(results):
        numbers = read_json(results / scope / "results.json")
        for task in numbers.get("baselines", {}):
            files |= {Path("eval", task, "base", name) for name in ("metrics.json", "samples.jsonl")}
        for task, entry in numbers["tasks"].items():
            files.add(Path("probe", f"{task}.json"))
            for policy in entry["policies"]:
                files |= {Path("eval", task, policy, name) for name in ("metrics.json", "samples.jsonl")}
                if policy != "base":
                    files |= {Path("compare", task, f"{policy}.json"), Path("merge", f"{policy}.json")}
                    files |= {Path("training", policy, name) for name in TRAINING}
    # What policies learned from, and what they were chosen by: teachers' answers, and checkpoints' on dev.
    config = read_json(results / "config.json")
    others = [path for split in ("train", "dev") for path in results.glob(f"eval/*_{split}/*/[ms]*")]
    others += results.glob("training/*/selection.json")
    others = [path.relative_to(results) for path in others if of_config(path.parent.name, config)]
    files |= {path.with_name(path.name.removesuffix(".gz")) for path in others}
    files |= {Path("hub", f"{policy}.sha256") for policy in packaged_policies(config)}
    return sorted(files)


def in_record(path, results, record):
    """The file of the record that an input or output of a job is kept as, or None."""
    try:
        name = Path(path).relative_to(results)
    except ValueError:
        return None
    return next((n for n in (name, Path(f"{name}.gz")) if (record / n).is_file()), None)


def pack(source, target):
    """Copy a file into a record; JSONL is compressed, without the time and name that gzip would store."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix != ".jsonl":
        shutil.copyfile(source, target)
        return
    with open(f"{target}.gz", "wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        packed.write(source.read_bytes())


def unpack(source, target):
    """Copy a file out of a record, decompressed if necessary."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".gz":
        target.with_suffix("").write_bytes(gzip.decompress(source.read_bytes()))
    else:
        shutil.copyfile(source, target)


def read_samples(record, task, policy):
    """The samples of one policy in a record."""
    with gzip.open(record / "eval" / task / policy / "samples.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]
