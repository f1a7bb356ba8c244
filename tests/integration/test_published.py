"""The repository's own records: they can be recomputed and restored, and README has their numbers."""

import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from record.checksums import write_checksums
from record.layout import FORMAT

RECORDS = sorted(Path("results/published").glob("*/SHA256SUMS"))
# The commit that published a record of format 1, which is no longer here.
EARLIER, AT = "results/published/smollm2-135m-cpu", "7e5967329f685c1627e7bafb77fcd50d17f7a248"


@pytest.fixture
def earlier(tmp_path):
    """A record of an earlier format, from the history."""
    shallow = subprocess.run(["git", "rev-parse", "--is-shallow-repository"], capture_output=True, text=True)
    if shallow.stdout.strip() != "false":
        pytest.skip("this is no clone with the whole history, which has the record")
    archive = subprocess.run(["git", "archive", AT, EARLIER], capture_output=True, check=True)
    tarfile.open(fileobj=io.BytesIO(archive.stdout)).extractall(tmp_path, filter="data")
    return tmp_path / EARLIER


@pytest.mark.skipif(not RECORDS, reason="results/published holds no record")
def test_records_are_recomputed(tmp_path):
    """Each by the code that reads its format."""
    process = subprocess.run(
        [sys.executable, "scripts/verify.py", "--results", tmp_path, "--verified", tmp_path / "verified.json"],
        capture_output=True,
        text=True,
    )
    output = process.stdout + process.stderr
    if "run verify in a clone with the whole history" in output or "this is no clone" in output:
        pytest.skip("this clone's history does not reach back to the commit that made a record")
    assert process.returncode == 0, output
    counts = [int(count) for count in re.findall(r"(\d+) numbers recomputed", process.stdout)]
    unjudged = output.count("judges its answers, and is not installed here")
    assert len(counts) + unjudged == len(RECORDS) and all(count > 1000 for count in counts), output


def verified(record, tmp_path):
    command = [sys.executable, "scripts/verify.py", "--records", record.parent, "--results", tmp_path]
    return subprocess.run([*command, "--verified", tmp_path / "v.json"], capture_output=True, text=True)


def test_a_record_of_an_earlier_format(earlier, tmp_path):
    """The code of the record's commit recomputes it, and its exit code is respected."""
    process = verified(earlier, tmp_path)
    assert process.returncode == 0 and "5017 numbers recomputed" in process.stdout, process.stdout + process.stderr
    results = earlier / "results.json"
    text = results.read_text()
    results.write_text(re.sub(r'"correct": (\d+)', lambda m: f'"correct": {int(m[1]) + 1}', text, count=1))
    write_checksums(earlier)
    process = verified(earlier, tmp_path)
    output = process.stdout + process.stderr
    assert process.returncode == 1 and ": published " in output and "is not the published file" not in output, output


def test_a_record_is_of_its_commits_format(earlier, tmp_path):
    """One that states another would have the code of its commit ask itself, without end."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    provenance = json.loads((earlier / "provenance.json").read_text())
    (earlier / "provenance.json").write_text(json.dumps(provenance | {"commit": head}))
    write_checksums(earlier)
    process = verified(earlier, tmp_path)
    assert process.returncode == 1 and f"which made it, writes {FORMAT}" in process.stdout + process.stderr


@pytest.mark.skipif(not RECORDS, reason="results/published holds no record")
def test_a_copy_without_git_is_verified(checkout, earlier):
    """As a bundle is one: what needs git is said, and the rest is held as in a clone."""
    readme = checkout.folder / "README.md"
    text = readme.read_text()
    name = re.search(r"\]\((results/published/[^)]+)\)", text)[1]
    shutil.copytree(name, checkout.folder / name)
    shutil.copytree(earlier, checkout.folder / EARLIER)

    def again():
        process = subprocess.run(
            [sys.executable, "scripts/verify.py"], cwd=checkout.folder, capture_output=True, text=True
        )
        return process.returncode, process.stdout

    code, output = again()
    assert code == 0 and "NOT recomputed" in output and "0 mismatches" in output, output
    assert "in what could be recomputed" in output and "every published number was reproduced" not in output, output
    readme.write_text(re.sub(r"(?<=base model \| \| )[\d.]+", "97.9", text))
    (checkout.folder / name / "SHA256SUMS.sig").write_text("no signature")
    code, output = again()
    assert code == 1 and f"mismatch: README.md: its numbers are not those of {name}" in output, output
    assert ("NOT checked" if shutil.which("ssh-keygen") is None else "not a signature of") in output, output


@pytest.mark.parametrize("sums", RECORDS, ids=lambda sums: sums.parent.name)
def test_a_restored_record_is_finished_work(tmp_path, sums):
    """With the code of its commit, nothing is left to do for the run and its controls."""
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


@pytest.mark.parametrize("record", re.findall(r"<!-- numbers: .* (\S+) -->", Path("README.md").read_text()))
def test_readme_has_the_numbers_of_the_record(record, tmp_path):
    copy, figure = tmp_path / "README.md", tmp_path / "results.svg"
    copy.write_text(Path("README.md").read_text())
    command = ["scripts/update_readme.py", record]
    subprocess.run([sys.executable, *command, "--readme", copy, "--figure", figure], check=True)
    committed = {copy: Path("README.md"), figure: Path("images", f"{Path(record).name}.svg")}
    for made, path in committed.items():
        assert made.read_text() == path.read_text(), f"run python {' '.join(command)}"
