"""Pack what a run needs into a folder, which then runs on a machine without a network.

    python scripts/pack.py bundle [--configfile config/<run>.yaml]
    bundle/run                      # there: checks everything, installs the packages, and runs

The folder has the tracked files with the published records; the overlays with the rewards, task modules and data that
they name in the clone or beside themselves; the wheels of the lock files; and the run's base models and problems, as
they come from their sources. With --image it also has the environment's container image, in which the jobs then run: so
do those of GPU presets, and the wheels, of the CPU environment, run Snakemake. The other machine needs Linux and this
machine's version of Python, for which the wheels are. A source that is an absolute path has to be there, too. Packing
needs the environment of `make run`, and a network; its logs are in logs/pack.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from stage.checksums import NAME, write_sums
from stage.files import link_or_copy, read_text, replacing, tree_size, write_text
from stage.screen import run, say

ROOT = Path(__file__).resolve().parents[1]
FETCHING = ["download_model", "download_swept_model", "format_task"]  # the rules whose results it has
RUN = """#!/bin/sh
# Without a network: check the files, install the packages, run. Arguments go to snakemake.
set -e
cd "$(dirname "$0")"
sha256sum --quiet --check {sums}
here=$PWD
export PIP_NO_INDEX=1 PIP_FIND_LINKS="$here/wheels" SNAKEMAKE_OUTPUT_CACHE="$here/cache"
export APPTAINER_BIND="$here${{APPTAINER_BIND:+,$APPTAINER_BIND}}"
cd source
if [ -d ../wheels ]; then
	make --quiet .venv/cpu >&2
	PATH=$PWD/.venv/bin:$PATH
	for lock in {more}; do
		pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement "envs/$lock" >&2
	done
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


