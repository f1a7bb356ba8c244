"""The exported task follows the config, and its filters, also as the harness itself runs them, judge as we do."""

import json
import os
import runpy
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from answers import choice, expression, number, text
from answers.judged import Judged
from export_lm_eval import lm_eval_task, main
from stage.files import read_json, write_jsonl

PYTHON = Path(".venv/lm_eval/bin/python").absolute()


@pytest.fixture
def exported():
    with open("config/config.yaml") as file:
        config = yaml.safe_load(file)
    return config, lm_eval_task("word_problems", "test.jsonl", config["prompt"], config["eval"])


def test_prompt_and_decoding(exported):
    config, value = exported
    assert value["description"] == config["prompt"]["system"]
    assert value["num_fewshot"] == len(config["prompt"]["examples"]) == len(value["fewshot_config"]["samples"])
    decoding = {"until": [], "max_gen_toks": 26, "do_sample": False, "repetition_penalty": 1.0}
    assert value["generation_kwargs"] == decoding


def test_sampling_is_complete(exported):
    """The harness takes what is left out from the model's own file, and the temperature for 0."""
    config, _ = exported
    settings = config["eval"] | {"sampling": {"max_new_tokens": 9, "do_sample": True, "top_p": 0.9}}
    found = lm_eval_task("word_problems", "test.jsonl", config["prompt"], settings)["generation_kwargs"]
    sampled = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 0.9, "repetition_penalty": 1.0}
    assert found == {"until": [], "max_gen_toks": 9} | sampled


# By type: the module of a task, the prefill of its prompt, and completions with a gold answer.
NUMBERS = [
    *(("18", f"#### {written}") for written in ("18", "18.0", "+18", "018", "$18.", "1,8", "18 left", "−18")),
    *(("18", written) for written in ("so 18.0", "17\n#### 18\n#### 19", "none", "#### ", "1 8", "it is +018.")),
    *(("0.5", f"#### {written}") for written in (".5", "0.50", "5", "-.5")),
    *(("-18", f"#### {written}") for written in ("−18", "-18", "–18.00", "18", "- 18")),
    *(("1800", f"#### {written}") for written in ("1,800", "1,800.0", "18,00", "1\u202f800", "1800\u200b")),
]
CHOICES = ["so B.\n#### (c) Paris", "#### d\n", "#### Banana", "#### A: x\n#### B", "I take A or B", "A cat", "none"]
CHOICES = [(gold, completion) for gold in "ABCDJ" for completion in [*CHOICES, "####", "#### j)"]]
TEXTS = [("green house", words) for words in ("The Green House!", "green", "a\ngreen house.\nno", "", "house, green")]
CASES = {
    number: ("from answers import number as ANSWER", "", NUMBERS),
    choice: ("from answers import choice as ANSWER", "", CHOICES),
    text: ("from answers import text as ANSWER", "#### ", TEXTS),
}


def export(folder, kind):
    """Export a task whose problems are the cases of a type; returns its prompt."""
    module, prefill, cases = CASES[kind]
    name = kind.__name__.partition(".")[2]
    (folder / f"{name}_module.py").write_text(f"{module}\ndef problem(record): return record\n")
    rows = [{"id": str(i), "answer": gold, "prompt": [{"content": f"{i}?"}]} for i, (gold, _) in enumerate(cases)]
    write_jsonl(folder / f"{name}.jsonl", rows)
    config = yaml.safe_load(Path("config/config.yaml").read_text())
    prompt = config["prompt"] | {"prefill": prefill}
    given = {"task_config": json.dumps({"module": str(folder / f"{name}_module.py")})}
    given |= {"prompt_config": json.dumps(prompt), "eval_config": json.dumps(config["eval"])}
    made = {"yaml": folder / f"out/{name}.yaml", "filters": folder / f"out/{name}.py"}
    main(SimpleNamespace(task=name, model=folder, data=folder / f"{name}.jsonl", **given, **made))
    return prompt


def ours(kind, prompt):
    """What we say of a type's completions: `{id: {extractor: right or wrong}}`."""
    found = {}
    for i, (gold, completion) in enumerate(CASES[kind][2]):
        whole = prompt["prefill"] + completion
        read = {name: extractor(whole, prompt["answer"]) for name, extractor in kind.EXTRACTORS.items()}
        found[str(i)] = {name: kind.equal(value, gold) for name, value in read.items()}
    return found


@pytest.mark.parametrize("kind", CASES)
def test_filters_read_the_same(tmp_path, kind):
    """Their readings are the gold answer's text just if the answer is right; the harness compares texts."""
    prompt = export(tmp_path, kind)
    filters = runpy.run_path(str(tmp_path / f"out/{kind.__name__.partition('.')[2]}.py"))
    cases, right = CASES[kind][2], ours(kind, prompt)
    for name in kind.EXTRACTORS:
        readings = filters[name]([[completion] for _, completion in cases], None)
        found = {
            str(i): {name: read == gold} for i, ((gold, _), (read,)) in enumerate(zip(cases, readings, strict=True))
        }
        assert found == {i: {name: each[name]} for i, each in right.items()}


# The harness with a model that answers as it is told, and what its filters and its metric make of that.
RUN = """
import json, sys
from lm_eval import simple_evaluate
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

folder, told, found = sys.argv[1:]
told = json.load(open(told))


class Told(LM):
    def generate_until(self, requests):
        assert all(request.args[1]["repetition_penalty"] == 1.0 for request in requests)
        return [told[request.task_name][request.doc["id"]] for request in requests]

    loglikelihood = loglikelihood_rolling = None


if __name__ == "__main__":
    manager = TaskManager(include_path=folder, include_defaults=False)
    run = simple_evaluate(model=Told(), tasks=list(told), task_manager=manager, bootstrap_iters=0)
    right = {task: {} for task in told}
    for task, samples in run["samples"].items():
        for sample in samples:
            right[task].setdefault(sample["doc"]["id"], {})[sample["filter"]] = bool(sample["exact_match"])
    json.dump(right, open(found, "w"))
"""


@pytest.mark.skipif(
    not PYTHON.exists(), reason="lm-evaluation-harness is missing: .ci/run installs it in .venv/lm_eval"
)
def test_the_harness_judges_every_item_as_we_do(tmp_path):
    names = {kind: kind.__name__.partition(".")[2] for kind in CASES}
    expected = {names[kind]: ours(kind, export(tmp_path, kind)) for kind in CASES}
    told = {names[kind]: {str(i): words for i, (_, words) in enumerate(CASES[kind][2])} for kind in CASES}
    (tmp_path / "told.json").write_text(json.dumps(told))
    (tmp_path / "run.py").write_text(RUN)
    command = [PYTHON, tmp_path / "run.py", tmp_path / "out", tmp_path / "told.json", tmp_path / "found.json"]
    environment = os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    process = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    assert read_json(tmp_path / "found.json") == expected


@pytest.mark.parametrize("answer", [expression, Judged(judge=max, call=max)])
def test_answers_that_the_harness_would_judge_otherwise(exported, answer):
    config, _ = exported
    with pytest.raises(SystemExit, match="would judge the answers of task spoken otherwise"):
        lm_eval_task("spoken", "test.jsonl", config["prompt"], config["eval"], answer)


def test_what_a_template_is_told_is_in_no_task(exported):
    config, _ = exported
    with pytest.raises(SystemExit, match="can state prompt.chat_template_kwargs"):
        lm_eval_task("t", "test.jsonl", config["prompt"] | {"chat_template_kwargs": {"think": False}}, config["eval"])
