"""The page "Bring your own": its files, written as they stand there, make a run."""

import csv
import json
import re
import shutil
import subprocess

from conftest import call


def lay_out(checkout):
    """Write the page's files into a checkout, and an overlay with the tests' model and two steps on it."""
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
    # Completions need not look like answers.
    checkout.settings = {key: checkout.settings[key] for key in ("model", "train", "merge", "eval", "controls")}
    checkout.settings["prompt"] = {"format": "[^a-e]*"}
    checkout.write()


def test_the_worked_example(checkout):
    """From the page's records to a training and an evaluation; only the model is the tests' own."""
    lay_out(checkout)
    # Two steps of the page's batch.
    checkout.write(train={"lora": checkout.settings["train"]["lora"], "grpo": {"max_steps": 2}})
    targets = [
        f"results/animals/{path}" for path in ("training/grpo-seed0/history.csv", "eval/animals/base/metrics.json")
    ]
    process = call(checkout.folder, "--configfile", "mine/config.yaml", "tiny.yaml", "--", *targets)
    assert process.returncode == 0, process.stdout
    row = next(csv.DictReader((checkout.folder / targets[0]).open()))
    assert 0 < float(row["rewards/mine/rewards.py:brevity/mean"]) < 1
    metrics = json.loads((checkout.folder / targets[1]).read_text())
    assert metrics["scores"].keys() == {"strict", "flexible"} and metrics["n"] == 8
    assert "Which of these barks?\nA) a cat\nB) a dog\nC) a fish" in metrics["protocol"]["prompts"]["first"]


def test_its_record(checkout):
    """It verifies, although the overlay names its files from its own folder."""
    lay_out(checkout)
    for git in ("git init --quiet", "git add .", "git -c user.name=n -c user.email=e commit --quiet --message m"):
        subprocess.run(git.split(), cwd=checkout.folder, check=True)
    process = call(checkout.folder, "--configfile", "mine/config.yaml", "tiny.yaml", "--", "publish")
    assert process.returncode == 0, process.stdout
    process = call(checkout.folder, "--", "verify")
    assert process.returncode == 0 and "every published number was reproduced" in process.stdout, process.stdout
    assert "config held to config/config.yaml and mine/config.yaml and tiny.yaml" in process.stdout


# A template in the manner of Qwen3's, which stops if a stage does not tell it whether to think.
DEMANDS = """{% if enable_thinking is not defined %}{{ raise_exception('think or not?') }}{% endif -%}
{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor -%}
{% if add_generation_prompt %}<|assistant|>{% if not enable_thinking %}<think></think>{% endif %}{% endif %}"""


def test_another_models_switch(checkout, tiny_model):
    """What the template is told reaches every stage: evaluation, both trainers, and the check of the merge."""
    model = checkout.folder / "model"
    shutil.copytree(tiny_model, model)
    (model / "chat_template.jinja").write_text(DEMANDS)
    told = {"chat_template_kwargs": {"enable_thinking": False}, "prefill": "<think></think>"}
    prompt = checkout.settings["prompt"] | told
    train = checkout.settings["train"] | {"solution": "<think></think>{solution}\n#### {answer}"}
    train["sft"] = {"max_steps": 2, "per_device_train_batch_size": 2}
    arms = {"grpo": {}, "sft": {"train": {"trainer": "sft"}}}
    settings = {"model": checkout.settings["model"] | {"source": "model"}, "train": train, "arms": arms}
    settings["prompt"] = prompt
    checkout.write(**settings)
    targets = [f"results/tiny/{path}" for path in ("merge/grpo-seed0.json", "merge/sft-seed0.json")]
    targets.append("results/tiny/eval/word_problems/base/metrics.json")
    process = checkout.snakemake("--", *targets)
    assert process.returncode == 0, process.stdout + process.stderr
    prompts = json.loads((checkout.folder / targets[-1]).read_text())["protocol"]["prompts"]
    assert prompts["first"].endswith("<|end|><|assistant|><think></think>")
    samples = (checkout.folder / targets[-1]).with_name("samples.jsonl").read_text().splitlines()
    assert all(json.loads(line)["completion"].startswith("<think></think>") for line in samples)
    kept = (checkout.folder / "results/tiny/adapters/sft-seed0/demonstrations.jsonl").read_text().splitlines()
    assert all(json.loads(line)["completion"].count("<think></think>") == 1 for line in kept)
    checkout.write(**settings | {"prompt": prompt | {"chat_template_kwargs": {"tokenize": True}}})
    refused = checkout.snakemake("--dry-run")
    assert refused.returncode and "a name that the model's chat template asks for" in refused.stdout + refused.stderr
