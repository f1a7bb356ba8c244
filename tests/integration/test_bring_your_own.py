"""The page "Bring your own": its files, written as they stand there, make a run."""

import csv
import json
import re

from conftest import call


def test_the_worked_example(checkout):
    """From the page's records to a training and its comparison; only the model is the tests' own."""
    page = (checkout.folder / "config/bring_your_own.md").read_text()
    blocks = re.findall(r"```(\w+)\n(.*?)```", page, re.DOTALL)
    (records,) = [text for kind, text in blocks if kind == "jsonl"]
    task, rewards = [text for kind, text in blocks if kind == "python"]
    config, _ = [text for kind, text in blocks if kind == "yaml"]
    (command,) = [text for kind, text in blocks if kind == "bash"]
    (checkout.folder / "mine/animals").mkdir(parents=True)
    files = {"animals.py": task, "rewards.py": rewards, "config.yaml": config, "animals/train.jsonl": records}
    files["animals/test.jsonl"] = records.replace("Which one", "Which of these")
    for name, text in files.items():
        (checkout.folder / "mine" / name).write_text(text)
    assert command.split() == ["snakemake", "--cores", "1", "--configfile", "mine/config.yaml"]
    # The tests' model and two steps on it, of completions that need not look like answers.
    checkout.settings = {key: checkout.settings[key] for key in ("model", "train", "merge", "eval")}
    checkout.settings["prompt"] = {"format": "[^a-e]*"}
    checkout.write()
    target = "results/animals/compare/animals/grpo-seed0.json"
    process = call(checkout.folder, "--configfile", "mine/config.yaml", "tiny.yaml", "--", target)
    assert process.returncode == 0, process.stdout
    found = json.loads((checkout.folder / target).read_text())
    assert found["extractors"].keys() == {"strict", "flexible"} and found["extractors"]["strict"]["n"] == 4
    row = next(csv.DictReader((checkout.folder / "results/animals/training/grpo-seed0/history.csv").open()))
    assert 0 < float(row["rewards/mine/rewards.py:brevity/mean"]) < 1
    asked = json.loads((checkout.folder / "results/animals/eval/animals/base/metrics.json").read_text())["protocol"]
    assert "Which of these barks?\nA) a cat\nB) a dog\nC) a fish" in asked["prompts"]["first"]
