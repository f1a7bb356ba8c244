"""What a run exports for other tools, read by those tools where they are here."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

TOOLS = Path(".venv/tools/bin").resolve()


def test_lm_eval_task(rerun):
    process = rerun.snakemake("--", "results/tiny/lm_eval/word_problems.yaml")
    assert process.returncode == 0, process.stdout + process.stderr
    task = yaml.safe_load((rerun.folder / "results/tiny/lm_eval/word_problems.yaml").read_text())
    assert (rerun.folder / task["dataset_kwargs"]["data_files"]["test"]).exists()
    assert [entry["name"] for entry in task["filter_list"]] == ["strict", "flexible"]


def test_croissant(rerun):
    process = rerun.snakemake("--", "results/tiny/croissant/word_problems.json")
    assert process.returncode == 0, process.stdout + process.stderr
    path = rerun.folder / "results/tiny/croissant/word_problems.json"
    for file in json.loads(path.read_text())["distribution"]:
        assert (path.parent / file["contentUrl"]).resolve().is_file()
    command = shutil.which("mlcroissant") or shutil.which(TOOLS / "mlcroissant")
    if command is None:
        pytest.skip("mlcroissant is not here: .ci/run installs it in .venv/tools")
    subprocess.run([command, "validate", "--jsonld", path], check=True)
    loaded = subprocess.run(
        [command, "load", "--jsonld", path, "--record_set", "test", "--num_records", "2"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "test-0" in loaded.stdout + loaded.stderr
