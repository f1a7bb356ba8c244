"""The records in the repository itself: they stand, they can be put back, and README says what they say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

RECORDS = sorted(Path("results/published").glob("*/SHA256SUMS"))


@pytest.mark.skipif(not RECORDS, reason="results/published holds no record")
def test_records_stand(tmp_path):
    process = subprocess.run(
        [sys.executable, "scripts/verify.py", "--results", tmp_path, "--verified", tmp_path / "verified.json"],
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stdout + process.stderr


@pytest.mark.parametrize("sums", RECORDS, ids=lambda sums: sums.parent.name)
def test_a_restored_record_is_finished_work(tmp_path, sums):
    """With the code of its commit there is nothing left to do, neither for the run nor for its controls."""
    record = sums.parent.absolute()
    provenance = json.loads((record / "provenance.json").read_text())
    subprocess.run(["git", "clone", "--quiet", "--no-checkout", ".", tmp_path / "clone"], check=True)

    def run(*command):
        return subprocess.run(command, cwd=tmp_path / "clone", capture_output=True, text=True)

    if run("git", "checkout", "--quiet", provenance["commit"]).returncode:
        pytest.skip(f"this clone's history does not reach back to {provenance['commit']}, which made the record")
    restored = run(sys.executable, "scripts/restore.py", record)
    assert restored.returncode == 0, restored.stderr
    for command in provenance["commands"]:
        planned = run(*command.replace("snakemake", "snakemake --dry-run", 1).split())
        assert "Nothing to be done" in planned.stdout + planned.stderr, command


@pytest.mark.skipif(not RECORDS, reason="results/published holds no record")
def test_readme_says_what_the_record_says(tmp_path):
    copy = tmp_path / "README.md"
    copy.write_text(Path("README.md").read_text())
    record = Path("results/published/smollm2-135m-cpu")
    subprocess.run([sys.executable, "scripts/readme.py", record, "--readme", copy], check=True)
    assert copy.read_text() == Path("README.md").read_text(), f"run python scripts/readme.py {record}"
