"""The exported task follows the config."""

import re

import pytest
import yaml
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
    assert value["generation_kwargs"] == {"until": [], "max_gen_toks": 26, "do_sample": False}
    assert yaml.safe_load(yaml.safe_dump(value, allow_unicode=True)) == value


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
