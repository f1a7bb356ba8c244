"""Arms that learn otherwise: by imitation of solutions or of a teacher, and from another arm's policy on."""

import json
import re
import subprocess

import pytest

ARMS = {
    "grpo": {},
    "sft_grpo": {"train": {"start": "cold", "problems": {"skip": 4}}},
    "cold": {"train": {"trainer": "sft", "problems": {"limit": 4, "shuffle": True}}},
    "both": {"merge_of": {"adapters": {"grpo": 0.7, "cold": 0.3}, "method": "cat"}},
}


@pytest.fixture(scope="module")
def arms(tmp_path_factory, tiny_model):
    """A published run with a cold start, what follows it, and a policy that imitates the base model."""
    from conftest import Checkout

    checkout = Checkout(tmp_path_factory.mktemp("arms") / "checkout", tiny_model)
    checkout.settings["train"]["sft"] = {"max_steps": 3, "per_device_train_batch_size": 2}
    # Random bytes have a right digit now and then.
    prompt = checkout.settings["prompt"] | {"answer": r"(\d+)\D*\Z"}
    controls = {"seeds": [0], "arms": {"rft": {"train": {"trainer": "sft", "teacher": "base"}}}}
    task = checkout.settings["tasks"]["word_problems"]
    checkout.settings["tasks"]["other_prompt"] = task | {
        "limit": {},
        "prompt": {"system": "Answer."},
        "only": {"arms": ["grpo"]},
    }
    checkout.settings["evaluate_on"] = ["word_problems", "other_prompt"]
    checkout.settings |= {"arms": ARMS, "arm": "grpo", "teachers": {"n": 16}, "prompt": prompt, "controls": controls}
    checkout.write()
    for command in ("git init --quiet", "git add .", "git -c user.name=n -c user.email=e commit --quiet --message m"):
        subprocess.run(command.split(), cwd=checkout.folder, check=True)
    process = checkout.snakemake("--", "publish")
    assert process.returncode == 0, process.stdout + process.stderr
    return checkout


def lines(checkout, path):
    return [json.loads(line) for line in (checkout.folder / "results/tiny" / path).read_text().splitlines()]


def test_a_cold_start(arms):
    """It imitates the first solutions of the seed's order; what starts from it is an adapter of its merged policy."""
    from reasoning.training import training_problems

    chosen = {"shuffle": True, "skip": 0, "limit": 4, "wrong_answers": False, "examples": None}
    expected = training_problems(lines(arms, "data/word_problems/train.jsonl"), chosen, 0)
    kept = lines(arms, "adapters/cold-seed0/demonstrations.jsonl")
    assert kept == [{"id": p["id"], "completion": f"{p['solution']}\n#### {p['answer']}"} for p in expected]
    config = json.loads((arms.folder / "results/tiny/adapters/sft_grpo-seed0/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "models/cold-seed0"
    card = (arms.folder / "results/tiny/hub/sft_grpo-seed0/README.md").read_text()
    assert "by way of arm cold, trained with GRPO on" in card
    card = (arms.folder / "results/tiny/hub/cold-seed0/README.md").read_text()
    assert "trained with supervised fine-tuning on" in card and "- sft" in card


def test_a_student(arms):
    """It imitates completions of the base model, sampled on the training split, and right ones only."""
    samples = lines(arms, "eval/word_problems_train/base/samples.jsonl")
    right = {(s["id"], one["completion"]) for s in samples for one in [s, *s["draws"]] if one["correct"]["strict"]}
    kept = {(one["id"], one["completion"]) for one in lines(arms, "adapters/rft-seed0/demonstrations.jsonl")}
    assert kept == right and len(samples[0]["draws"]) == 16


def test_a_merge_of_adapters(arms):
    """Its model is the base model with both changes, each times its weight, by the two trainings' own files."""
    import torch
    from backends.merging import read_adapter
    from safetensors.torch import load_file

    results = arms.folder / "results/tiny"
    base, found = (load_file(results / f"models/{name}/model.safetensors") for name in ("base", "both-seed0"))
    parts = {arm: read_adapter(results / f"adapters/{arm}-seed0") for arm in ("grpo", "cold")}
    assert parts["grpo"].keys() == parts["cold"].keys() and len(parts["grpo"]) > 4
    for name, weight in base.items():
        expected = weight.double()
        for arm, times in (("grpo", 0.7), ("cold", 0.3)):
            if change := parts[arm].get(name):
                expected = expected + times * 32 / 4 * change["B"].double() @ change["A"].double()
        torch.testing.assert_close(found[name].double(), expected, rtol=1e-6, atol=1e-7)
    card = (results / "hub/both-seed0/README.md").read_text()
    assert "with the adapters of cold (weight 0.3) and grpo (weight 0.7) merged by cat" in card and "- merge" in card
    page = (results / "report.html").read_text()
    assert "<b>both</b>: not trained: the model at the start with the adapters of cold" in page
    assert json.loads((results / "merge/both-seed0.json").read_text())["tensors"]["merged"] == len(parts["grpo"])


def test_a_merge_says_what_it_is(arms, tmp_path):
    """A record whose merge is not the config's is found out."""
    record = arms.copy(tmp_path / "checkout")
    path = record.folder / "results/published/tiny/training/both-seed0/arguments.json"
    path.write_text(path.read_text().replace("0.7", "0.6"))
    output = record.snakemake("--", "verify").stdout
    assert "training/both-seed0/arguments" in output and "by the config" in output


def test_their_record(arms):
    """Its numbers and trainings are held to the config, whatever trained; the report shows all arms."""
    process = arms.snakemake("--", "verify")
    output = process.stdout + process.stderr
    assert process.returncode == 0 and "every published number was reproduced" in output
    page = (arms.folder / "results/tiny/controls/report.html").read_text()
    assert all(f"<b>{arm}</b>" in page for arm in ("grpo", "cold", "sft_<wbr>grpo", "both", "rft, a control"))


def test_a_task_of_some_policies(arms):
    """It has the base model and the policies of its own arms; every other task has all."""
    measured = {path.name for path in (arms.folder / "results/tiny/eval/other_prompt").iterdir()}
    assert measured == {"base", "grpo-seed0"}
    page = (arms.folder / "results/tiny/controls/report.html").read_text()
    table = page.partition("<h2>Other prompts</h2>")[2].partition("</table>")[0]
    assert re.findall(r'<td class="name" colspan="4">([\w ]+)</td>', table) == ["base model", "grpo"]
    assert "<h2>All tasks</h2>" not in page
    tasks = {**arms.settings["tasks"]}
    for only, says in (({"arms": ["gone"]}, "no arm gone"), ({"seeds": [7]}, "leaves out grpo-seed0")):
        arms.write(tasks=tasks | {"other_prompt": tasks["other_prompt"] | {"only": only}})
        process = arms.snakemake("--dry-run")
        assert process.returncode and says in process.stdout + process.stderr
    arms.write()


def test_only_what_learned_from_it_trains_again(arms):
    arms.settings["train"]["sft"]["learning_rate"] = 0.01
    arms.write()
    changed = arms.snakemake("--dry-run", "--", "controls")
    output = changed.stdout + changed.stderr
    trained = {line.split()[-3].strip(",") for line in output.splitlines() if ": Train " in line}
    assert trained == {"cold", "sft_grpo", "rft"} and "Merge adapters into both" in output, output
