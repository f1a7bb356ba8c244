"""Copy what a run measured into the record that travels with the code: numbers, samples, histories, provenance.

Models and adapters stay behind: they can be made again, and the record holds their digests. `restore.py` puts the
record back in place, `verify.py` recomputes it. Publish on the machine that ran: its hardware goes into the record.
Times and hardware stand in provenance.json, record.html and ro-crate-metadata.json, and in nothing that a run makes.
"""

import argparse
import csv
import gzip
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

from crate import output_of, write_crate
from gsm8k.records import read_json, read_jsonl, replacing, sha256, write_json
from report import page
from tabulate_results import read_results

# What stands in the folder of a run and in that of its controls.
NUMBERS = "results.json table.csv table.txt table.tex numbers.tex report.html".split()
PACKAGES = "torch transformers trl peft tokenizers numpy scipy math-verify snakemake vllm unsloth bitsandbytes".split()
TRAINING = "history.csv effective.json gpu_memory.json".split()
METADATA = Path(".snakemake/metadata")


def record_files(results):
    """The files of a run's folder that its record holds, relative to it, in order."""
    scopes = [scope for scope in (Path(), Path("controls")) if (results / scope / "results.json").exists()]
    files = {scope / name for scope in scopes for name in NUMBERS}
    files |= {path.relative_to(results) for scope in scopes for path in (results / scope / "figures").iterdir()}
    for scope in scopes:
        for task, entry in read_json(results / scope / "results.json")["tasks"].items():
            files.add(Path("probe", f"{task}.json"))
            for policy in entry["policies"]:
                files |= {Path("eval", task, policy, name) for name in ("metrics.json", "samples.jsonl")}
                if policy != "base":
                    files |= {Path("compare", task, f"{policy}.json"), Path("merge", f"{policy}.json")}
    return sorted(files | {path.relative_to(results) for path in results.glob("hub/*.sha256")})


