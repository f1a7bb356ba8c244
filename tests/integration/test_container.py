"""The whole run in the pinned image with Apptainer; a changed image reruns it."""

import os
import shutil

import pytest
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
    assert {"train_grpo", "evaluate", "download_model"} <= checkout.planned(*PROFILE).keys()


def test_missing_image(checkout):
    process = checkout.snakemake(*PROFILE)
    assert process.returncode != 0 and "build_image" in process.stdout + process.stderr
