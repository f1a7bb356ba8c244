"""Which environment a run uses: the preset's profile, what is installed here, and the GPU that it may use."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PRESETS = sorted(path.parent.name for path in Path("profiles").glob("*/config.yaml") if "-" in path.parent.name)
# In place of Apptainer and podman, which build and run nothing here.
APPTAINER = """#!/bin/sh
[ "$1" = --version ] && { echo "apptainer version 1.4.0"; exit; }
exit 1
"""


@pytest.fixture
def apptainer(checkout):
    """The environment with stand-ins for Apptainer and podman on the PATH."""
    for name, text in (("apptainer", APPTAINER), ("podman", APPTAINER)):
        program = checkout.folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)
    return {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize("name", PRESETS)
def test_a_profile_is_the_presets_run(checkout, apptainer, name):
    """With the variable set once, the plain command is that run, in its image."""
    from conftest import call

    process = call(checkout.folder, "--dry-run", SNAKEMAKE_PROFILE=f"profiles/{name}", **apptainer)
    assert process.returncode == 0, process.stdout
    assert f"results/{name}/report.html" in process.stdout
    environment = yaml.safe_load((checkout.folder / f"config/{name}.yaml").read_text())["environment"]
    process = call(checkout.folder, SNAKEMAKE_PROFILE=f"profiles/{name}", PATH=apptainer["PATH"])
    assert process.returncode != 0
    assert "nvidia-smi" in process.stdout or f"there is no image containers/{environment}-" in process.stdout


# Read in Snakemake's own process, without a job: what a job's container is given is the environment of that process.
SEEN = """
include: "workflow/Snakefile"


print("seen:", os.environ.get("APPTAINERENV_CUDA_VISIBLE_DEVICES"))
"""


@pytest.mark.parametrize("devices", ["1,3", None])
def test_gpus_of_a_container(checkout, monkeypatch, devices):
    """The container uses the GPUs that the process outside may use, of all that it sees: those stated, or all."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("APPTAINERENV_CUDA_VISIBLE_DEVICES", raising=False)
    (checkout.folder / "seen.smk").write_text(SEEN)
    given = {} if devices is None else {"CUDA_VISIBLE_DEVICES": devices}
    process = checkout.snakemake("--snakefile", "seen.smk", "--dry-run", "--quiet", **given)
    assert process.returncode == 0, process.stdout + process.stderr
    assert f"seen: {devices}\n" in process.stdout + process.stderr


@pytest.mark.skipif(not Path(sys.prefix, "cpu").is_file(), reason="the Makefile did not make this environment")
def test_another_environment(checkout):
    """A run that asks for other packages than the Makefile installed here stops before its first job."""
    checkout.write(environment="gpu")
    process = checkout.snakemake()
    output = process.stdout + process.stderr
    assert process.returncode != 0 and "error: run tiny asks for environment gpu, and" in output, output
    assert "make gpu" in output and not (checkout.folder / "results/tiny").exists()
    # An image is built without the packages, on a machine without a GPU too.
    process = checkout.snakemake("--", "push_image", IMAGE_REPOSITORY="")
    output = process.stdout + process.stderr
    assert process.returncode != 0 and "error: IMAGE_REPOSITORY is not set" in output, output


def test_notebook(rerun, monkeypatch):
    """Its four cells, with the tiny run: everything but the installation."""
    cells = json.loads(Path("config/colab.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) == 4
    (rerun.folder / ".venv").symlink_to(sys.prefix)
    report = rerun.folder / "results/tiny/report.html"
    report.unlink()
    given = {"FOLDER": rerun.folder, "MAKE": "test -f Makefile", "CONFIG": "tiny.yaml"}
    for name, value in given.items():
        monkeypatch.setenv(name, str(value))
    process = subprocess.run([sys.executable, "-c", "\n\n".join(code)], capture_output=True, text=True)
    assert process.returncode == 0 and "McNemar" in process.stdout, process.stdout + process.stderr
    assert report.exists()
    default = Path(re.search(r'CONFIG", "([^"]+)"', code[2])[1])
    assert yaml.safe_load(default.read_text())["environment"] == "t4"
