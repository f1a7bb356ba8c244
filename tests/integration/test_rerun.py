"""Only changed stages rerun: the jobs that Snakemake plans after each kind of change."""

import shutil
import subprocess

import pytest

EVALUATIONS = {"evaluate", "compare", "tabulate_results", "report", "package_model"}
TRAINING = {"train_grpo", "merge_lora", "check_merge"}


def edit(checkout, path, text="\n# edited\n"):
    with open(checkout.folder / path, "a") as file:
        file.write(text)


def test_nothing_changed(rerun):
    assert rerun.planned() == {}


def test_touched_script(rerun):
    (rerun.folder / "scripts/train_grpo.py").touch()
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
    assert "merge_lora" in rerun.planned() and "train_grpo" not in rerun.planned()


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
    assert (planned["train_grpo"], planned["evaluate"], planned["compare"]) == (1, 1, 1)


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
