"""Statements of others that a record was reproduced: signed, about its scores, and each key once."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from record.attestations import check, faults, read, statement
from record.readme import END, MARK, block, check_readme
from stage.files import write_json

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen here")
LEAST = ("base", "grpo-seed0")
TEMPLATE = Path("workflow/report/readme.md.j2")


@pytest.fixture
def record(tmp_path):
    """A record of three policies by one extractor, the first trained one of which is claimed, and of another prompt."""
    folder = tmp_path / "records/tiny"
    for policy in (*LEAST, "control-seed0"):
        for task in ("other_prompt", "task"):
            write_json(folder / f"eval/{task}/{policy}/metrics.json", {"scores": {"strict": {}}})
    write_json(folder / "results.json", {"policy": "grpo-seed0", "shown": {"tasks": ["task", "other_prompt"]}})
    write_json(folder / "provenance.json", {"commands": ["snakemake --cores 1"]})
    write_json(folder / "config.json", {"controls": {"arms": {}}, "headline": "strict", "evaluate_on": []})
    (folder / "SHA256SUMS").write_text(f"{64 * 'a'}  results.json\n")
    return folder


def address(policy):
    return f"eval/task/{policy}/metrics.json:strict"


def attest(record, folder, key, name, verdict, policies=LEAST, **changes):
    """Write a statement with one verdict on all, signed with a key that is made if there is none."""
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    verdicts = [{"address": address(policy), "verdict": verdict} for policy in policies]
    path = folder / "tiny" / f"{name}.json"
    write_json(path, statement(record, verdicts, {"cpu": f"cpu of {key.name}"}) | changes)
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "build-reasoning-model", path]
    subprocess.run(command, check=True, capture_output=True)
    return path


def page(record, folder):
    return block(record, TEMPLATE, {}, read(record, folder)[2])


def test_a_key_counts_once_and_failures_do_not(record, tmp_path):
    folder, ann, bob, eve = tmp_path / "attestations", tmp_path / "ann", tmp_path / "bob", tmp_path / "eve"
    assert check(record, folder) == ([], [])
    attest(record, folder, ann, "1", "identical")
    attest(record, folder, ann, "2", "identical")
    attest(record, folder, bob, "3", "within")
    attest(record, folder, eve, "4", "outside")
    assert check(record, folder) == ([], ["reproduced by 2 of 3 signers"])
    (record / "SHA256SUMS").write_text("another record\n")
    assert check(record, folder) == ([], ["4 signed statements are of another record of this run"])


@pytest.mark.parametrize("names", [("1", "2"), ("2", "1")])
def test_a_failure_stands_whatever_else_the_key_says(record, tmp_path, names):
    for name, verdict in zip(names, ("outside", "identical"), strict=True):
        attest(record, tmp_path / "attestations", tmp_path / "ann", name, verdict)
    assert check(record, tmp_path / "attestations") == ([], ["reproduced by 0 of 1 signers"])
    assert "0 of 1 signer reproduced it" in page(record, tmp_path / "attestations")


def test_an_edited_or_unsigned_statement_is_a_mismatch(record, tmp_path):
    folder = tmp_path / "attestations"
    path = attest(record, folder, tmp_path / "ann", "1", "outside")
    path.write_text(path.read_text().replace("outside", "identical"))
    (wrong,), said = check(record, folder)
    assert f"{path}: no valid signature" in wrong and said == []
    path.with_name("1.json.sig").unlink()
    assert "no valid signature" in check(record, folder)[0][0]


@pytest.mark.parametrize(
    ("policies", "changes", "line"),
    [
        ([*LEAST, "another"], {}, "has no score eval/task/another/metrics.json:strict"),
        (["base"], {}, "there is no verdict on eval/task/grpo-seed0/metrics.json:strict"),
        (["control-seed0", "grpo-seed0"], {}, "there is no verdict on eval/task/base/metrics.json:strict"),
        ([], {}, "there is no verdict on eval/task/base/metrics.json:strict"),
        (LEAST, {"verdicts": dict.fromkeys(map(address, LEAST), ["within"])}, "the verdict on eval/task/base"),
        (LEAST, {"verdicts": ["identical"]}, "it cannot be read: AttributeError"),
        (LEAST, {"machine": {"cpu": "[fast](https://example.org)"}}, "machine.cpu is no short plain name"),
        (LEAST, {"machine": {"cpu": "a`<b>b</b>`"}}, "machine.cpu is no short plain name"),
        (LEAST, {"machine": {"cpu": "a\nb"}}, "machine.cpu is no short plain name"),
        (LEAST, {"machine": {"cpu": 99 * "a"}}, "machine.cpu is no short plain name"),
        (LEAST, {"machine": {"cpu": ["a"]}}, "it cannot be read: TypeError"),
    ],
)
def test_a_statement_is_about_the_scores_of_the_record(record, tmp_path, policies, changes, line):
    """Of base model and claim at least; whatever else a stranger signed is a mismatch and does not reach README."""
    folder = tmp_path / "attestations"
    path = attest(record, folder, tmp_path / "eve", "1", "identical", policies, **changes)
    (wrong,), said = check(record, folder)
    assert wrong.startswith(f"{path}: ") and line in wrong and said == []
    assert "attestations" not in page(record, folder)


@pytest.mark.parametrize(
    ("cpu", "named"),
    [("Intel(R) Xeon(R) CPU @ 2.70GHz", "Intel(R) Xeon(R) CPU @ 2.70GHz"), ("<i>Fast®</i>", "iFast/i"), ("", "Linux")],
)
def test_a_statement_of_any_machine_is_one(record, cpu, named):
    verdicts = [{"address": address(policy), "verdict": "within"} for policy in LEAST]
    value = statement(record, verdicts, {"cpu": cpu, "system": "Linux"})
    assert value["machine"]["cpu"] == named and faults(record, value) == []


def test_without_ssh_keygen_statements_are_not_checked(record, tmp_path, monkeypatch):
    """That is said, and is no mismatch: neither theirs nor README's, which counts them."""
    folder, readme = tmp_path / "attestations", tmp_path / "README.md"
    attest(record, folder, tmp_path / "ann", "1", "identical")
    readme.write_text(f"{MARK.format(record)}{END}\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert check(record, folder) == ([], ["signed statements NOT checked: there is no ssh-keygen here"])
    wrong, (said,) = check_readme(record, readme, TEMPLATE, tmp_path / "results.svg", folder)
    assert wrong == [] and "README.md NOT compared" in said
    assert check(record, tmp_path / "none") == ([], [])


def test_readme_counts_signers_and_scores(record, tmp_path):
    folder = tmp_path / "attestations"
    assert "reproduced it" not in page(record, folder)
    attest(record, folder, tmp_path / "ann", "1", "identical")
    attest(record, folder, tmp_path / "eve", "2", "not identical")
    attest(record, folder, tmp_path / "bob", "3", "within", [*LEAST, "control-seed0"])
    text = page(record, folder)
    assert "2 of 3 signers reproduced it, by statements in [attestations](attestations):\n" in text
    assert text.endswith("2 of 6 scores on `cpu of ann`;\n3 of 6 scores on `cpu of bob`.\n") and "eve" not in text
    assert json.loads((folder / "tiny/1.json").read_text())["run"] == "tiny"
