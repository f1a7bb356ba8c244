"""A sweep trains settings with every seed, and measures the one that is chosen on dev on the test split."""

import csv
import json

import pytest

RATES = {
    name: {"train": {"grpo": {"learning_rate": rate}}} for name, rate in (("low", 1e-4), ("mid", 1e-3), ("high", 0.1))
}

SEEDS = [0, 1, 2]


@pytest.fixture(scope="module")
def swept(tmp_path_factory, tiny_model):
    """A checkout with a finished sweep of three settings."""
    from conftest import Checkout

    checkout = Checkout(tmp_path_factory.mktemp("swept") / "checkout", tiny_model)
    checkout.settings["train"]["grpo"]["max_steps"] = 1
    checkout.settings |= {"sweep": {"rate": RATES}, "seeds": SEEDS}
    checkout.write()
    process = checkout.snakemake("--", "sweep")
    assert process.returncode == 0, process.stdout + process.stderr
    checkout.output = process.stdout
    return checkout


def test_one_table_and_one_figure(swept):
    folder = swept.folder / "results/tiny"
    choice = json.loads((folder / "sweep/choice.json").read_text())
    assert choice["split"] == "dev"
    rows = list(csv.DictReader((folder / "sweep/table.csv").open()))
    tried, chosen = rows[:-1], rows[-1]
    assert {row["setting"] for row in tried} == {"grpo_low", "grpo_mid", "grpo_high"}
    assert {(row["arm"], row["split"], row["seeds"], row["n"]) for row in tried} == {
        ("grpo", "dev", str(len(SEEDS)), "8")
    }
    assert chosen["setting"] == tried[0]["setting"] == choice["chosen"] and chosen["split"] == "test"
    assert float(tried[0]["mean"]) == max(float(row["mean"]) for row in tried)
    assert all(float(row["low"]) <= float(row["difference"]) <= float(row["high"]) for row in rows)
    assert (folder / "sweep/settings.pdf").read_bytes().startswith(b"%PDF")
    assert f"chosen on dev: {choice['chosen']}" in swept.output


def test_settings_are_what_was_trained(swept):
    for name, each in RATES.items():
        stated = json.loads(
            (swept.folder / f"results/tiny/training/grpo_{name}-seed{SEEDS[-1]}/arguments.json").read_text()
        )
        assert stated["learning_rate"] == each["train"]["grpo"]["learning_rate"] and stated["seed"] == SEEDS[-1]


def test_only_the_chosen_setting_reads_the_test_split(swept):
    choice = json.loads((swept.folder / "results/tiny/sweep/choice.json").read_text())
    measured = {path.name for path in (swept.folder / "results/tiny/eval/word_problems").iterdir()}
    assert measured == {"base", *choice["settings"][choice["chosen"]]["policies"]}


def test_it_shares_what_is_equal(swept, tmp_path):
    """Another setting trains that setting alone."""
    checkout = swept.copy(tmp_path / "checkout")
    assert checkout.planned("--", "sweep") == {}
    checkout.settings = swept.settings | {"sweep": {"rate": RATES | {"none": {"train": {"grpo": {"beta": 0.1}}}}}}
    checkout.write()
    planned = checkout.planned("--", "sweep")
    assert planned["train"] == planned["merge_lora"] == planned["evaluate"] == len(SEEDS)
    assert "download_model" not in planned and "format_task" not in planned


def test_models_are_an_axis(swept, tmp_path):
    """Another base model is downloaded, trained and evaluated; its data are the same."""
    from conftest import make_tiny_model

    make_tiny_model(tmp_path / "larger", intermediate_size=96)
    checkout = swept.copy(tmp_path / "checkout")
    models = {"small": {}, "larger": {"model": {"source": str(tmp_path / "larger")}}}
    checkout.settings = swept.settings | {"seeds": [0], "sweep": {"size": models}}
    checkout.write()
    planned = checkout.planned("--", "sweep")
    assert planned["download_swept_model"] == 1 and planned["train"] == 2 and planned["evaluate"] == 3
    assert "download_model" not in planned and "format_task" not in planned
    process = checkout.snakemake("--", "sweep")
    assert process.returncode == 0, process.stdout + process.stderr
    choice = json.loads((checkout.folder / "results/tiny/sweep/choice.json").read_text())
    assert {name: each["base"] for name, each in choice["settings"].items()} == {
        "grpo_small": "base",
        "grpo_larger": "base_larger",
    }
    sizes = {
        name: (checkout.folder / f"results/tiny/models/{name}/model.safetensors").stat().st_size
        for name in ("base", "base_larger", "grpo_small-seed0", "grpo_larger-seed0")
    }
    assert sizes["base_larger"] > sizes["base"] and sizes["grpo_larger-seed0"] > sizes["grpo_small-seed0"]


@pytest.mark.parametrize(
    "sweep, words",
    [
        ({}, "sweep has no axes"),
        ({"a": {"x_y": {}}, "b": {"y": {}}, "c": {}}, "config: sweep.c"),
        ({"a": {"x": {}, "X": {}}}, "is there twice"),
        ({"a": {"x": {"eval": {}}}}, "has no key eval"),
    ],
)
def test_bad_sweeps(checkout, sweep, words):
    checkout.write(sweep=sweep)
    process = checkout.snakemake("--dry-run", "--", "sweep")
    assert process.returncode != 0 and words in process.stdout + process.stderr


@pytest.mark.parametrize("target", ["results/tiny/report.html", "sweep"])
def test_no_command_grows_with_the_policies(checkout, target):
    """Long lists of files go through a file: Linux takes 128 KiB in one argument, which a command is to a shell."""
    checkout.write(seeds=[*range(300)], sweep={"rate": {"same": {}}})
    process = checkout.snakemake("--dry-run", "--printshellcmds", "--", target)
    assert process.returncode == 0, process.stdout + process.stderr
    commands = process.stdout.split("python ")[1:]
    assert len(commands) > 900 and max(text.index("\n\n") for text in commands[:-1]) < 2**16
