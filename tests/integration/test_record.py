"""The published record: it can be recomputed and restored, and changes to it are detected."""

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from record.layout import FORMAT

RECORD = "results/published/tiny"


def script(checkout, name, *arguments):
    """Run a script in a checkout; returns its exit code and output."""
    process = subprocess.run(
        [sys.executable, f"scripts/{name}.py", *arguments], cwd=checkout.folder, capture_output=True, text=True
    )
    assert "Traceback" not in process.stderr, process.stderr
    return process.returncode, process.stdout + process.stderr


def list_anew(record):
    """Rewrite SHA256SUMS, as somebody would who wants a changed record to pass."""
    files = sorted(p for p in record.rglob("*") if p.is_file() and p.name != "SHA256SUMS")
    sums = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(record)}\n" for p in files]
    (record / "SHA256SUMS").write_text("".join(sums))


def test_controls(published):
    results = json.loads((published.folder / "results/tiny/controls/results.json").read_text())
    arms = results["tasks"]["word_problems"]["arms"]
    assert arms.keys() == {"grpo", "random_reward", "format_only"}
    page = (published.folder / "results/tiny/controls/report.html").read_text()
    assert "the best of the controls" in page and page.index("<h2>Arms</h2>") < page.index("<h2>Training</h2>")


def test_record(published):
    record = published.folder / RECORD
    names = {str(path.relative_to(record)) for path in record.rglob("*") if path.is_file()}
    assert {"results.json", "controls/results.json", "report.html", "provenance.json", "SHA256SUMS"} <= names
    assert {"record.html", "config.json", "ro-crate-metadata.json", "figures/curves.pdf", "workflow/Snakefile"} <= names
    assert "eval/word_problems/random_reward-seed0/samples.jsonl.gz" in names
    assert {"jobs.json", "training/format_only-seed0/history.csv", "training/grpo-seed0/environment.json"} <= names
    notes = json.loads((record / "jobs.json").read_text())
    assert notes["results/tiny/results.json"]["rule"] == "tabulate_results"
    assert not any("safetensors" in name for name in names)
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=record, check=True)
    provenance = json.loads((record / "provenance.json").read_text())
    assert provenance["format"] == FORMAT and len(provenance["commit"]) == 40
    assert provenance["stages"]["train/grpo-seed0"]["seconds"] > 0
    assert provenance["stages"]["evaluate/word_problems/base"]["tokens_per_second"] > 0
    assert "adapters/grpo-seed0/adapter_model.safetensors" in provenance["weights"]
    page = (record / "record.html").read_text()
    assert provenance["commit"] in page and provenance["machine"]["cpu"] in page
    assert page.index("grpo-seed0 is") < page.index("format_only-seed0 is")
    assert str(published.folder.parent) not in (record / "provenance.json").read_text()


def test_numbers_of_readme(published, tmp_path):
    """README gets the record's numbers between the marks that name it, and updating it again changes nothing."""
    readme = tmp_path / "README.md"
    marks = [f"<!-- numbers: python scripts/update_readme.py {record} -->" for record in ("another", RECORD)]
    readme.write_text("".join(f"before\n{mark}\nold\n<!-- end of numbers -->\nafter\n" for mark in marks))
    given = (RECORD, "--readme", str(readme), "--figure", str(tmp_path / "results.svg"))
    assert script(published, "update_readme", *given)[0] == 0
    text, drawn = readme.read_text(), (tmp_path / "results.svg").read_text()
    assert drawn.startswith("<svg") and "random_reward" in drawn
    before, after = text.split(marks[1])
    assert before.count("\nold\n") == 1 and after.endswith("after\n") and "\nold\n" not in after
    results = json.loads((published.folder / RECORD / "controls/results.json").read_text())
    change = results["tasks"]["word_problems"]["arms"]["random_reward"]["strict"]
    assert f"{100 * change['difference']:+.1f} [{100 * change['low']:+.1f}, {100 * change['high']:+.1f}]" in text
    assert script(published, "update_readme", *given)[0] == 0
    assert (readme.read_text(), (tmp_path / "results.svg").read_text()) == (text, drawn)


