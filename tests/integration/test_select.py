"""The checkpoint that is best on dev becomes the policy, before anything reads the test split."""

import json

import pytest

POLICY = "grpo-seed0"
TEST = f"results/tiny/eval/word_problems/{POLICY}/metrics.json"


@pytest.fixture(scope="module")
def selected(tmp_path_factory, tiny_model):
    """A checkout with a policy chosen among the checkpoints of three steps."""
    from conftest import Checkout

    checkout = Checkout(tmp_path_factory.mktemp("selected") / "checkout", tiny_model)
    checkout.settings["train"]["grpo"]["max_steps"] = 3
    checkout.settings["train"]["select"] = {"every": 2}
    checkout.write()
    process = checkout.snakemake("--", TEST)
    checkout.output = process.stdout + process.stderr
    assert process.returncode == 0, checkout.output
    return checkout


def test_the_earliest_of_equal_ones(selected):
    """No checkpoint of the tiny model solves anything, so step 2 is chosen, and not the last one."""
    results = selected.folder / "results/tiny"
    selection = json.loads((results / f"training/{POLICY}/selection.json").read_text())
    assert [each["step"] for each in selection["checkpoints"]] == [2, 3]
    assert (selection["chosen"], selection["split"], selection["headline"]) == (2, "dev", "strict")
    candidates, name = results / f"candidates/{POLICY}", "adapter_model.safetensors"
    weights = (results / f"adapters/{POLICY}" / name).read_bytes()
    assert weights == (candidates / "step2" / name).read_bytes()
    assert (candidates / name).read_bytes() == (candidates / "step3" / name).read_bytes() != weights
    assert (results / f"adapters/{POLICY}/completions").is_dir()
    assert not list((results / f"adapters/{POLICY}").glob("step*"))


def test_test_comes_after_the_choice(selected):
    """The trained policy is evaluated on the test split once, after selection; its checkpoints on dev alone."""
    lines = [line.strip() for line in selected.output.splitlines()]
    choice = lines.index("Select a checkpoint of grpo, seed 0")
    assert lines.index(f"Evaluate {POLICY} on word_problems") > choice
    of_steps = [line for line in lines if line.startswith(f"Evaluate {POLICY}-step")]
    assert of_steps and all(line.endswith(" on word_problems_dev") for line in of_steps)
    assert all(lines.index(line) < choice for line in of_steps)


def test_other_checkpoints_train_again(selected):
    """The number of steps between candidates is a setting of the training; without it there is nothing to select."""
    selected.write(train=selected.settings["train"] | {"select": {"every": 1}})
    assert selected.planned("--", TEST)["train"] == 1
    selected.write(train=selected.settings["train"] | {"select": {"every": None}})
    planned = selected.planned("--", TEST)
    assert planned["train"] == 1 and "select_checkpoint" not in planned
    selected.write()
    assert selected.planned("--", TEST) == {}
