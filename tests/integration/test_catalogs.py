"""What catalogs and archives read: the repository's RO-Crate, Zenodo's and LifeMonitor's files, Snakemake's report."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from test_crate import PRIME, VALIDATOR

CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())


@pytest.fixture(scope="module")
def crate(tmp_path_factory):
    """The folder of the repository's own crate."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone: the crate has the tracked files")
    folder = tmp_path_factory.mktemp("crate") / "crate"
    subprocess.run([sys.executable, ROOT / ".ci/crate", folder], check=True)
    return folder


def test_the_crate_covers_the_code(crate):
    graph = json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    (workflow,) = [entity for entity in graph if "ComputationalWorkflow" in entity["@type"]]
    assert workflow["@id"] == "workflow/Snakefile"
    parts = {part["@id"] for part in workflow["hasPart"]}
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    code = {name for name in listing.split() if name.startswith(("scripts/", "envs/", "containers/"))}
    assert code and code <= parts and all((crate / name).is_file() for name in parts)


@pytest.mark.skipif(VALIDATOR is None, reason="rocrate-validator is missing: .ci/run installs it in .venv/tools")
def test_the_crate_is_valid(crate, tmp_path):
    import rocrate

    context = Path(rocrate.__file__).with_name("data") / "ro-crate.jsonld"
    python = Path(VALIDATOR).with_name("python")
    subprocess.run([python, "-c", PRIME, tmp_path / "cache", context], check=True)
    options = [
        "--offline",
        "--cache-path",
        tmp_path / "cache",
        "--no-paging",
        "-f",
        "json",
        "-o",
        tmp_path / "found.json",
    ]
    command = [VALIDATOR, "--no-interactive", "validate", *options, "-p", "workflow-ro-crate-1.0", crate]
    subprocess.run(command, env=os.environ | {"HOME": str(tmp_path)}, capture_output=True)
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["passed"], [issue["message"] for issue in found["issues"]]


def test_zenodo_says_what_the_citation_says():
    zenodo = json.loads((ROOT / ".zenodo.json").read_text())
    for key in ("title", "version", "license", "keywords"):
        assert zenodo[key] == CITATION[key], key
    assert [creator["name"] for creator in zenodo["creators"]] == [author["name"] for author in CITATION["authors"]]


def test_changelog_begins_with_the_version():
    """A release takes its notes from there."""
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE)[0] == CITATION["version"]


def test_lifemonitor_watches_what_is_tested_and_released():
    watched = yaml.safe_load((ROOT / ".lifemonitor.yaml").read_text())["push"]
    on = {
        name: yaml.safe_load((ROOT / f".github/workflows/{name}.yaml").read_text())[True]
        for name in ("test", "release")
    }
    assert [branch["name"] for branch in watched["branches"]] == on["test"]["push"]["branches"]
    assert [tag["name"] for tag in watched["tags"]] == on["release"]["push"]["tags"]


def test_report_of_a_restored_record(record):
    """Snakemake's own report needs no model, only what the record has."""
    for made in ("results/tiny", "logs", ".snakemake"):
        shutil.rmtree(record.folder / made)
    restore = [sys.executable, "scripts/restore.py", "results/published/tiny"]
    subprocess.run(restore, cwd=record.folder, check=True, capture_output=True)
    process = record.snakemake("--report", "report.zip")
    assert process.returncode == 0, process.stdout + process.stderr
    with zipfile.ZipFile(record.folder / "report.zip") as archive:
        names = archive.namelist()
        page = next(name for name in names if name.endswith("report.html") and name.count("/") == 1)
        text = archive.read(page).decode()
        assert "problem by" in text and "tiny" in text
        assert any(name.endswith("table.csv") for name in names)
