"""Statements of others that a record was reproduced: signed, about this record, and each key once."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from record.attestations import check, read, statement
from record.readme import block
from stage.files import write_json

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen here")


@pytest.fixture
def record(tmp_path):
    folder = tmp_path / "records/tiny"
    folder.mkdir(parents=True)
    (folder / "SHA256SUMS").write_text(f"{64 * 'a'}  results.json\n")
    return folder


def attest(record, folder, key, name, verdict):
    """Write a statement with one verdict, signed with a key that is made if there is none."""
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    verdicts = [{"address": "eval/task/base/metrics.json:strict", "verdict": verdict}]
    path = folder / "tiny" / f"{name}.json"
    write_json(path, statement(record, verdicts, {"cpu": f"cpu of {key.name}"}))
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "build-reasoning-model", path]
    subprocess.run(command, check=True, capture_output=True)
    return path


def test_a_key_counts_once_and_failures_do_not(record, tmp_path):
    folder, ann, bob, eve = tmp_path / "attestations", tmp_path / "ann", tmp_path / "bob", tmp_path / "eve"
    assert check(record, folder) == ([], [])
    attest(record, folder, ann, "1", "identical")
    attest(record, folder, ann, "2", "identical")
    attest(record, folder, bob, "3", "within")
    attest(record, folder, eve, "4", "outside")
    assert check(record, folder) == ([], ["reproduced by 2 of 3 signed statements"])
    (record / "SHA256SUMS").write_text("another record\n")
    assert check(record, folder) == ([], ["4 signed statements are of another record of this run"])


def test_an_edited_or_unsigned_statement_is_a_mismatch(record, tmp_path):
    folder = tmp_path / "attestations"
    path = attest(record, folder, tmp_path / "ann", "1", "outside")
    path.write_text(path.read_text().replace("outside", "identical"))
    (wrong,), said = check(record, folder)
    assert f"{path}: no valid signature" in wrong and said == []
    path.with_name("1.json.sig").unlink()
    assert "no valid signature" in check(record, folder)[0][0]


def test_readme_counts_machines(record, tmp_path):
    write_json(record / "provenance.json", {"commands": ["snakemake --cores 1"]})
    write_json(record / "config.json", {"controls": {"arms": {}}, "headline": "strict"})
    folder, template = tmp_path / "attestations", Path("workflow/report/readme.md.j2")

    def page():
        return block(record, template, {}, read(record, folder)[2])

    assert "independent" not in page()
    attest(record, folder, tmp_path / "ann", "1", "identical")
    attest(record, folder, tmp_path / "eve", "2", "not identical")
    assert "1 independent machine reproduced it" in page() and "cpu of ann" in page() and "eve" not in page()
    assert json.loads((folder / "tiny/1.json").read_text())["run"] == "tiny"
