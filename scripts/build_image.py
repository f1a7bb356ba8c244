"""Build the container image that the config names: podman makes it reproducibly, Apptainer packs it for Snakemake.

    snakemake --cores 1 build_image

The image's file is named after what it is made of, so that a changed list, definition or base is another image and what
ran in it runs again. Beside it stands the digest of the OCI image, which is the same wherever it is built; the packed
file's own is not, for it holds the time of packing.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import yaml
from gsm8k.records import replacing, require_space, write_json

MOMENT = "1700000000"  # the time that every file of the image has


def require(*programs):
    """Stop where a program is not here."""
    for program in programs:
        if shutil.which(program) is None:
            raise SystemExit(f"error: {program} is not on the PATH: building an image needs podman and apptainer")


def run(*command):
    """Run a program, its output shown; SystemExit if it fails."""
    if subprocess.run(command).returncode:
        raise SystemExit(f"error: {command[0]} failed: see above")


def main(args):
    require("podman", "apptainer")
    require_space(args.image, int(args.disk_gb * 1e9))
    settings = yaml.safe_load(args.images.read_text())[args.lane]
    tag = f"localhost/{args.image.stem}"
    # For what only this machine needs, such as a mirror's certificate or another base to try the definition on.
    more = shlex.split(os.environ.get("BUILD_IMAGE_OPTIONS", ""))
    with tempfile.TemporaryDirectory(dir=args.image.parent) as scratch:
        context, archive = Path(scratch, "context"), Path(scratch, "image.tar")
        (context / "envs").mkdir(parents=True)
        shutil.copy("Makefile", context)
        for path in args.lists:
            shutil.copy(path, context / "envs")
        arguments = {"BASE": settings["base"], "LANE": args.lane, "APT_OPTIONS": settings["apt_options"]}
        stated = [f"--build-arg={key}={value}" for key, value in arguments.items()]
        definition = ["--no-cache", "--timestamp", MOMENT, "--tag", tag, "--file", str(args.definition)]
        run("podman", "build", *definition, *stated, *more, str(context))
        inspect = ["podman", "image", "inspect", "--format", "{{.Digest}}", tag]
        digest = subprocess.run(inspect, capture_output=True, text=True, check=True).stdout.strip()
        run("podman", "save", "--format", "oci-archive", "--output", str(archive), tag)
        with replacing(args.image) as partial:
            run("apptainer", "build", str(partial), f"oci-archive:{archive}")
    write_json(args.image.with_suffix(".json"), {"lane": args.lane, "base": settings["base"], "oci_digest": digest})
    print(f"{args.image}: {digest}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lane", required=True, help="the image's name in images.yaml, and its list's in envs/")
    parser.add_argument("--images", required=True, type=Path, help="containers/images.yaml")
    parser.add_argument("--definition", required=True, type=Path, help="containers/Containerfile")
    parser.add_argument("--lists", required=True, type=Path, nargs="+", help="the locked lists of the environment")
    parser.add_argument("--disk-gb", type=float, default=5, help="free disk space without which it does not start")
    parser.add_argument("--image", required=True, type=Path, help="the .sif to write")
    main(parser.parse_args())