def test_nothing_uncommitted_is_published(record):
    with open(record.folder / "scripts/verify.py", "a") as file:
        file.write("# changed\n")
    shutil.rmtree(record.folder / RECORD)
    process = record.snakemake("--", "publish")
    assert process.returncode != 0 and "commit your changes first" in process.stdout + process.stderr


def test_verify(record):
    process = record.snakemake("--", "verify")
    output = process.stdout + process.stderr
    assert process.returncode == 0, output
    assert "every published number was reproduced" in output
    assert "eval/word_problems/grpo-seed0/metrics.json:strict" in output and "outside" not in output


def test_verify_needs_no_torch(record):
    code = (
        "import sys, runpy; sys.path.insert(0, 'scripts'); sys.argv = ['verify.py'];"
        "runpy.run_path('scripts/verify.py', run_name='__main__'); assert not {'torch', 'trl'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], cwd=record.folder, check=True)


def change_sample(record):
    path = record / "eval/word_problems/base/samples.jsonl.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    lines[0] = json.dumps(json.loads(lines[0]) | {"completion": "#### 1", "tokens": 99})
    path.write_bytes(gzip.compress("\n".join(lines).encode()))


def change_number(record):
    path = record / "results.json"
    results = json.loads(path.read_text())
    results["tasks"]["word_problems"]["policies"]["grpo-seed0"]["metrics"]["scores"]["strict"]["value"] = 0.99
    path.write_text(json.dumps(results))


def change_table(record):
    path = record / "controls/table.csv"
    path.write_text(path.read_text().replace("base", "bass", 1))


def change_hash(record):
    path = record / "eval/word_problems/base/metrics.json"
    path.write_text(path.read_text().replace('"protocol_hash": "', '"protocol_hash": "0'))


def change_gold(record):
    path = record / "eval/word_problems/grpo-seed0/samples.jsonl.gz"
    samples = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    samples[0]["gold"] = "77777"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, samples)).encode()))


def change_config(record):
    path = record / "config.json"
    path.write_text(path.read_text().replace('"split": "test"', '"split": "dev"'))


@pytest.mark.parametrize(
    "change", [change_sample, change_number, change_table, change_hash, change_gold, change_config]
)
def test_verify_finds(record, change):
    change(record.folder / RECORD)
    code, output = script(record, "verify")
    assert code == 1 and "is not the published file" in output
    list_anew(record.folder / RECORD)
    code, output = script(record, "verify")
    assert code == 1 and "is not the published file" not in output
    words = (", recomputed ", "does not follow from results.json", "not the problems that the base model was asked")
    assert any(word in output for word in words)
    assert "every published number was reproduced" not in output


@pytest.mark.parametrize("name", ["eval/word_problems/base/samples.jsonl.gz", "results.json", "SHA256SUMS"])
def test_verify_finds_a_lost_file(record, name):
    (record.folder / RECORD / name).unlink()
    code, output = script(record, "verify")
    assert code == 1 and (f"{name} is missing" in output or f"has no {name}" in output)
    if name != "SHA256SUMS":
        list_anew(record.folder / RECORD)
        code, output = script(record, "verify")
        assert code == 1 and "cannot be recomputed: FileNotFoundError" in output


def test_verify_finds_a_truncated_file(record):
    path = record.folder / RECORD / "eval/word_problems/base/samples.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-40])
    list_anew(record.folder / RECORD)
    code, output = script(record, "verify")
    assert code == 1 and "cannot be recomputed" in output


def edit_samples(folder, policy, change):
    """Let `change` return another sample for each of a policy of the fresh run."""
    path = folder / f"results/tiny/eval/word_problems/{policy}/samples.jsonl"
    samples = [change(json.loads(line)) for line in path.read_text().splitlines()]
    path.write_text("".join(f"{json.dumps(sample)}\n" for sample in samples))


