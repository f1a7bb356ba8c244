"""Only changed stages rerun: the jobs that Snakemake plans after each kind of change."""

import hashlib
import json
import os
import shutil
import subprocess

import pytest

EVALUATIONS = {"evaluate", "compare", "tabulate_results", "report", "package_model"}
TRAINING = {"train", "merge_lora", "check_merge"}


def edit(checkout, path, text="\n# edited\n"):
    with open(checkout.folder / path, "a") as file:
        file.write(text)


def test_nothing_changed(rerun):
    assert rerun.planned() == {}


def test_touched_script(rerun):
    (rerun.folder / "scripts/train.py").touch()
    (rerun.folder / "scripts/reasoning/answer.py").touch()
    assert rerun.planned() == {}


def test_edited_extractor(rerun):
    edit(rerun, "scripts/reasoning/answer.py")
    planned = rerun.planned()
    assert TRAINING | EVALUATIONS <= planned.keys()
    assert "download_model" not in planned and planned["evaluate"] == 2


@pytest.mark.parametrize("path", ["workflow/report/report.html.j2", "scripts/reporting/figures.py"])
def test_edited_report(rerun, path):
    edit(rerun, path)
    assert rerun.planned() == {"report": 1}


@pytest.mark.parametrize("name", ["number", "answer"])
def test_edited_reading_of_answers(rerun, name):
    """Completions are evaluated again, but nothing is downloaded."""
    edit(rerun, f"scripts/reasoning/{name}.py")
    planned = rerun.planned()
    assert "evaluate" in planned and not any(rule.startswith("download") for rule in planned)


def test_edited_lock(rerun):
    """Without containers, the environment is the user's, and the results record it."""
    edit(rerun, "envs/cpu.txt")
    assert rerun.planned() == {}


def test_merged_models_that_are_not_kept(rerun):
    rerun.write(keep={"merged_models": False})
    assert rerun.planned().keys() == {"report", "package_model"}  # which state the config
    process = rerun.snakemake("--forcerun", "merge_lora")
    assert process.returncode == 0, process.stdout + process.stderr
    models = rerun.folder / "results/tiny/models"
    assert [path.name for path in models.iterdir()] == ["base"]
    assert rerun.planned() == {}
    rerun.write(keep={"merged_models": False}, eval=rerun.settings["eval"] | {"batch_size": 4})
    assert "merge_lora" in rerun.planned() and "train" not in rerun.planned()


def test_edited_unused_backend(rerun):
    (rerun.folder / "scripts/backends/eval_other.py").write_text("")
    edit(rerun, "scripts/sources/hf.py")
    assert rerun.planned() == {}


def test_edited_used_backend(rerun):
    edit(rerun, "scripts/backends/eval_transformers.py")
    assert rerun.planned().keys() == EVALUATIONS


def test_changed_eval_key(rerun):
    rerun.write(eval=rerun.settings["eval"] | {"batch_size": 4})
    planned = rerun.planned()
    assert planned.keys() == EVALUATIONS | {"probe_contamination"} and planned["evaluate"] == 2


def test_changed_train_key(rerun):
    grpo = rerun.settings["train"]["grpo"] | {"learning_rate": 1e-3}
    rerun.write(train=rerun.settings["train"] | {"grpo": grpo})
    planned = rerun.planned()
    assert planned.keys() == TRAINING | EVALUATIONS and planned["evaluate"] == 1


def test_added_seed(rerun):
    rerun.write(seeds=[0, 1])
    planned = rerun.planned()
    assert planned.keys() == TRAINING | EVALUATIONS
    assert (planned["train"], planned["evaluate"], planned["compare"]) == (1, 1, 1)


def test_fresh_clone_with_restored_results(rerun, tmp_path):
    """git gives every file the time of the clone; results and metadata from an archive keep their own."""
    archive, clone = tmp_path / "results.tar", tmp_path / "clone"
    subprocess.run(["tar", "-cf", archive, "results", ".snakemake/metadata"], cwd=rerun.folder, check=True)
    ignore = shutil.ignore_patterns("results", ".snakemake", "logs")
    shutil.copytree(rerun.folder, clone, ignore=ignore, copy_function=shutil.copy)
    subprocess.run(["tar", "-xf", archive], cwd=clone, check=True)
    rerun.folder = clone
    assert rerun.planned() == {}
    rerun.write(eval=rerun.settings["eval"] | {"batch_size": 4})
    assert rerun.planned().keys() == EVALUATIONS | {"probe_contamination"}


def test_two_clones_share_downloads(finished, tiny_model, tmp_path):
    """Snakemake's between-workflow cache: a changed module must not give a stale hit."""
    from conftest import Checkout

    cache, wanted = tmp_path / "cache", ["results/tiny/models/base", "results/tiny/data/word_problems/train.jsonl"]
    cache.mkdir()

    def run(checkout):
        process = checkout.snakemake("--cache", "--", *wanted, SNAKEMAKE_OUTPUT_CACHE=str(cache))
        assert process.returncode == 0, process.stdout + process.stderr
        return sorted(cache.iterdir())

    first, second = (Checkout(tmp_path / name, tiny_model) for name in ("first", "second"))
    shared = run(first)
    assert run(second) == shared
    assert (second.folder / wanted[0] / "model.safetensors").is_symlink()
    assert (second.folder / wanted[1]).is_symlink()
    edit(second, "scripts/reasoning/prompt.py")
    shutil.rmtree(second.folder / "results")
    assert run(second) != shared


