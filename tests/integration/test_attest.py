"""A statement that a run reproduced the record is made where the run was made, of the whole run, and counted."""

import json
import re
import shutil
import subprocess
import sys

import pytest

RECORD = "results/published/tiny"

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen here")


@pytest.fixture
def attest(record, tmp_path):
    """A function that attests the record with a new key, or the file given, and returns `(exit code, output)`."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)

    def call(key="key"):
        command = [sys.executable, "scripts/attest.py", RECORD, "--key", tmp_path / key]
        process = subprocess.run(command, cwd=record.folder, capture_output=True, text=True)
        assert "Traceback" not in process.stderr, process.stderr
        return process.returncode, process.stdout + process.stderr

    return call


def statements(record):
    return [json.loads(path.read_text()) for path in record.folder.glob("attestations/tiny/*.json")]


@pytest.mark.parametrize("key", ["key", "key.pub"])
def test_a_run_is_attested_and_counted(record, attest, key):
    """Also by a public key whose private one is beside it, as ssh-keygen takes it."""
    code, output = attest(key)
    assert code == 0 and "12 scores identical, signed with key SHA256:" in output, output
    assert f"python scripts/update_readme.py {RECORD}" in output
    readme = record.folder / "README.md"
    readme.write_text(f"<!-- numbers: python scripts/update_readme.py {RECORD} -->\n<!-- end of numbers -->\n")
    subprocess.run([sys.executable, "scripts/update_readme.py", RECORD], cwd=record.folder, check=True)
    assert re.search("1 of 1 signer reproduced it, .*\n12 of 12 scores on `.+`\\.", readme.read_text())
    process = subprocess.run([sys.executable, "scripts/verify.py"], cwd=record.folder, capture_output=True, text=True)
    assert process.returncode == 0 and "reproduced by 1 of 1 signers" in process.stdout, process.stdout


def test_a_part_of_the_run_is_attested_if_it_has_the_claim(record, attest):
    results = record.folder / "results/tiny"
    for policy in ("random_reward-seed0", "format_only-seed0"):
        shutil.rmtree(results / "eval/word_problems" / policy)
    assert "6 scores identical" in attest()[1]
    (statement,) = statements(record)
    assert {address.split("/")[2] for address in statement["verdicts"]} == {"base", "grpo-seed0"}
    shutil.rmtree(results / "eval/word_problems/grpo-seed0")
    code, output = attest()
    assert code == 1 and "is not the whole run: there is no verdict on eval/word_problems/grpo-seed0" in output


@pytest.mark.parametrize(
    ("made", "change", "policy"),
    [
        ("models/base", "empty", "base"),
        ("models/base", "other", "base"),
        ("models/base", "gone", "base"),
        ("adapters/grpo-seed0", "empty", "grpo-seed0"),
        ("adapters/grpo-seed0", "gone", "grpo-seed0"),
        ("models/grpo-seed0", "other", "grpo-seed0"),
        ("adapters/format_only-seed0", "gone", "format_only-seed0"),
    ],
)
def test_copied_evaluations_are_not_attested(record, attest, made, change, policy):
    """Nor those of other weights: an evaluation counts beside what it was made of."""
    folder = record.folder / "results/tiny" / made
    for weights in folder.glob("*.safetensors"):
        weights.write_bytes(b"other") if change == "other" else weights.unlink()
    if change == "gone":
        shutil.rmtree(folder)
    code, output = attest()
    assert code == 1 and f"error: {policy} was not made here" in output, output
    assert statements(record) == []


def test_a_merged_model_may_be_deleted(record, attest):
    shutil.rmtree(record.folder / "results/tiny/models/grpo-seed0")
    assert attest()[0] == 0
    merge = record.folder / "results/tiny/merge/grpo-seed0.json"
    value = json.loads(merge.read_text())
    merge.write_text(json.dumps(value | {"weights": {"model.safetensors": 64 * "0"}}))
    assert "grpo-seed0 was not made here" in attest()[1]


def test_a_key_that_cannot_sign_is_named(record, attest, tmp_path):
    (tmp_path / "key").unlink()
    code, output = attest("key.pub")
    assert code == 1 and "key.pub did not sign the statement" in output, output
    assert "give a private SSH key as --key, or the public one of a key that ssh-agent holds" in output
    assert statements(record) == []
