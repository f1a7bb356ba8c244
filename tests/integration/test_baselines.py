"""A baseline: the base model alone, by another protocol for the same problems, held to a published number."""

import gzip
import json
import subprocess
from pathlib import Path

import pytest
from record.checksums import write_checksums

VENDOR = {"score": 0.25, "source": "the vendor's card, a made-up number of this test"}


def with_baseline(checkout):
    """Add a task with the same test split, another prompt and a published number, on which the base model is alone."""
    ours = checkout.settings["tasks"]["word_problems"]
    checkout.settings["tasks"]["vendor"] = {
        "source": ours["source"],
        "size": {"test": 20},
        "sha256": {},
        "limit": {},
        "prompt": {"system": "Put the answer in a box.", "answer": r"boxed\{([^{}]*)\}", "format": ".*"},
        "eval": {"sampling": {"max_new_tokens": 12}},
        "published": {"base": VENDOR},
    }
    ours["published"] = {"trained": {"score": 0.5, "source": "a paper"}}
    checkout.settings["baselines"] = ["vendor"]
    checkout.write()


def test_a_baseline_is_measured_and_held_to_its_number(rerun):
    with_baseline(rerun)
    planned = rerun.planned()
    assert planned["evaluate"] == 1 and not {"train", "compare", "probe_contamination", "merge_lora"} & planned.keys()
    process = rerun.snakemake()
    assert process.returncode == 0, process.stdout + process.stderr
    folder = rerun.folder / "results/tiny"
    value = json.loads((folder / "results.json").read_text())
    metrics = json.loads((folder / "eval/vendor/base/metrics.json").read_text())
    assert value["baselines"]["vendor"] == {"address": "eval/vendor/base/metrics.json", "metrics": metrics}
    assert metrics["protocol"]["prompt"]["system"] == "Put the answer in a box." and value["tasks"].keys() == {
        "word_problems"
    }
    distance = value["published"]["vendor"]["base"]["distances"]["strict"]
    assert distance["difference"] == metrics["scores"]["strict"]["value"] - 0.25
    assert distance["difference_low"] <= distance["difference"] < distance["difference_high"]
    for text in ((folder / "table.txt").read_text(), (folder / "report.html").read_text()):
        assert "problems of vendor, the base model scores" in text and "a made-up number of this test" in text.replace(
            "&#39;", "'"
        )
        assert "problems of word_problems, arm grpo scores" in text
    rerun.settings["tasks"]["vendor"]["published"]["base"]["score"] = 0.3
    rerun.write()
    assert {"tabulate_results", "report"} <= rerun.planned().keys() <= {"tabulate_results", "report", "package_model"}


def test_a_record_with_a_baseline_is_verified(record, monkeypatch):
    """Its completions are recomputed too, and a forged one is named."""
    from verify import verify

    with_baseline(record)
    commit = ["git", "-c", "user.name=n", "-c", "user.email=e", "commit", "--quiet", "--all", "--message", "b"]
    subprocess.run(commit, cwd=record.folder, check=True)
    process = record.snakemake("--", "publish")
    assert process.returncode == 0, process.stdout + process.stderr
    monkeypatch.chdir(record.folder)
    folder, results = Path("results/published/tiny"), Path("results/tiny")
    wrong, said = verify(folder, results, Path("allowed_signers"))
    assert not wrong and any(line.startswith("vendor: 20 problems made again") for line in said), (wrong, said)
    samples = folder / "eval/vendor/base/samples.jsonl.gz"
    first, *rest = gzip.decompress(samples.read_bytes()).decode().splitlines(keepends=True)
    forged = json.loads(first)
    forged["completion"] = f"boxed{{{forged['gold']}}}"
    samples.write_bytes(gzip.compress((json.dumps(forged) + "\n" + "".join(rest)).encode()))
    write_checksums(folder)
    wrong, _ = verify(folder, results, Path("allowed_signers"))
    assert any(line.startswith("eval/vendor/base/samples") for line in wrong), wrong


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"baselines": ["nowhere"]}, "there is no task nowhere"),
        ({"baselines": ["word_problems"]}, "baselines: word_problems is in evaluate_on"),
    ],
)
def test_bad_baselines(checkout, change, says):
    checkout.write(**change)
    process = checkout.snakemake("--dry-run")
    assert process.returncode != 0 and says in process.stdout + process.stderr


def test_a_published_number_is_a_proportion(checkout):
    checkout.settings["tasks"]["word_problems"]["published"] = {"base": {"score": 73.2, "source": "a card"}}
    checkout.write()
    process = checkout.snakemake("--dry-run")
    assert process.returncode != 0 and "0.732 is 73.2 %" in process.stdout + process.stderr
