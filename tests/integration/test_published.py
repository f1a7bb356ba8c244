"""The records in the repository itself: they stand, and README says what they say."""

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


@pytest.mark.skipif(not RECORDS, reason="results/published holds no record")
def test_readme_says_what_the_record_says(tmp_path):
    copy = tmp_path / "README.md"
    copy.write_text(Path("README.md").read_text())
    record = Path("results/published/smollm2-135m-cpu")
    subprocess.run([sys.executable, "scripts/readme.py", record, "--readme", copy], check=True)
    assert copy.read_text() == Path("README.md").read_text(), f"run python scripts/readme.py {record}"
