"""The exported task, run by inspect-ai itself on the published completions, scores every one as this package does."""

import gzip
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from answers import number
from export_inspect import decoding, main
from reasoning.scoring import judge_again, summarise
from stage.files import read_json, write_jsonl

RECORD = Path("results/published/smollm2-135m-words")
PYTHON = Path(".venv/inspect/bin/python").absolute()
# A model that answers with what was recorded for the question, and the scores of every item.
RUN = """
import json, sys
from inspect_ai import eval
from inspect_ai.model import ModelOutput, ModelUsage, get_model

task, recorded, found = sys.argv[1:]
completions = json.load(open(recorded))


def answer(messages, tools, choice, config):
    assert (config.max_tokens, config.temperature) == (26, 0.0)
    output = ModelOutput.from_content("mockllm/model", completions[messages[-1].text])
    output.usage = ModelUsage()  # else a tokenizer is downloaded to count tokens
    return output


model = get_model("mockllm/model", custom_outputs=answer)
(log,) = eval(task, model=model, display="none", log_dir=found + ".logs")
assert log.status == "success", log.error.message
scores = {sample.id: sample.scores["extractors"] for sample in log.samples}
items = {name: [score.value, score.metadata["extracted"]] for name, score in scores.items()}
metrics = {score.name: score.metrics["accuracy"].value for score in log.results.scores}
json.dump([items, metrics], open(found, "w"))
"""


def export(tmp_path, samples, prompt, settings, module="gsm8k"):
    """The exported task's file, of the problems that samples are of."""
    rows = [
        {"id": s["id"], "family": s["family"], "answer": s["gold"], "prompt": [{"role": "user", "content": s["id"]}]}
        for s in samples
    ]
    write_jsonl(tmp_path / "test.jsonl", rows)
    given = {"prompt_config": json.dumps(prompt), "eval_config": json.dumps(settings), "task_module": module}
    file = tmp_path / "exported/word-problems.py"
    main(SimpleNamespace(task="word_problems", data=tmp_path / "test.jsonl", model=tmp_path, file=file, **given))
    return file


@pytest.mark.skipif(not PYTHON.exists(), reason="inspect-ai is missing: .ci/run installs it in .venv/inspect")
def test_every_item_agrees_with_the_record(tmp_path):
    config = read_json(RECORD / "config.json")
    with gzip.open(RECORD / "eval/word_problems/base/samples.jsonl.gz", "rt") as file:
        samples = [json.loads(line) for line in file]
    file = export(tmp_path, samples, config["prompt"], config["eval"])
    (tmp_path / "recorded.json").write_text(json.dumps({s["id"]: s["completion"] for s in samples}))
    command = [PYTHON, "-c", RUN, file.relative_to(tmp_path), tmp_path / "recorded.json", tmp_path / "found.json"]
    process = subprocess.run(list(map(str, command)), cwd=tmp_path, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    items, metrics = read_json(tmp_path / "found.json")
    assert len(items) == 300
    judged = [judge_again(sample, config["prompt"], number) for sample in samples]
    assert items == {s["id"]: [s["correct"], s["extracted"]] for s in judged}
    scores = summarise(judged)["scores"]
    assert metrics == pytest.approx({name: score["value"] for name, score in scores.items()})
    assert 0.1 < metrics["strict"] < metrics["flexible"]


def test_decoding():
    """Complete, because the provider for transformers takes the rest from the model's own file."""
    sampling = {"max_new_tokens": 9, "do_sample": True, "temperature": 0.8}
    fields = {"max_tokens": 9, "seed": 1, "temperature": 0.8, "top_k": 0, "top_p": 1.0}
    assert decoding({"seed": 1, "sampling": sampling}) == fields
    with pytest.raises(SystemExit, match="no repetition_penalty"):
        decoding({"seed": 1, "sampling": sampling | {"repetition_penalty": 1.1}})


def test_a_penalty_that_the_model_states(tmp_path):
    config = read_json(RECORD / "config.json")
    (tmp_path / "generation_config.json").write_text('{"repetition_penalty": 1.05, "top_k": 20}')
    with pytest.raises(SystemExit, match="has repetition_penalty 1.05, which inspect-ai would take over"):
        export(tmp_path, [], config["prompt"], config["eval"])


def test_what_a_template_is_told_is_in_no_task(tmp_path):
    config = read_json(RECORD / "config.json")
    prompt = config["prompt"] | {"chat_template_kwargs": {"enable_thinking": False}}
    with pytest.raises(SystemExit, match="no task of inspect-ai can state prompt.chat_template_kwargs, which word_"):
        export(tmp_path, [], prompt, config["eval"])