def read_overlay(path):
    """What an overlay says, as a dict."""
    try:
        return dict(yaml.safe_load(read_text(path)) or {})
    except (OSError, TypeError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise SystemExit(f"error: --configfile {path}: {reason}: give a YAML file of settings") from None


def tracked():
    """The names of the files that git tracks in this folder."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode or not listing.stdout:
        raise SystemExit(f"error: git tracks no files in {ROOT}, and those are packed: pack in a clone")
    return [name for name in listing.stdout.split("\0") if (ROOT / name).is_file()]


def pairs(value):
    """Every key of a config with its value, at any depth."""
    for key, below in value.items() if isinstance(value, dict) else ():
        yield str(key), below
        yield from pairs(below)


def named(overlays):
    """The user's files and folders that overlays, `{path: settings}`, name: paths, as the workflow finds them."""
    beside = [*(path.parent for path in reversed(overlays)), ROOT]
    for key, value in [pair for settings in overlays.values() for pair in pairs(settings)]:
        if key == "source" and "://" not in str(value) and not os.path.isabs(value):
            yield from filter(Path.is_dir, [ROOT / value])
        name = key.rpartition(":")[0] if ".py:" in key else str(value)
        if ".py:" in key or (key == "module" and name.endswith(".py")):
            if os.path.isabs(name):
                raise SystemExit(f"error: {name} is at another place on another machine: name it from the config file")
            yield from [folder / name for folder in beside if (folder / name).is_file()][:1]


def places(paths, overlays):
    """`{path: where it goes in the bundle}`: at its place in this folder, or with an overlay from elsewhere."""
    homes = {ROOT: Path()} | {
        path.parent: Path(f"given/{n}") for n, path in enumerate(overlays) if not path.is_relative_to(ROOT)
    }
    found = {}
    for path in map(Path, map(os.path.normpath, [*overlays, *paths])):
        home = next((folder for folder in homes if path.is_relative_to(folder)), None)
        if home is None:
            raise SystemExit(f"error: {path} lies neither in {ROOT} nor beside the config file: put it there")
        found[path] = homes[home] / path.relative_to(home)
    return found


def needs_gym(overlays):
    """Whether a task of the overlays has its problems or its judge from the package reasoning_gym."""
    said = [pair for settings in overlays for pair in pairs(settings)]
    return any(key in ("module", "source") and str(value).partition(":")[0] == "reasoning_gym" for key, value in said)


def pack(folder, args, overlays, config):
    """Fill the folder; `overlays` is `{path: settings}`, `config` has the run's name and environment."""
    source, cache = folder / "source", folder / "cache"
    mine = places(named(overlays), overlays)
    for path, target in ({ROOT / name: Path(name) for name in tracked()} | mine).items():
        (source / target).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if path.is_dir() else shutil.copy2
        copy(path, source / target)
    given = ["--configfile", *(str(mine[path]) for path in overlays)] if overlays else []
    if args.image:
        given += ["--profile", "profiles/apptainer", "--apptainer-prefix", "../images"]
        images = (ROOT / "containers").glob(f"{config['environment']}-*.sif")
        for image in sorted(images, key=lambda path: path.stat().st_mtime)[-1:]:
            link_or_copy(image, source / "containers" / image.name)

    cache.mkdir()
    bound = filter(None, [str(folder.resolve()), os.environ.get("APPTAINER_BIND")])
    environment = {"SNAKEMAKE_OUTPUT_CACHE": str(cache.resolve()), "APPTAINER_BIND": ",".join(bound)}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1"}  # bytecode may be written anew there, and has a checksum here
    targets = ["all", *(["sweep"] if config["sweep"] else [])]
    snakemake = ["snakemake", "--cores", "1", "--cache", *given, "--until", *FETCHING, "--", *targets]
    try:
        call(*snakemake, cwd=source, env=os.environ | environment)
    finally:  # the folder goes if it failed, and its logs say why
        if (source / "logs").exists():
            shutil.copytree(source / "logs", ROOT / "logs/pack", dirs_exist_ok=True)
    for made in (f"results/{config['run']}", "logs", ".snakemake", ".cache", ".config"):  # in an image, HOME is here
        shutil.rmtree(source / made, ignore_errors=True)

    more = ["gym.txt"] if needs_gym(overlays.values()) else []
    if not args.without_wheels:
        torch = "cpu-torch.txt" if args.torch == "cpu" else "cpu-torch-public.txt"
        download(folder / "wheels", ["cpu.txt", torch, "build.txt", *more])
    write_text(folder / "run", RUN.format(sums=NAME, given=shlex.join(given), more=" ".join(more)))
    (folder / "run").chmod(0o755)
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    write_sums(folder / NAME, files)
    return len(files)


def main(args):
    if args.folder.exists():
        raise SystemExit(f"error: {args.folder} exists: move it away, or give another folder")
    overlays = {Path(os.path.abspath(path)): read_overlay(path) for path in args.configfile}
    config = yaml.safe_load(read_text(ROOT / "config/config.yaml"))
    for settings in overlays.values():
        config |= settings
    if config["environment"] != "cpu" and not (args.image or args.without_wheels):
        raise SystemExit(
            f"error: run {config['run']} asks for environment {config['environment']}, and wheels are packed of cpu "
            "alone: add --image, to run jobs in its image, or --without-wheels for a machine that has the environment"
        )
    with replacing(args.folder) as folder:
        count = pack(folder, args, overlays, config)
    say(f"packed {count} files, {tree_size(args.folder) / 1e9:.2f} GB: {args.folder}/run runs it without a network")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder to make")
    parser.add_argument("--configfile", type=Path, nargs="+", default=[], help="the run's overlays, if it has any")
    parser.add_argument("--torch", choices=("cpu", "public"), default="cpu", help="PyTorch's CPU build, or the index's")
    parser.add_argument("--image", action="store_true", help="pack the environment's image, and run the jobs in it")
    parser.add_argument("--without-wheels", action="store_true", help="for a machine that has the environment")
    run(main, parser)
