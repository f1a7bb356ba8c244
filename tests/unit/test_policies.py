"""The names and order of policies, the rows of a table, and what several environments are grouped by."""

import pytest
from reasoning.policies import arm_of, arms_and_seeds, packaged_policies, policies_on, seed_of, trained_policies
from reasoning.protocol import MEASURED, changed_fields, problem_count, protocol
from reasoning.results import grouped, over_all_seeds
from reasoning.rows import in_order, marked, trained_in_order

CONFIG = {
    "arm": "grpo",
    "arms": {"grpo": {}, "sft": {}},
    "seeds": [0, 10],
    "controls": {"arms": {"coin": {}}, "seeds": [1]},
}
TASK = {"size": {"train": 9, "test": 6}, "dev": 3, "limit": {"test": 2}}


def test_every_arm_with_every_seed():
    assert trained_policies(CONFIG) == ["grpo-seed0", "grpo-seed10", "sft-seed0", "sft-seed10"]
    assert trained_policies(CONFIG, controls=True) == ["grpo-seed1", "sft-seed1", "coin-seed1"]
    assert arms_and_seeds(CONFIG) == (CONFIG["arms"], [0, 10])
    more = CONFIG | {"arms": {"grpo": {"seeds": [0, 1, 2]}, "sft": {}}}
    grpo = ["grpo-seed0", "grpo-seed1", "grpo-seed2"]
    assert trained_policies(more, controls=True) == [*grpo, "sft-seed1", "coin-seed1"]
    assert trained_policies(more) == [*grpo, "sft-seed0", "sft-seed10"]
    assert packaged_policies(more) == ["grpo-seed0", "sft-seed0", "sft-seed10"]
    assert packaged_policies(CONFIG) == trained_policies(CONFIG)
    assert trained_policies(CONFIG | {"arm": "sft"}) == ["sft-seed0", "sft-seed10", "grpo-seed0", "grpo-seed10"]


def test_a_task_of_some_policies():
    config = CONFIG | {"tasks": {"all": {}, "some": {"only": {"arms": ["grpo", "coin"], "seeds": [1, 10]}}}}
    assert policies_on(config, "all") == trained_policies(CONFIG)
    assert policies_on(config, "some") == ["grpo-seed10"]
    assert policies_on(config, "some", controls=True) == ["grpo-seed1", "coin-seed1"]


@pytest.mark.parametrize(
    ("policy", "arm", "seed"), [("grpo-seed10", "grpo", 10), ("base", "base", 0), ("a_b-seed0", "a_b", 0)]
)
def test_arm_and_seed(policy, arm, seed):
    assert (arm_of(policy), seed_of(policy)) == (arm, seed)


@pytest.mark.parametrize(
    ("split", "expected"), [("train", (None, False)), ("test", (2, True)), ("dev", (3, False)), ("none", KeyError)]
)
def test_problems_of_a_split(split, expected):
    if expected is KeyError:
        with pytest.raises(KeyError):
            problem_count(TASK, split)
    else:
        assert problem_count(TASK, split) == expected


def test_a_task_without_dev_has_none():
    assert problem_count({"size": {"test": 6}, "limit": {}}, "dev") == (0, False)


def test_reading_order():
    """The base model, then the arms in their order, with seeds by number."""
    names = ["sft-seed0", "grpo-seed10", "coin-seed1", "grpo-seed2", "base", "coin-seed0", "grpo-seed1"]
    assert [*in_order(dict.fromkeys(names), ["grpo", "sft", "coin"])] == [
        "base",
        "grpo-seed1",
        "grpo-seed2",
        "grpo-seed10",
        "sft-seed0",
        "coin-seed0",
        "coin-seed1",
    ]
    assert [*in_order(dict.fromkeys(["coin", "grpo"]), ["grpo", "coin"])] == ["grpo", "coin"]


def test_policies_of_all_tasks_once():
    tasks = {"t": {"policies": ["base", "a-seed0"]}, "u": {"policies": ["base", "a-seed0", "z-seed0"]}}
    assert trained_in_order({"tasks": tasks}) == ["a-seed0", "z-seed0"]


@pytest.mark.parametrize(
    ("split", "subset", "name"),
    [
        ("test", False, "t"),
        ("test", True, "t (a subset)"),
        ("dev", False, "t (dev split)"),
        ("dev", True, "t (dev split, a subset)"),
    ],
)
def test_what_is_not_the_tasks_score_is_marked(split, subset, name):
    assert marked("t", split, subset) == name


def sample(correct):
    return {"id": "0", "family": "f", "correct": dict.fromkeys(("strict", "flexible", "math_verify"), correct)}


def test_arms_over_seeds_and_the_first_ones_lead():
    """The first arm's seeds solve both problems, the second's one and none."""
    right, wrong = sample(True), sample(False)
    samples = {"base": [wrong, wrong], "a-seed0": [right, right], "a-seed1": [right, right]}
    samples |= {"b-seed0": [right, wrong], "b-seed1": [wrong, wrong]}
    found = over_all_seeds(samples)
    assert {arm: (of["strict"]["mean"], of["strict"]["seeds"]) for arm, of in found["arms"].items()} == {
        "a": (1.0, 2),
        "b": (0.25, 2),
    }
    assert found["leads"].keys() == {"b"} and found["leads"]["b"]["strict"]["difference"] == 0.75


def test_arms_of_the_same_seeds_are_compared_seed_by_seed():
    """What a seed gives to both arms is no part of the lead by seed, whatever the order of seeds."""
    right, wrong = sample(True), sample(False)
    b = {f"b-seed{seed}": [right] * 10 * seed + [wrong] * (40 - 10 * seed) for seed in (0, 1, 2)}
    a = {f"a-seed{seed}": [right] * (10 * seed + 8) + [wrong] * (32 - 10 * seed) for seed in (0, 1, 2)}
    others = {f"b-seed{seed + 1}": of for seed, of in enumerate(b.values())}
    same, apart = (over_all_seeds({"base": [wrong] * 40} | a | of) for of in (b, others))
    lead, by_seed = same["leads"]["b"]["strict"], same["by_seed"]["b"]["strict"]
    assert lead["difference"] == by_seed["difference"] == 0.2
    assert lead["low"] < -0.3 and by_seed["low"] > 0
    assert apart["by_seed"] == {} and apart["leads"]["b"]["strict"]["difference"] == 0.2
    backwards = dict(reversed(b.items()))
    assert over_all_seeds({"base": [wrong] * 40} | a | backwards)["by_seed"] == same["by_seed"]


def test_environments_are_grouped():
    assert grouped({"b": {"x": 1}, "a": {"x": 2}, "c": {"x": 1}}) == [
        {"environment": {"x": 2}, "stages": ["a"]},
        {"environment": {"x": 1}, "stages": ["b", "c"]},
    ]


def test_the_same_environment_whatever_its_order():
    assert grouped({"a": {"x": 1, "y": 2}, "b": {"y": 2, "x": 1}}) == [
        {"environment": {"x": 1, "y": 2}, "stages": ["a", "b"]}
    ]


def test_a_module_that_a_task_names_is_a_part_of_its_protocol():
    measured = dict.fromkeys(MEASURED)
    assert "module" not in protocol("t", "test", {}, {}, measured)
    named = {"name": "mine.py", "sha256": "0"}
    assert protocol("t", "test", {}, {}, measured, named)["module"] == named


def test_changed_fields():
    first, second = {"a": 1, "b": 2, "d": 4}, {"a": 1, "b": 3, "c": None, "e": 5}
    assert changed_fields({"protocol": first}, {"protocol": second}) == ["b", "d", "e"]