def on_another_cpu(folder, policy):
    """Let the fresh run state that it ran on another kind of CPU."""
    path = folder / f"results/tiny/eval/word_problems/{policy}/metrics.json"
    metrics = json.loads(path.read_text())
    metrics["environment"]["processor"]["capability"] = "another"
    path.write_text(json.dumps(metrics))


def won(*problems):
    return lambda s: s | {"completion": "x", "correct": s["correct"] | {"strict": s["id"] in problems}}


@pytest.mark.parametrize(
    ("problems", "elsewhere", "verdict", "code"),
    [
        (None, True, "identical", 0),
        ([], False, "not identical", 1),
        ([], True, "within", 0),
        (["test-0", "test-1"], True, "within", 0),
        ([f"test-{i}" for i in range(15)], True, "outside", 1),
    ],
    ids=["identical", "same CPU, other completions", "another CPU", "another CPU, two more", "another CPU, 15 more"],
)
def test_verify_judges_a_fresh_run(record, problems, elsewhere, verdict, code):
    """On the same kind of CPU completions are the same; elsewhere a score is where one more training is expected."""
    if elsewhere:
        on_another_cpu(record.folder, "base")
    if problems is not None:
        edit_samples(record.folder, "base", won(*problems))
    exit_code, output = script(record, "verify")
    (line,) = [each for each in output.splitlines() if each.startswith("eval/word_problems/base/metrics.json:strict")]
    assert line.endswith(f": {verdict}") and exit_code == code, output


def test_a_run_made_otherwise_is_not_judged(record):
    path = record.folder / "results/tiny/training/grpo-seed0/arguments.json"
    path.write_text(path.read_text().replace('"temperature": 0.8', '"temperature": 0.9'))
    code, output = script(record, "verify")
    assert code == 1 and "metrics.json:strict" in output and "trained differently (temperature)" in output


def test_completions_are_made_again(record):
    """By the models of this machine's run; a rewritten completion is found, whatever else was made to fit."""

    def again(count):
        return script(record, "verify", "--rerun", str(count))[1]

    output = again(20)
    assert output.count("20 of 20 completions made again are as published") == 4, output
    assert "every published number was reproduced" in output
    assert "8 of 8 completions made again" in again(1) or "4 of 4 completions made again" in again(1)
    path = record.folder / RECORD / "eval/word_problems/base/samples.jsonl.gz"
    samples = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    samples[7]["completion"] = "#### 7"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, samples)).encode()))
    shutil.rmtree(record.folder / "results/tiny/models/grpo-seed0")
    output = again(20)
    assert "mismatch: eval/word_problems/base: 19 of 20 completions made again are as published" in output, output
    assert "grpo-seed0: NOT made again: results/tiny/models/grpo-seed0 does not hold the published weights" in output


def test_restored_record_is_finished_work(record, tmp_path):
    """In a fresh clone with the restored record, nothing is to be done, and a change reruns only what it affects."""
    clone = tmp_path / "clone"
    ignore = shutil.ignore_patterns("results", ".snakemake", "logs", ".git")
    shutil.copytree(record.folder, clone, ignore=ignore, copy_function=shutil.copy)
    shutil.copytree(record.folder / RECORD, clone / RECORD, copy_function=shutil.copy)
    record.folder = clone
    code, output = script(record, "restore", RECORD)
    assert code == 0, output
    assert record.planned() == {}
    assert record.planned("--", "controls") == {}
    for path in ("workflow/report/report.html.j2", "scripts/reporting/figures.py"):
        before = (clone / path).read_text()
        (clone / path).write_text(before + "\n")
        assert record.planned().keys() == record.planned("--", "controls").keys() == {"report"}, path
        (clone / path).write_text(before)
    code, output = script(record, "restore", RECORD)
    assert code == 1 and "may hold finished work" in output
    record.write(eval=record.settings["eval"] | {"batch_size": 4})
    assert {"evaluate", "train", "download_model"} <= record.planned().keys()


def test_a_renamed_record_is_not_restored(record):
    """Its metadata would be mistaken for that of another run's finished work."""
    shutil.move(record.folder / RECORD, record.folder / "results/published/other")
    code, output = script(record, "restore", "results/published/other")
    assert code == 1 and "not the record of a run other" in output and not (record.folder / "results/other").exists()


