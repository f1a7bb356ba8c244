"""Pack what a run needs into a folder, which then runs on a machine without a network.

    python scripts/pack.py bundle [--configfile config/<run>.yaml]
    bundle/run                      # there: checks everything, installs the packages, and runs

The folder has the tracked files with the published records, the wheels of the lock files, and the run's base model and
problems, as they come from their sources. The other machine needs Linux and this machine's version of Python, for which
the wheels are. A source that is a folder is not packed. Packing needs the environment of `make run`, and a network.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from reasoning.policies import measured_tasks
from stage.checksums import NAME, write_sums
from stage.files import read_text, tree_size, write_text
from stage.screen import run, say

ROOT = Path(__file__).resolve().parents[1]
RUN = """#!/bin/sh
# Without a network: check the files, install the packages, run. Arguments go to snakemake.
set -e
cd "$(dirname "$0")"
sha256sum --quiet --check {sums}
here=$PWD
export PIP_NO_INDEX=1 PIP_FIND_LINKS="$here/wheels" SNAKEMAKE_OUTPUT_CACHE="$here/cache"
cd source
if [ -d ../wheels ]; then
	make --quiet .venv/cpu >&2
	PATH=$PWD/.venv/bin:$PATH
fi
exec snakemake --cores "${{CORES:-1}}" --cache {given} "$@"
"""


def call(*command, **options):
    """Run a program; raises SystemExit that names it if it fails."""
    if subprocess.run([str(word) for word in command], **options).returncode:
        raise SystemExit(f"error: {command[0]} failed: its output is above")


def download(wheels, lock_files):
    """The wheels of lock files, each checked by sha256, or the source of a package that has none."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    for name in lock_files:
        call(*pip, "--require-hashes", "--requirement", ROOT / "envs" / name, "--dest", wheels)


def main(args):
    if args.folder.exists():
        raise SystemExit(f"error: {args.folder} exists: move it away, or give another folder")
    source = args.folder / "source"
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listing.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    given = []
    if args.configfile:
        shutil.copy(args.configfile, source / "bundle.yaml")
        given = ["--configfile", "bundle.yaml"]
    if not args.without_wheels:
        torch = "cpu-torch.txt" if args.torch == "cpu" else "cpu-torch-public.txt"
        download(args.folder / "wheels", ["cpu.txt", torch, "build.txt"])

    cache = args.folder / "cache"
    cache.mkdir()
    default = yaml.safe_load(read_text(ROOT / "config/config.yaml"))
    config = default | (yaml.safe_load(read_text(args.configfile)) if args.configfile else {})
    results = f"results/{config['run']}"
    tasks = dict.fromkeys([config["task"], *measured_tasks(config)])
    targets = [f"{results}/models/base", *(f"{results}/data/{task}/train.jsonl" for task in tasks)]
    environment = os.environ | {"SNAKEMAKE_OUTPUT_CACHE": str(cache.resolve())}
    call("snakemake", "--cores", "1", "--cache", *given, "--", *targets, cwd=source, env=environment)
    for made in (source / "results" / config["run"], source / "logs", source / ".snakemake"):
        shutil.rmtree(made, ignore_errors=True)

    write_text(args.folder / "run", RUN.format(sums=NAME, given=" ".join(given)))
    (args.folder / "run").chmod(0o755)
    files = {path.relative_to(args.folder).as_posix(): path for path in args.folder.rglob("*") if path.is_file()}
    write_sums(args.folder / NAME, files)
    say(
        f"packed {len(files)} files, {tree_size(args.folder) / 1e9:.2f} GB: {args.folder}/run runs it without a network"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder to make")
    parser.add_argument("--configfile", type=Path, help="the overlay of the run; the default run if there is none")
    parser.add_argument("--torch", choices=("cpu", "public"), default="cpu", help="PyTorch's CPU build, or the index's")
    parser.add_argument("--without-wheels", action="store_true", help="for a machine that has the environment")
    run(main, parser)
