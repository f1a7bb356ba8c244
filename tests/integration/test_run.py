"""A whole run on a tiny model: every stage for real, and the same bytes again."""

import csv
import hashlib
import json
import subprocess

RESULTS = "results/tiny"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_everything_is_there(finished):
    results = finished.folder / RESULTS
    for name in ("results.json", "table.csv", "table.txt", "report.html", "numbers.tex", "table.tex"):
        assert (results / name).stat().st_size > 0, name
    package = {p.name for p in (results / "hub/grpo-seed0").iterdir()}
    assert {"model.safetensors", "README.md", "adapter", "results.json", "protocol.json", "SHA256SUMS"} <= package
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=results / "hub/grpo-seed0", check=True)


def test_ends_with_the_table(finished):
    assert "report: results/tiny/report.html" in finished.output
    assert "McNemar" in finished.output


def test_base_and_policy_are_measured_alike(finished):
    metrics = [
        json.loads((finished.folder / RESULTS / f"eval/word_problems/{policy}/metrics.json").read_text())
        for policy in ("base", "grpo-seed0")
    ]
    assert metrics[0]["protocol_hash"] == metrics[1]["protocol_hash"]
    assert [m["n"] for m in metrics] == [20, 20]


def test_merge_is_faithful(finished):
    merge = json.loads((finished.folder / RESULTS / "merge/grpo-seed0.json").read_text())
    assert merge["agreement"] == 1.0 and merge["max_logit_difference"] < 1e-3


def test_history(finished):
    rows = list(csv.DictReader((finished.folder / RESULTS / "adapters/grpo-seed0/history.csv").open()))
    assert [row["step"] for row in rows] == ["1", "2"]
    wanted = "loss reward rewards/accuracy/mean completions/mean_length entropy kl clip_ratio/region_mean".split()
    assert {*wanted, "frac_reward_zero_std"} <= rows[0].keys()
    assert all(row[key] != "" for row in rows for key in wanted)
    assert not any("time" in key for key in rows[0])


def test_no_path_of_this_machine(finished):
    """Hashed outputs say nothing of where they were made."""
    for name in ("adapters/grpo-seed0/effective.json", "adapters/grpo-seed0/history.csv", "results.json"):
        assert str(finished.folder.parent) not in (finished.folder / RESULTS / name).read_text()


def test_same_bytes_again_with_other_cores(finished, checkout):
    """Another clone, one core instead of two: the thread count is the config's and the bytes are the same."""
    wanted = [
        f"{RESULTS}/adapters/grpo-seed0",
        f"{RESULTS}/eval/word_problems/grpo-seed0/samples.jsonl",
        f"{RESULTS}/eval/word_problems/base/samples.jsonl",
    ]
    process = checkout.snakemake("--", *wanted, cores=1)
    assert process.returncode == 0, process.stdout + process.stderr
    adapter = (f"{wanted[0]}/{name}" for name in ("adapter_model.safetensors", "adapter_config.json", "history.csv"))
    for name in (*adapter, *wanted[1:]):
        assert digest(checkout.folder / name) == digest(finished.folder / name), name


def test_nothing_to_be_done(finished):
    process = finished.snakemake()
    assert process.returncode == 0 and "Nothing to be done" in process.stdout + process.stderr


def test_several_processes(checkout):
    """As on several GPUs: two processes step together, their batches are one, and one of them writes."""
    checkout.settings["train"]["processes"] = 2
    checkout.settings["train"]["grpo"]["per_device_train_batch_size"] = 2
    checkout.write()
    process = checkout.snakemake("--", f"{RESULTS}/adapters/grpo-seed0")
    assert process.returncode == 0, process.stdout + process.stderr
    adapter = checkout.folder / RESULTS / "adapters/grpo-seed0"
    assert len(list(csv.DictReader((adapter / "history.csv").open()))) == 2
    assert json.loads((adapter / "effective.json").read_text())["generation_batch_size"] == 4
