"""The provenance of a record: commit, machine, time and memory of each stage, digests of the weights."""

import csv
import os
import platform
import subprocess
from pathlib import Path

from stage.environment import environment, versions
from stage.files import read_json, read_text, sha256
from stage.forecast import measured

from record.earlier import format_of
from record.jobs import stage_of
from record.layout import FORMAT, JOBS, policies_of

WRITES = ("jinja2", "matplotlib", "rocrate")  # pages, figures and the crate


def stages(logs, results, made):
    """Wall time in seconds, peak memory in GB and, if it was measured, energy in joules of each stage of `made`.

    From Snakemake's benchmark files, and from the stage's log, which states the energy of the whole machine.

    Evaluations also have sampled tokens per second, trainings tokens of prompts and completions, over the whole stage
    including loading the model. Training on a GPU also has the GPU's name and peak memory.
    """
    found = {}
    for path in sorted(logs.rglob("*.tsv")):
        name = path.relative_to(logs).with_suffix("")
        if str(name) not in made:
            continue
        cost = measured(path)
        seconds, peak = cost["seconds"], cost["peak_gb"]
        found[str(name)] = {"seconds": round(seconds, 1), "peak_gb": None if peak is None else round(peak, 2)}
        if cost["joules"] is not None:
            found[str(name)]["joules"] = cost["joules"]
        if name.parts[0] == "evaluate":
            metrics = read_json(results / "eval" / name.relative_to("evaluate") / "metrics.json")
            sampled = metrics["n"] * metrics["completion_tokens"]["mean"]
            found[str(name)]["tokens_per_second"] = round(sampled / seconds, 1)
        if name.parts[0] == "train":
            *_, last = csv.DictReader(read_text(results / "training" / name.name / "history.csv").splitlines())
            found[str(name)]["tokens_per_second"] = round(float(last["num_tokens"]) / seconds, 1)
            held = read_json(results / "training" / name.name / "gpu_memory.json")
            if held["gpu"]:
                found[str(name)] |= {"gpu": held["gpu"], "gpu_peak_gb": round(held["peak_bytes"] / 1e9, 2)}
    return found


def machine():
    """The hardware that this process runs on, and the versions of the packages that numbers and pages depend on."""
    info = Path("/proc/cpuinfo")
    models = [line.partition(": ")[2] for line in read_text(info).splitlines() if line.startswith("model name")]
    here = environment()
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": here["python"],
        "vendor": here["processor"]["vendor"],
        "packages": here["packages"] | versions(WRITES),
    }


def commit():
    """The commit of the code; raises SystemExit if there are uncommitted changes."""

    def git(*arguments):
        return subprocess.run(["git", *arguments], capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!results")
    unknown = git("ls-files", "--others", "--exclude-standard", "--", "scripts", "workflow", "config", "envs")
    if not git("rev-parse", "HEAD") or changed or unknown:
        raise SystemExit("error: commit your changes first: a record names the commit that wrote it")
    return git("rev-parse", "HEAD")


def weights(results, before):
    """The sha256 of the weights of base model, adapters and merged models: `{path in the run's folder: digest}`.

    Merged models may have been deleted: `check_merge` recorded theirs. `before` are those of the record that this run
    goes on from, whose models are not here.
    """
    policies = policies_of(results)
    found = {path: digest for path, digest in before.items() if Path(path).parts[1] in {"base", *policies}}
    paths = [*(results / "models/base").glob("*.safetensors")]
    for policy in policies:
        paths += (results / "adapters" / policy).glob("*.safetensors")
        merged = read_json(results / "merge" / f"{policy}.json")["weights"]
        found |= {f"models/{policy}/{name}": digest for name, digest in merged.items()}
    return dict(sorted((found | {str(path.relative_to(results)): sha256(path) for path in paths}).items()))


def carried_over(record, notes, measured):
    """Of the record that this run goes on from: `(its stages that were not repeated here, its weights, its origins)`.

    A stage was not repeated if Snakemake's note on its job is the record's, with the times of that job. Origins are
    `{commit, machine, stages}` of each earlier call of publish, with the stages that it measured.
    """
    if not (record / "provenance.json").exists() or format_of(record) != FORMAT:
        return {}, {}, []
    earlier, before = read_json(record / "provenance.json"), read_json(record / JOBS)
    same = {stage_of(log) for output, note in notes.items() if note == before.get(output) for log in note["log"]}
    stages = {name: cost for name, cost in earlier["stages"].items() if name in same - measured.keys()}
    last = {key: earlier[key] for key in ("commit", "machine")} | {"stages": [*stages]}
    origins, left = [], set(stages)
    for origin in [*earlier.get("origins", []), last]:
        if kept := sorted(left.intersection(origin["stages"])):
            origins.append(origin | {"stages": kept})
            left -= set(kept)
    return stages, earlier["weights"], origins


def require_made(results, measured, carried):
    """Stop if a policy was trained neither here nor for the record that this run goes on from, or if none was here.

    So no restored record is published again.
    """
    policies = sorted(policies_of(results))
    made = {name: {f"train/{name}", f"merge_adapters/{name}"} for name in policies}
    here = [name for name in policies if made[name] & measured.keys() and (results / "adapters" / name).exists()]
    for policy in policies:
        if not here or (policy not in here and not made[policy] & carried.keys()):
            raise SystemExit(
                f"error: {policy} was not trained here: publish from the folder that has the whole run and its logs"
            )
