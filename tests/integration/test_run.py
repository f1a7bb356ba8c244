"""A whole run on a tiny model: every stage works, and a second run gives the same bytes."""

import csv
import hashlib
import json
import subprocess

from reasoning.protocol import protocol_hash

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
    assert merge["tensors"]["merged"] == 10 and merge["tensors"]["largest_change"] > 0  # 5 matrices in each of 2 layers


def test_history(finished):
    rows = list(csv.DictReader((finished.folder / RESULTS / "training/grpo-seed0/history.csv").open()))
    assert [row["step"] for row in rows] == ["1", "2"]
    wanted = "loss reward rewards/accuracy/mean completions/mean_length entropy kl clip_ratio/region_mean".split()
    assert {*wanted, "frac_reward_zero_std"} <= rows[0].keys()
    assert all(row[key] != "" for row in rows for key in wanted)
    assert not any("time" in key for key in rows[0])


def test_no_path_of_this_machine(finished):
    """Hashed outputs do not depend on the folder."""
    names = "training/grpo-seed0/arguments.json training/grpo-seed0/history.csv training/grpo-seed0/environment.json"
    for name in (*names.split(), "results.json", "eval/word_problems/base/metrics.json", "merge/grpo-seed0.json"):
        assert str(finished.folder.parent) not in (finished.folder / RESULTS / name).read_text()


def test_same_bytes_again_with_other_cores(finished, checkout):
    """Another clone with one core instead of two: the config sets the thread count, so the bytes are the same."""
    wanted = [
        f"{RESULTS}/adapters/grpo-seed0",
        f"{RESULTS}/training/grpo-seed0/history.csv",
        f"{RESULTS}/training/grpo-seed0/arguments.json",
        f"{RESULTS}/eval/word_problems/grpo-seed0/samples.jsonl",
        f"{RESULTS}/eval/word_problems/base/samples.jsonl",
    ]
    process = checkout.snakemake("--", *wanted, cores=1)
    assert process.returncode == 0, process.stdout + process.stderr
    adapter = (f"{wanted[0]}/{name}" for name in ("adapter_model.safetensors", "adapter_config.json"))
    for name in (*adapter, *wanted[1:]):
        assert digest(checkout.folder / name) == digest(finished.folder / name), name


def test_nothing_to_be_done(rerun):
    process = rerun.snakemake()
    assert process.returncode == 0 and "Nothing to be done" in process.stdout + process.stderr


def test_several_processes(checkout):
    """As on several GPUs, two processes share each step and batch, and only one of them writes."""
    checkout.settings["train"]["processes"] = 2
    checkout.settings["train"]["grpo"]["per_device_train_batch_size"] = 2
    checkout.write()
    process = checkout.snakemake("--", f"{RESULTS}/adapters/grpo-seed0")
    assert process.returncode == 0, process.stdout + process.stderr
    training = checkout.folder / RESULTS / "training/grpo-seed0"
    assert len(list(csv.DictReader((training / "history.csv").open()))) == 2
    assert json.loads((training / "arguments.json").read_text())["generation_batch_size"] == 4


def test_outputs_state_their_environment(finished):
    """What made a number is read from its file: versions that are installed, lock files whose pins are installed."""
    import torch  # noqa: F401  # whose kernels are part of the environment
    from stage.environment import environment

    here = json.loads(json.dumps(environment()))
    assert here["packages"]["torch"] and {"envs/cpu.txt"} <= here["lock_files"].keys()
    results = finished.folder / RESULTS
    for name in ("training/grpo-seed0/environment.json", "models/base/environment.json"):
        assert json.loads((results / name).read_text()) == here, name
    (group,) = json.loads((results / "results.json").read_text())["environments"]
    assert group["environment"] == here
    stages = {stage.partition("/")[0] for stage in group["stages"]}
    assert stages == {"download_model", "train", "merge_lora", "check_merge", "evaluate", "probe_contamination"}
    assert here["lock_files"]["envs/cpu.txt"][:12] in (results / "report.html").read_text()


def test_an_edited_lock_file_is_not_named_over_old_numbers(rerun):
    """A report that is rewritten after an edit of the lock file names the lock file that the stages ran with."""
    before = digest(rerun.folder / "envs/cpu.txt")
    with open(rerun.folder / "envs/cpu.txt", "a") as file:
        file.write("# edited\n")
    process = rerun.snakemake("--forcerun", "report", "--", f"{RESULTS}/report.html")
    assert process.returncode == 0, process.stdout + process.stderr
    page = (rerun.folder / RESULTS / "report.html").read_text()
    assert before[:12] in page and digest(rerun.folder / "envs/cpu.txt")[:12] not in page


def test_policies_of_other_engine_versions_are_not_compared(rerun):
    """After an upgrade of the engine, only the new seed is planned, and its score is not compared with old ones."""
    path = rerun.folder / RESULTS / "eval/word_problems/base/metrics.json"
    metrics = json.loads(path.read_text())
    metrics["protocol"]["engine"]["transformers"] = "5.0.0"
    metrics["protocol_hash"] = protocol_hash(metrics["protocol"])
    path.write_text(json.dumps(metrics))
    process = rerun.snakemake("--forcerun", "compare", "--", f"{RESULTS}/compare/word_problems/grpo-seed0.json")
    output = process.stdout + process.stderr
    assert process.returncode != 0
    assert "error: these scores were measured differently (engine): measure all of them again" in output


def test_reports_over_several_environments_say_so(rerun):
    path = rerun.folder / RESULTS / "training/grpo-seed0/environment.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"python": "3.10.1"}))
    process = rerun.snakemake("--forcerun", "tabulate_results", "--", f"{RESULTS}/report.html")
    assert process.returncode == 0, process.stdout + process.stderr
    assert "2 different environments" in (rerun.folder / RESULTS / "table.txt").read_text()
    page = (rerun.folder / RESULTS / "report.html").read_text()
    assert "2 different environments" in page and "Python 3.10.1" in page and "of train/grpo-seed0" in page
