"""The page "Bring your own": its files, written as they stand there, make a run."""

import csv
import json
import re

from conftest import call


def test_the_worked_example(checkout):
    """From the page's records to a training and an evaluation; only the model is the tests' own."""
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
    targets = [
        f"results/animals/{path}" for path in ("training/grpo-seed0/history.csv", "eval/animals/base/metrics.json")
    ]
    process = call(checkout.folder, "--configfile", "mine/config.yaml", "tiny.yaml", "--", *targets)
    assert process.returncode == 0, process.stdout
    row = next(csv.DictReader((checkout.folder / targets[0]).open()))
    assert 0 < float(row["rewards/mine/rewards.py:brevity/mean"]) < 1
    metrics = json.loads((checkout.folder / targets[1]).read_text())
    assert metrics["scores"].keys() == {"strict", "flexible"} and metrics["n"] == 4
    assert "Which of these barks?\nA) a cat\nB) a dog\nC) a fish" in metrics["protocol"]["prompts"]["first"]
