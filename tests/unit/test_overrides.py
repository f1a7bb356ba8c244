"""How tasks and overlays override the config."""

import pytest
import yaml
from reasoning.overrides import implied_tasks, merged, of_task, own_settings, with_arms_of

CONFIG = yaml.safe_load(open("config/config.yaml"))


def test_merged_key_by_key():
    assert merged({"a": {"b": 1, "c": [1, 2]}, "d": 0}, {"a": {"c": [3]}, "e": {"f": 1}}) == {
        "a": {"b": 1, "c": [3]},
        "d": 0,
        "e": {"f": 1},
    }


def test_a_task_without_overrides_has_the_sections_of_the_config():
    assert all(of_task(CONFIG, section, "gsm8k") == CONFIG[section] for section in ("prompt", "eval"))


def test_a_task_has_what_it_states_and_the_rest_of_the_section():
    task = CONFIG["tasks"]["gsm8k"] | {"prompt": {"system": None}, "eval": {"sampling": {"max_new_tokens": 99}}}
    config = CONFIG | {"tasks": {"gsm8k": task}}
    assert of_task(config, "prompt", "gsm8k") == CONFIG["prompt"] | {"system": None}
    assert of_task(config, "eval", "gsm8k")["sampling"] == {"max_new_tokens": 99, "do_sample": False}


@pytest.mark.parametrize(
    ("sweep", "every", "names"),
    [({}, None, []), ({"r": {}}, None, ["t_dev"]), ({}, 5, ["t_dev"]), ({"r": {}}, 5, ["t_dev"])],
)
def test_what_is_chosen_is_chosen_on_dev(sweep, every, names):
    train = CONFIG["train"] | {"select": {"every": every}}
    config = CONFIG | {"task": "t", "tasks": {"t": {"dev": 2}}, "sweep": sweep, "train": train}
    found = implied_tasks(config)
    assert [*found] == names and all(task == {"dev": 2, "eval": {"split": "dev"}} for task in found.values())


def test_a_teacher_answers_the_training_split():
    arms = {"a": {}, "b": {"train": {"trainer": "sft", "teacher": "base"}}}
    config = CONFIG | {"task": "t", "tasks": {"t": {}}, "sweep": {}, "arms": arms}
    (name, task), draws = *implied_tasks(config).items(), {"do_sample": True, "max_new_tokens": 26}
    draws |= {"temperature": CONFIG["teachers"]["temperature"]}
    assert name == "t_train" and task["eval"]["split"] == "train"
    assert task["eval"]["draws"] == {"n": CONFIG["teachers"]["n"], "sampling": draws}


def test_jobs_are_not_given_what_says_nothing_of_problems():
    """So that a change of it reruns none of them."""
    said = {"published": {}, "only": {}, "license": "mit", "prompt": {}, "eval": {}}
    assert own_settings({"source": "x", "dev": 2} | said) == {"source": "x", "dev": 2}


def test_arms_of_an_overlay():
    """They take the place of the default's with their controls, and the first is the claims'."""
    default = {"arm": "a", "arms": {"a": {}}, "controls": {"arms": {"coin": {}}, "seeds": [0]}, "seeds": [0]}
    assert with_arms_of({"seeds": [1]}, default | {"seeds": [1]}) == default | {"seeds": [1]}
    own = {"arms": {"c": {}, "b": {}}}
    found = default | {"arm": "c", "controls": {"arms": {}, "seeds": [0]}} | own
    assert with_arms_of(own, default) == found
    overlay = own | {"arm": "b", "controls": {"arms": {"format": {}}, "seeds": [1]}}
    assert with_arms_of(overlay, merged(default, overlay)) == default | overlay
    assert with_arms_of({"arms": 3}, default | {"arms": 3}) == default | {"arms": 3}
    assert with_arms_of({}, {"run": "mine"}) == {"run": "mine"}  # of a module, before the defaults are added
    assert with_arms_of(own, {}) == own | {"arm": "c", "controls": {"arms": {}}}