def test_a_restored_record_is_not_published_again(record):
    """A run that was not trained here has no measurements to publish, and the existing record is kept."""
    shutil.rmtree(record.folder / "results/tiny/adapters")
    process = record.snakemake("--allowed-rules", "publish", "--forcerun", "publish", "--", "publish")
    assert process.returncode != 0 and "was not trained here" in process.stdout + process.stderr
    assert (record.folder / RECORD / "SHA256SUMS").exists()


def test_an_arm_that_the_config_no_longer_has(record):
    """Its outputs are still in the run's folder, and nothing of it goes into the record, which verifies."""
    controls = record.settings["controls"]
    record.write(controls=controls | {"arms": {"random_reward": controls["arms"]["random_reward"]}})
    commit = "git -c user.name=n -c user.email=e commit --quiet --all --message m"
    subprocess.run(commit.split(), cwd=record.folder, check=True)
    process = record.snakemake("--", "publish")
    assert process.returncode == 0, process.stdout + process.stderr
    assert (record.folder / "results/tiny/compare/word_problems/format_only-seed0.json").exists()
    stated = [path.name for path in (record.folder / RECORD).rglob("*format_only*")]
    stated += [
        name
        for name in ("jobs.json", "provenance.json")
        if "format_only" in (record.folder / RECORD / name).read_text()
    ]
    assert stated == []
    code, output = script(record, "verify")
    assert code == 0 and "0 mismatches" in output, output


def test_a_damaged_record_is_not_restored(record):
    shutil.rmtree(record.folder / "results/tiny")
    change_table(Path(record.folder, RECORD))
    code, output = script(record, "restore", RECORD)
    assert code == 1 and "git checkout" in output and not (record.folder / "results/tiny").exists()


def test_a_record_grows(record, tmp_path):
    """A restored record takes further policies without making the others again, and is published with them."""
    earlier = json.loads((record.folder / RECORD / "provenance.json").read_text())
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", record.folder, clone], check=True)
    shutil.copytree(record.folder / RECORD, clone / RECORD, copy_function=shutil.copy, dirs_exist_ok=True)
    record.folder = clone
    record.write()
    code, output = script(record, "restore", RECORD, "--extend")
    assert code == 0 and record.planned("--", "controls") == {}, output
    # Without packages, a further seed is all that is made, with what is new of it.
    record.write(seeds=[], arms={"grpo": {"seeds": [0, 1]}})
    planned = record.planned("--", "publish")
    assert planned["train"] == planned["evaluate"] == 1 and "package_model" not in planned, planned
    record.write(controls=record.settings["controls"] | {"seeds": [0, 1]})
    planned = record.planned("--", "publish")
    assert planned["train"] == planned["evaluate"] == 3 and "download_model" not in planned, planned
    process = record.snakemake("--", "publish")
    assert process.returncode and "commit your changes first" in process.stdout + process.stderr
    assert "publish" in record.planned("--", "publish")
    commit = ("git", "-c", "user.name=n", "-c", "user.email=e", "commit", "--quiet", "--all", "--message", "more seeds")
    subprocess.run(commit, cwd=clone, check=True)
    process = record.snakemake("--", "publish")
    assert process.returncode == 0, process.stdout + process.stderr
    provenance = json.loads((clone / RECORD / "provenance.json").read_text())
    assert "train/grpo-seed1" in provenance["stages"].keys() - earlier["stages"].keys()
    for stage in ("train/format_only-seed0", "evaluate/word_problems/base"):
        assert provenance["stages"][stage] == earlier["stages"][stage]
    (origin,) = provenance["origins"]
    assert {"train/format_only-seed0", "train/grpo-seed0"} <= set(origin["stages"])
    assert origin["commit"] == earlier["commit"]
    assert "adapters/format_only-seed0/adapter_model.safetensors" in provenance["weights"]
    process = record.snakemake("--", "verify")
    assert process.returncode == 0, process.stdout + process.stderr