def copy(source, target):
    """Copy a file; JSONL is compressed, without the time and name that gzip would keep."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix != ".jsonl":
        shutil.copyfile(source, target)
        return
    with open(f"{target}.gz", "wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        packed.write(source.read_bytes())


def metadata(results):
    """Snakemake's files about the outputs in a run's folder: without them it would trust restored outputs blindly."""
    for path in sorted(METADATA.rglob("*")):
        if path.is_file():
            if output_of(path, METADATA).startswith(f"{results}/"):
                yield path


def stages(logs, results):
    """Wall time in seconds and peak memory in GB of each stage, from Snakemake's benchmark files.

    For evaluations also sampled tokens per second, of the whole stage: loading the model is part of its time. For
    trainings on a GPU also its name and the memory held on it at most.
    """
    found = {}
    for path in sorted(logs.rglob("*.tsv")):
        header, values = (line.split("\t") for line in path.read_text().splitlines()[:2])
        row = dict(zip(header, values, strict=True))
        name, seconds = path.relative_to(logs).with_suffix(""), float(row["s"])
        peak = None if row["max_rss"] == "NA" else round(float(row["max_rss"]) / 1000, 2)
        found[str(name)] = {"seconds": round(seconds, 1), "peak_gb": peak}
        if name.parts[0] == "evaluate":
            metrics = read_json(results / "eval" / name.relative_to("evaluate") / "metrics.json")
            sampled = metrics["n"] * metrics["completion_tokens"]["mean"]
            found[str(name)]["tokens_per_second"] = round(sampled / seconds, 1)
        gpu = results / "adapters" / name.name / "gpu_memory.json"
        if name.parts[0] == "train_grpo" and gpu.exists():
            held = read_json(gpu)
            found[str(name)] |= {"gpu": held["gpu"], "gpu_peak_gb": round(held["peak_bytes"] / 1e9, 2)}
    return found


def machine():
    """The hardware, and the versions of the packages that a number may depend on."""
    info = Path("/proc/cpuinfo")
    installed = {package.name for package in importlib.metadata.distributions()}
    models = [line.partition(": ")[2] for line in info.read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES if name in installed},
    }


def commit():
    """The commit of the code; SystemExit where it is not the code that stands here."""

    def git(*arguments):
        return subprocess.run(["git", *arguments], capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!results")
    unknown = git("ls-files", "--others", "--exclude-standard", "--", "scripts", "workflow", "config", "envs")
    if not git("rev-parse", "HEAD") or changed or unknown:
        raise SystemExit("error: commit your changes first: a record names the commit that makes it")
    return git("rev-parse", "HEAD")


def record_page(args, results, provenance):
    """The report of all seeds and controls, with where and when it was made."""
    import yaml
    from figures import FIGURES, svg

    shown = read_results(args.page_of)
    policies = [policy for entry in shown["tasks"].values() for policy in entry["policies"]]
    histories = {
        policy: list(csv.DictReader((results / "adapters" / policy / "history.csv").open()))
        for policy in policies
        if policy != "base"
    }
    return page(
        args.template,
        json.loads(args.config),
        None,
        shown,
        {
            (task, policy): read_jsonl(results / "eval" / task / policy / "samples.jsonl")
            for task in shown["tasks"]
            for policy in policies
        },
        {name: svg(draw(shown, histories)) for name, draw in FIGURES.items()},
        yaml.safe_load(args.citation.read_text()),
        provenance["locks"],
        provenance["image"],
        provenance,
    )


def require_made_here(results, measured):
    """Stop where a training of the run was not made in this folder: a restored record is not published again."""
    for path in sorted((results / "compare").glob("*/*.json")):
        if f"train_grpo/{path.stem}" not in measured or not (results / "adapters" / path.stem / "history.csv").exists():
            raise SystemExit(f"error: {path.stem} was not trained here: publish where the whole run and its logs are")


def main(args):
    made_at, results = commit(), args.results.parent
    measured = stages(args.logs, results)
    require_made_here(results, measured)
    with replacing(args.sums.parent) as record:
        for name in record_files(results):
            copy(results / name, record / name)
        for folder in sorted((results / "adapters").iterdir()):
            for name in TRAINING:
                if (folder / name).exists():
                    copy(folder / name, record / "training" / folder.name / name)
        for path in metadata(results):
            copy(path, record / "metadata" / path.relative_to(METADATA))
        shutil.copytree("workflow", record / "workflow")
        write_json(record / "config.json", json.loads(args.config))
        provenance = {
            "run": results.name,
            "commands": args.commands,
            "commit": made_at,
            "machine": machine(),
            "stages": measured,
            "weights": {
                str(path.relative_to(results)): sha256(path)
                for path in sorted(results.rglob("*.safetensors"))
                if "hub" not in path.relative_to(results).parts
            },
            "locks": {str(path): sha256(path) for path in args.locks},
            "image": args.image,
        }
        write_json(record / "provenance.json", provenance)
        (record / "record.html").write_text(record_page(args, results, provenance))
        write_crate(record, results, provenance, json.loads(args.config)["model"]["license"])
        files = sorted(path for path in record.rglob("*") if path.is_file())
        sums = "".join(f"{sha256(path)}  {path.relative_to(record)}\n" for path in files)
        (record / args.sums.name).write_text(sums)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--commands", required=True, nargs="+", help="the commands that make the run from a clean clone"
    )
    parser.add_argument("--config", required=True, help="the whole config, as JSON")
    parser.add_argument("--template", required=True, type=Path, help="Jinja2 template of the page")
    parser.add_argument("--citation", required=True, type=Path, help="CITATION.cff")
    parser.add_argument("--page-of", required=True, type=Path, help="the results.json that record.html shows")
    parser.add_argument("--locks", required=True, type=Path, nargs="+", help="the lists of the environment")
    parser.add_argument("--image", required=True, help="base of the environment's image, by digest")
    parser.add_argument("--results", required=True, type=Path, help="results.json of the run")
    parser.add_argument("--logs", required=True, type=Path, help="the run's logs, logs/<run>")
    parser.add_argument("--sums", required=True, type=Path, help="results/published/<run>/SHA256SUMS, made last")
    main(parser.parse_args())
