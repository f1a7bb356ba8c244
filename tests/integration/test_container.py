"""The whole run in the pinned image with Apptainer; a changed image reruns it."""

import os
import shutil

import pytest
import yaml
from conftest import ROOT

IMAGES = sorted((ROOT / "containers").glob("cpu-*.sif"))
PROFILE = ("--profile", "profiles/apptainer")

pytestmark = pytest.mark.skipif(
    not (IMAGES and shutil.which("apptainer")),
    reason="no apptainer, or no image for the CPU environment: .ci/run installs and builds them",
)


def use(checkout):
    """Put the image in the place and under the name that the checkout expects."""
    os.link(IMAGES[-1], checkout.folder / "containers" / IMAGES[-1].name)


def test_chain(checkout, finished):
    use(checkout)
    process = checkout.snakemake(*PROFILE, PYTHONPATH="/nowhere")
    assert process.returncode == 0, process.stdout + process.stderr
    (log,) = (checkout.folder / ".snakemake/log").iterdir()
    activated = [line for line in log.read_text().splitlines() if "Activating singularity image" in line]
    assert activated and all(IMAGES[-1].name in line for line in activated)
    name = "results/tiny/eval/word_problems/grpo-seed0/samples.jsonl"
    assert (checkout.folder / name).read_bytes() == (finished.folder / name).read_bytes()
    assert checkout.planned(*PROFILE) == {}

    # Another definition gives another image, and jobs that ran in the old one rerun.
    with open(checkout.folder / "containers/Containerfile", "a") as file:
        file.write("# changed\n")
    assert {"train", "evaluate", "download_model"} <= checkout.planned(*PROFILE).keys()


def test_the_run_builds_what_is_missing(checkout):
    """If there is no image, the run builds it before its first job; here podman fails, and the log says why."""
    podman = checkout.folder / "programs/podman"
    podman.parent.mkdir()
    podman.write_text("#!/bin/sh\necho no podman today >&2\nexit 1\n")
    podman.chmod(0o755)
    process = checkout.snakemake(*PROFILE, PATH=f"{podman.parent}{os.pathsep}{os.environ['PATH']}")
    output = process.stdout + process.stderr
    assert process.returncode != 0 and "Build the image for environment cpu" in output
    assert "logs/build_image.log says why" in output
    assert "no podman today" in (checkout.folder / "logs/build_image.log").read_text()
    assert not (checkout.folder / "results").exists() or not list((checkout.folder / "results").glob("tiny"))


def test_published_image(checkout):
    """An image that is in a registry under the name that the definition has is pulled by digest, another is not."""
    images = checkout.folder / "containers/images.yaml"
    stated = yaml.safe_load(images.read_text())
    name, reference = IMAGES[-1].stem, f"registry.invalid/reasoning@sha256:{'0' * 64}"
    stated["cpu"]["published"] = {name: reference}
    images.write_text(yaml.safe_dump(stated, sort_keys=False))
    process = checkout.snakemake(*PROFILE, "--dry-run")
    assert process.returncode == 0 and f"docker://{reference}" in process.stdout + process.stderr

    stated["cpu"]["published"] = {"cpu-000000000000": reference}
    images.write_text(yaml.safe_dump(stated, sort_keys=False))
    use(checkout)
    process = checkout.snakemake(*PROFILE, "--dry-run")
    assert process.returncode == 0 and reference not in process.stdout + process.stderr
