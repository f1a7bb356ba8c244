"""The exported task follows the config."""

import re

import pytest
import yaml
from answers import choice, expression, text
from answers.judged import Judged
from export_lm_eval import lm_eval_task
from reasoning.answer import extract
from reasoning.number import number


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
    assert yaml.safe_load(yaml.safe_dump(value, allow_unicode=True)) == value


def test_sampling_is_complete(exported):
    """The harness takes what is left out from the model's own file, and the temperature for 0."""
    config, _ = exported
    settings = config["eval"] | {"sampling": {"max_new_tokens": 9, "do_sample": True, "top_p": 0.9}}
    found = lm_eval_task("word_problems", "test.jsonl", config["prompt"], settings)["generation_kwargs"]
    sampled = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 0.9, "repetition_penalty": 1.0}
    assert found == {"until": [], "max_gen_toks": 9} | sampled


TEXTS = ["9 - 3 = 6\n#### 6", "so\n#### 1,000 left", "no answer", "#### 5\n#### 6", "3 and 4."]


@pytest.mark.parametrize("text", TEXTS)
def test_extractors_read_the_same(exported, text):
    """The harness takes the last or first match of a pattern; numbers are then compared without commas."""
    config, value = exported
    ours = extract(text, config["prompt"]["answer"])
    for entry in value["filter_list"]:
        regex = entry["filter"][0]
        matches = re.findall(regex["regex_pattern"], text)
        found = number(matches[regex["group_select"]]) if matches else None
        assert found == ours[entry["name"]]


def filtered(entry, completion):
    """What the harness's regex filters make of a completion, as lm_eval/filters/extraction.py of 0.4.13 does."""
    for step in entry["filter"][:-1]:
        matches = re.findall(step["regex_pattern"], completion)
        completion = matches[step["group_select"]].strip() if matches else "[invalid]"
    return completion


CHOICES = ["so B.\n#### (c) Paris", "#### d\n", "#### Banana", "#### A: x\n#### B", "I take A or B", "A cat", "none"]
CHOICES += ["####", "#### j)"]


@pytest.mark.parametrize("completion", CHOICES)
@pytest.mark.parametrize("gold", "ABCDJ")
def test_choices_are_judged_equally(exported, completion, gold):
    """The harness lowers both letters and compares them; without a match it compares [invalid]."""
    config, _ = exported
    value = lm_eval_task("science", "test.jsonl", config["prompt"], config["eval"], choice)
    (metric,) = value["metric_list"]
    assert metric["ignore_case"] and "regexes_to_ignore" not in metric
    for entry in value["filter_list"]:
        ours = choice.EXTRACTORS[entry["name"]](completion, config["prompt"]["answer"])
        assert (filtered(entry, completion).lower() == gold.lower()) == choice.equal(ours, gold), entry["name"]


@pytest.mark.parametrize("answer", [text, expression, Judged(judge=max, call=max)])
def test_answers_that_the_harness_would_judge_otherwise(exported, answer):
    config, _ = exported
    with pytest.raises(SystemExit, match="would judge the answers of task spoken otherwise"):
        lm_eval_task("spoken", "test.jsonl", config["prompt"], config["eval"], answer)


def test_what_a_template_is_told_is_in_no_task(exported):
    config, _ = exported
    with pytest.raises(SystemExit, match="can state prompt.chat_template_kwargs"):
        lm_eval_task("t", "test.jsonl", config["prompt"] | {"chat_template_kwargs": {"think": False}}, config["eval"])
