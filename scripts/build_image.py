"""Build the config's container image: podman builds it reproducibly, Apptainer packs it for Snakemake.

    snakemake --cores 1 build_image
    IMAGE_REPOSITORY=<registry>/<owner>/<name> snakemake --cores 1 push_image

The file is named after a digest of what goes into it: if a lock file, the Containerfile or the base changes, the image
has a new name, and jobs that ran in the old one rerun. The JSON file next to it has the digest of the OCI image,
which is the same wherever it is built. The packed file's own digest is not, because it includes the build time.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import yaml
from stage.files import read_text, replacing, require_space, write_json
from stage.screen import run, say

MOMENT = "1700000000"  # the time of every file in the image


def require(*programs):
    """Stop if a program is missing."""
    for program in programs:
        if shutil.which(program) is None:
            raise SystemExit(f"error: {program} is not on the PATH: building an image needs podman and apptainer")


def call(*command):
    """Run a program with its output in the log; raises SystemExit if it fails."""
    if subprocess.run(command).returncode:
        raise SystemExit(f"error: {command[0]} failed: its output is in the log")


def build(args, settings, tag, scratch):
    """Build the OCI image `tag`."""
    # Options for this machine only, such as a mirror's certificate or a different base image.
    more = shlex.split(os.environ.get("BUILD_IMAGE_OPTIONS", ""))
    context = Path(scratch, "context")
    (context / "envs").mkdir(parents=True)
    shutil.copy(args.definition.parents[1] / "Makefile", context)
    for path in args.locks:
        shutil.copy(path, context / "envs")
    arguments = {"BASE": settings["base"], "ENVIRONMENT": args.environment, "APT_OPTIONS": settings["apt_options"]}
    stated = [f"--build-arg={key}={value}" for key, value in arguments.items()]
    definition = ["--no-cache", "--timestamp", MOMENT, "--tag", tag, "--file", str(args.definition)]
    call("podman", "build", *definition, *stated, *more, str(context))


def push(tag, repository, scratch):
    """Push an image to a repository; returns the digest that it has there."""
    digest = Path(scratch, "digest")
    more = shlex.split(os.environ.get("PUSH_IMAGE_OPTIONS", ""))
    call("podman", "push", "--digestfile", str(digest), *more, tag, f"{repository}:{tag.rpartition('/')[2]}")
    return read_text(digest).strip()


def main(args):
    if args.push == "":
        raise SystemExit("error: IMAGE_REPOSITORY is not set: give <registry>/<owner>/<name>, without a tag")
    require("podman", *(["apptainer"] if args.push is None else []))
    args.image.parent.mkdir(exist_ok=True)
    settings = yaml.safe_load(read_text(args.images))[args.environment]
    require_space(args.image, int(settings["disk_gb"] * 1e9))
    tag = f"localhost/{args.image.stem}"
    with tempfile.TemporaryDirectory(dir=args.image.parent) as scratch:
        build(args, settings, tag, scratch)
        if args.push:
            digest = push(tag, args.push, scratch)
            write_json(args.image.with_suffix(".published.json"), {args.image.stem: f"{args.push}@{digest}"})
            say(f"{args.push}@{digest}")
            return
        archive = Path(scratch, "image.tar")
        inspect = ["podman", "image", "inspect", "--format", "{{.Digest}}", tag]
        digest = subprocess.run(inspect, capture_output=True, text=True, check=True).stdout.strip()
        call("podman", "save", "--format", "oci-archive", "--output", str(archive), tag)
        with replacing(args.image) as partial:
            call("apptainer", "build", str(partial), f"oci-archive:{archive}")
    write_json(
        args.image.with_suffix(".json"),
        {"environment": args.environment, "base": settings["base"], "oci_digest": digest},
    )
    say(f"{args.image}: {digest}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", required=True, help="the environment's name in images.yaml and envs/")
    parser.add_argument("--images", required=True, type=Path, help="containers/images.yaml")
    parser.add_argument("--definition", required=True, type=Path, help="containers/Containerfile")
    parser.add_argument("--locks", required=True, type=Path, nargs="+", help="the environment's lock files")
    parser.add_argument("--image", required=True, type=Path, help="the .sif to write; its name is the image's")
    parser.add_argument("--push", metavar="REPOSITORY", help="push the image there, and write no .sif")
    run(main, parser)
