"""Copy what a run measured into the record that travels with the code: numbers, samples, histories, provenance.

Models and adapters stay behind: they can be made again, and the record holds their digests. `restore.py` puts the
record back in place, `verify.py` recomputes it. Publish on the machine that ran: its hardware goes into the record.
"""

import argparse
import base64
import gzip
import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path

from gsm8k.records import read_json, replacing, sha256, write_json

# What stands in the folder of a run and in that of its controls.
NUMBERS = "results.json table.csv table.txt table.tex numbers.tex report.html".split()
PACKAGES = "torch transformers trl peft tokenizers numpy scipy math-verify snakemake".split()
METADATA = Path(".snakemake/metadata")


def record_files(results):
    """The files of a run's folder that its record holds, relative to it, in order."""
    scopes = [scope for scope in (Path(), Path("controls")) if (results / scope / "results.json").exists()]
    files = {scope / name for scope in scopes for name in NUMBERS}
    for scope in scopes:
        for task, entry in read_json(results / scope / "results.json")["tasks"].items():
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
            name = str(path.relative_to(METADATA)).replace("/@", "").removeprefix("@")
            if base64.urlsafe_b64decode(name).decode().startswith(f"{results}/"):
                yield path


def stages(logs):
    """Wall time in seconds and peak memory in GB of each stage, from Snakemake's benchmark files."""
    found = {}
    for path in sorted(logs.rglob("*.tsv")):
        header, values = (line.split("\t") for line in path.read_text().splitlines()[:2])
        row = dict(zip(header, values, strict=True))
        peak = None if row["max_rss"] == "NA" else round(float(row["max_rss"]) / 1000, 2)
        found[str(path.relative_to(logs).with_suffix(""))] = {"seconds": round(float(row["s"]), 1), "peak_gb": peak}
    return found


def machine():
    """The hardware, and the versions of the packages that a number may depend on."""
    info = Path("/proc/cpuinfo")
    models = [line.partition(": ")[2] for line in info.read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def commit():
    """The commit of the code; SystemExit where it is not the code that stands here."""

    def git(*arguments):
        return subprocess.run(["git", *arguments], capture_output=True, text=True).stdout.strip()

    if not git("rev-parse", "HEAD") or git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!results"):
        raise SystemExit("error: commit your changes first: a record names the commit that makes it")
    return git("rev-parse", "HEAD")


def main(args):
    made_at, results = commit(), args.results.parent
    with replacing(args.sums.parent) as record:
        for name in record_files(results):
            copy(results / name, record / name)
        for folder in sorted((results / "adapters").iterdir()):
            for name in ("history.csv", "effective.json"):
                copy(folder / name, record / "training" / folder.name / name)
        for path in metadata(results):
            copy(path, record / "metadata" / path.relative_to(METADATA))
        digests = {
            str(path.relative_to(results)): sha256(path)
            for path in sorted(results.rglob("*.safetensors"))
            if "hub" not in path.relative_to(results).parts
        }
        provenance = {
            "run": results.name,
            "commands": args.commands,
            "commit": made_at,
            "machine": machine(),
            "stages": stages(args.logs),
            "weights": digests,
            "locks": {str(path): sha256(path) for path in args.locks},
        }
        write_json(record / "provenance.json", provenance)
        files = sorted(path for path in record.rglob("*") if path.is_file())
        sums = "".join(f"{sha256(path)}  {path.relative_to(record)}\n" for path in files)
        (record / args.sums.name).write_text(sums)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--commands", required=True, nargs="+", help="the commands that make the run from a clean clone"
    )
    parser.add_argument("--locks", required=True, type=Path, nargs="+", help="the lists of the environment")
    parser.add_argument("--results", required=True, type=Path, help="results.json of the run")
    parser.add_argument("--logs", required=True, type=Path, help="the run's logs, logs/<run>")
    parser.add_argument("--sums", required=True, type=Path, help="results/published/<run>/SHA256SUMS, made last")
    main(parser.parse_args())