BASE = "results/tiny/models/base"
DATA = "results/tiny/data/word_problems"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def other_model(tiny_model, folder):
    """A copy of the tiny model with other weights."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny_model, folder)
    weights = load_file(folder / "model.safetensors")
    save_file({name: value + 1 for name, value in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    return folder


def test_another_source_with_a_shared_cache(checkout, tiny_model, tmp_path):
    """Links into the cache make way: for a download, for another link, and without the cache again."""
    models = {"first": tiny_model, "second": other_model(tiny_model, tmp_path / "second")}
    (tmp_path / "cache").mkdir()

    def holds(name, *arguments):
        checkout.settings["model"]["source"] = str(models[name])
        checkout.write()
        process = checkout.snakemake(*arguments, "--", BASE, SNAKEMAKE_OUTPUT_CACHE=str(tmp_path / "cache"))
        output = process.stdout + process.stderr
        assert process.returncode == 0 and "Traceback" not in output, output
        assert digest(checkout.folder / BASE / "model.safetensors") == digest(models[name] / "model.safetensors")

    for arguments in (["--cache"], ["--cache"], []):
        holds("first", *arguments)
        holds("second", *arguments)


def test_a_failed_download_is_not_forgotten(checkout, tiny_model):
    """The old model stays, as what it is: the same command fails again, and the old settings find nothing to do."""
    assert checkout.snakemake("--", BASE).returncode == 0
    before = digest(checkout.folder / BASE / "model.safetensors")
    checkout.settings["model"]["source"] = "nowhere"
    checkout.write()
    for _ in range(2):
        process = checkout.snakemake("--", BASE)
        assert process.returncode != 0 and "there is no folder nowhere" in process.stdout + process.stderr
    assert digest(checkout.folder / BASE / "model.safetensors") == before
    checkout.settings["model"]["source"] = str(tiny_model)
    checkout.write()
    assert checkout.planned("--", BASE) == {}


def test_a_killed_download_leaves_nothing_in_the_way(checkout, tiny_model, tmp_path):
    """Snakemake's copy of an output, which it makes before updating it, is still there after kill -9."""
    assert checkout.snakemake("--", BASE).returncode == 0
    shutil.copytree(checkout.folder / BASE, checkout.folder / ".snakemake/backups" / BASE)
    checkout.settings["model"]["source"] = str(other_model(tiny_model, tmp_path / "second"))
    checkout.write()
    process = checkout.snakemake("--", BASE)
    assert process.returncode == 0, process.stdout + process.stderr


def test_files_replaced_in_a_source_folder(checkout, tiny_model, tmp_path):
    model = shutil.copytree(tiny_model, tmp_path / "model")
    (tmp_path / "data").mkdir()
    problem = {"question": "Q{}?", "answer": "1+1=<<1+1=2>>2\n#### 2"}
    for split in ("train", "test"):
        (tmp_path / f"data/{split}.jsonl").write_text(json.dumps(problem).replace("{}", split) + "\n")
    checkout.settings["model"]["source"] = str(model)
    data = {"source": str(tmp_path / "data"), "size": {"train": 1, "test": 1}}
    checkout.settings["tasks"]["word_problems"].update(data)
    checkout.write()
    targets = ("--", BASE, f"{DATA}/raw/train.jsonl")
    process = checkout.snakemake(*targets)
    assert process.returncode == 0, process.stdout + process.stderr
    assert checkout.planned(*targets) == {}
    (model / "model.safetensors").touch()
    assert checkout.planned(*targets) == {}
    shutil.copy2(other_model(tiny_model, tmp_path / "other") / "model.safetensors", model)
    assert checkout.planned(*targets) == {"download_model": 1}
    shutil.copy2(tiny_model / "model.safetensors", model)
    (tmp_path / "data/train.jsonl").write_text(json.dumps(problem).replace("{}", "other") + "\n")
    assert checkout.planned(*targets) == {"download_data": 1}


@pytest.mark.parametrize(
    ("path", "forced", "cure"),
    [
        (f"{BASE}/model.safetensors", "train", "download_model"),
        (f"{DATA}/raw/test.jsonl", "format_task", "download_data"),
        (f"{DATA}/train.jsonl", "train", "format_task"),
        ("results/tiny/adapters/grpo-seed0/adapter_model.safetensors", "merge_lora", "train"),
        ("results/tiny/models/grpo-seed0/model.safetensors", "evaluate", "merge_lora"),
        ("results/tiny/models/grpo-seed0/config.json", "check_merge", "merge_lora"),
        (f"{DATA}/test.jsonl", "probe_contamination", "format_task"),
        ("results/tiny/adapters/grpo-seed0/adapter_config.json", "package_model", "train"),
    ],
)
def test_damaged_outputs_are_not_used(rerun, path, forced, cure):
    """A changed byte stops the stage that reads it, with the option that makes it again; nothing is deleted."""
    damaged, times = rerun.folder / path, (rerun.folder / path).stat()
    content = bytearray(damaged.read_bytes())
    content[-2] ^= 1
    damaged.write_bytes(content)
    os.utime(damaged, ns=(times.st_atime_ns, times.st_mtime_ns))
    process = rerun.snakemake("--forcerun", forced)
    output = process.stdout + process.stderr
    assert process.returncode != 0 and f"error: {path} is not what {cure} wrote" in output, output
    assert f"--forcerun {cure}" in output and damaged.read_bytes() == content


def test_a_folder_of_another_origin_is_not_used(rerun, tiny_model):
    merged = rerun.folder / "results/tiny/models/grpo-seed0"
    shutil.rmtree(merged)
    shutil.copytree(tiny_model, merged, ignore=shutil.ignore_patterns("SHA256SUMS"))
    os.utime(merged)
    process = rerun.snakemake("--forcerun", "evaluate")
    assert process.returncode != 0
    assert "models/grpo-seed0/SHA256SUMS is not what merge_lora wrote" in process.stdout + process.stderr
