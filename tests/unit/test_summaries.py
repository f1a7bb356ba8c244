"""What a page says of arms over their seeds: a study with a cold start, a better arm, a control and another prompt."""

import json
from pathlib import Path

import pytest
import yaml
from answers import number as a_number
from reasoning.comparison import compare, compare_over_seeds
from reasoning.contrasts import holm
from reasoning.order import shown
from reasoning.results import gather
from reasoning.rows import read_results
from reasoning.scoring import judge, summarise
from reasoning.statistics import score
from reporting.figures import FIGURES, svg
from reporting.latex import latex_table, macros
from reporting.page import page
from reporting.summaries import costs, families, faults, learned, memory, minutes, posed_again, prompts, side_by_side
from reporting.table import plain_text
from reporting.words import verdicts
from stage.files import write_json

HERE = {"python": "3.11.7", "packages": {"torch": "2.13.0"}, "lock_files": {"envs/cpu.txt": "0" * 64}, "image": None}
CONFIG = yaml.safe_load(Path("config/config.yaml").read_text())
CONFIG["task"], CONFIG["evaluate_on"] = "sums", ["other", "sums"]
CONFIG["tasks"] = {"sums": CONFIG["tasks"]["word_problems"]}
CONFIG["tasks"]["other"] = CONFIG["tasks"]["sums"] | {"prompt": {"system": "Other."}, "limit": {"test": 8}}
CONFIG["arms"] = {
    "cold": {"train": {"trainer": "sft", "problems": {"limit": 6}, "sft": {"max_steps": 4}}},
    "sft": {"train": {"trainer": "sft"}},
    "then": {"train": {"start": "cold"}},
    "weak": {"train": {"trainer": "sft"}},
}
CONFIG["arm"] = "then"
CONFIG["controls"] = {"arms": {"coin": {"rewards": {"accuracy": 0.0, "random": 1.0}}}, "seeds": [0, 1]}
# Right of the first twelve, which are of one family, and of the last eight, which are held out; by policy.
RIGHT = {
    "base": [(2, 1)],
    "cold": [(6, 2), (7, 2)],
    "coin": [(3, 1), (2, 1)],
    "sft": [(12, 8), (12, 7)],
    "then": [(9, 3), (10, 4)],
    "weak": [(5, 1), (4, 1)],
}


def samples(right):
    """Twenty problems: the answer is 7, the solution one step."""
    first, last = right
    found = []
    for i in range(20):
        of_family = i < 12
        is_right = i < first if of_family else i - 12 < last
        said = {"id": f"test-{i}", "family": "gain" if of_family else "lose (held out)", "gold": "7", "steps": ["7"]}
        text = "3 + 4 = 7\n#### 7" if is_right else "3 + 4 = 8\n#### 8"
        judged = judge(said["id"], "7", text, 9, False, CONFIG["prompt"], a_number)
        found.append(said | judged | {"question": "What is 3 and 4?", "completion": text})
    return found


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """`(results in reading order, samples by task and policy)`."""
    names = {
        ("base" if arm == "base" else f"{arm}-seed{seed}"): samples(right)
        for arm, seeds in RIGHT.items()
        for seed, right in enumerate(seeds)
    }
    found = {("sums", policy): of for policy, of in names.items()}
    found |= {
        ("other", policy): of[:8] for policy, of in names.items() if policy in ("base", "then-seed0", "cold-seed0")
    }
    protocol = {"split": "test", "eval": CONFIG["eval"], "data_sha256": "0"}
    stated = {"protocol": protocol, "protocol_hash": "0", "environment": HERE}
    metrics = {key: summarise(of) | stated | {"subset": key[0] == "other"} for key, of in found.items()}
    comparisons = {
        key: compare(found[key[0], "base"], of, CONFIG["prompt"]) for key, of in found.items() if key[1] != "base"
    }
    merge = {"problems": 4, "agreement": 1.0, "max_logit_difference": 0.0, "mean_logit_difference": 0.0}
    merges = {policy: merge | {"environments": {f"check_merge/{policy}": HERE}} for policy in names if policy != "base"}
    probe = {"verbatim": score([False] * 20), "items": [], "environment": HERE}
    order = shown(CONFIG, controls=True)
    told = {arm: {"solutions": 6, "answers": 0} for arm in order["arms"]}
    # The arm that the claims are about comes first, as the rules give it.
    found = dict(sorted(found.items(), key=lambda item: [item[0][1] != "base", not item[0][1].startswith("then")]))
    metrics = {key: metrics[key] for key in found}
    value = gather(
        metrics, comparisons, merges, {"sums": probe, "other": probe}, found, dict.fromkeys(merges, HERE), {}, {}, {}
    )
    path = tmp_path_factory.mktemp("study") / "results.json"
    write_json(path, value | {"run": "r", "headline": "strict", "policy": "then-seed0", "told": told, "shown": order})
    return read_results(path), found


def test_reading_order(study):
    """The run's own task first, the claim's arm, the others as the config has them, and controls last."""
    results, _ = study
    assert list(results["tasks"]) == ["sums", "other"]
    assert list(results["tasks"]["sums"]["arms"]) == ["then", "cold", "sft", "weak", "coin"]
    assert macros(results).splitlines()[1].startswith(r"\newcommand{\numSumsThenStrictMean}")
    assert r"\newcommand{\numSumsColdStrictLeadLow}" in macros(results)
    assert latex_table(results).splitlines()[4].startswith("sums & base")


def test_verdicts(study):
    """Against the base model, the arm that it goes on from, the best other arm and control; held-out problems apart."""
    results, _ = study
    said = verdicts("sums", results["tasks"]["sums"], "strict", results["shown"])
    assert said[0].startswith("On 20 problems of sums, then (65.0 ± 7.1 % over 2 seeds) is")
    assert "cold, which it goes on from (42.5 ± 3.5 % over 2 seeds)" in said[1]
    assert "then is lower than sft, the best of the other arms (97.5 ± 3.5 % over 2 seeds)" in said[2]
    assert "coin, the best of the controls (17.5 ± 3.5 % over 2 seeds)" in said[3]
    assert said[4].startswith("On the 8 of these that are held out, then (43.8 ± 8.8 % over 2 seeds) is")
    assert said[5].startswith("There it is") and " cold: +18.8 [" in said[5] and len(said) == 6
    assert plain_text(results).startswith(said[0])
    assert side_by_side(results) == ["then", "cold", "sft", "coin"]


def test_every_better_arm_is_named(study):
    results, _ = study
    entry = json.loads(json.dumps(results["tasks"]["sums"]))
    entry["leads"]["weak"] = entry["leads"]["sft"]
    assert any(
        line.startswith("then is lower than weak (") for line in verdicts("sums", entry, "strict", results["shown"])
    )


def test_intervals_have_a_width():
    """Of one seed it is that of the pair; of seeds that all fail at every problem it is not none."""
    base, one = samples((2, 1)), samples((6, 2))
    found, pair = (
        compare_over_seeds([base], [one])["strict"],
        compare(base, one, CONFIG["prompt"])["extractors"]["strict"],
    )
    assert all(found[key] == pair[key] for key in ("low", "high", "difference"))
    for right in range(0, 301, 3):  # shares that no float is equal to among them
        equal = [{"family": "gain", "correct": {"strict": i < right}} for i in range(300)]
        found = compare_over_seeds([equal], [equal] * 3)["strict"]
        assert found["high"] - found["low"] > 0.01
    nothing = samples((0, 0))
    found = compare_over_seeds([nothing], [nothing, nothing, nothing])["strict"]
    assert found["seeds"] == 3 and found["difference"] == 0 and found["low"] < -0.1 and found["high"] > 0.1


def test_families(study):
    results, found = study
    rows = {name: (of, total) for name, of, total in families(results, found, "sums")}
    assert list(rows) == ["gain", "lose (held out)", "all held out", "all others"]
    assert rows["all held out"][1] and rows["all held out"][0]["then"]["mean"] == pytest.approx(7 / 16)
    assert rows["gain"][0]["base"]["correct"] == 2 and not rows["gain"][1]
    for arm in ("then", "cold"):
        gain, lose = (rows[name][0][arm] for name in ("gain", "lose (held out)"))
        assert [gain["p_adjusted"], lose["p_adjusted"]] == holm([gain["p"], lose["p"]])
        assert "p_adjusted" not in rows["all held out"][0][arm]


def test_memory_is_the_most_of_an_arms_trainings():
    stages = {"train/a-seed0": 2.5, "train/a-seed1": 3.0, "train/b-seed0": None, "evaluate/x/a-seed0": 9.0}
    assert memory({stage: {"peak_gb": peak} for stage, peak in stages.items()}) == {"a": 3.0}


def test_what_was_learned(study):
    results, _ = study
    entry = results["tasks"]["sums"]
    assert faults(entry)["arithmetic"] == {"base": 17, "then": 7, "cold": 11.5, "sft": 0.5, "weak": 14.5, "coin": 16.5}
    assert learned(entry)["base"].keys() == {"format", "truncated", "tokens"}


def test_other_prompts(study):
    """The run's own is scored on the same problems and seeds as the others."""
    results, found = study
    table = prompts(CONFIG, results, found)
    assert (table["n"], table["tasks"], table["seeds"]) == (8, ["sums", "other"], {"then": 1, "cold": 1})
    assert table["rows"]["then"]["sums"]["mean"] == 1.0 and table["rows"]["base"]["sums"]["correct"] == 2
    alone = results | {"tasks": {"sums": results["tasks"]["sums"]}}
    assert prompts(CONFIG, alone, found) is None


@pytest.mark.parametrize(
    ("other", "again"),
    [
        ({"prompt": {"examples": ["x"]}}, True),
        ({"eval": {"draws": {"n": 4}}}, True),
        ({}, False),
        ({"limit": {"test": 2}}, False),
        ({"source": "elsewhere", "prompt": {"examples": ["x"]}}, False),
        ({"prompt": {"examples": ["x"]}, "eval": {"sampling": {"do_sample": True}}}, False),
    ],
)
def test_problems_that_are_posed_again(other, again):
    """By another prompt or for several completions: anything else is a task like others."""
    own = {"source": "here", "prompt": {"examples": []}}
    config = {"tasks": {"own": own, "other": own | other}, "prompt": {}, "eval": {"sampling": {}}}
    assert posed_again(config, {"tasks": {"own": {}, "other": {}}}) == ["other"] * again


def test_costs():
    stages = {
        f"train/{arm}-seed{seed}": {"seconds": 60 * n, "peak_gb": n}
        for arm, n in (("cold", 1), ("then", 5))
        for seed in (0, 1)
    }
    stages |= {"evaluate/sums/base": {"seconds": 30, "peak_gb": None}}
    assert costs(stages)["train"] == {"jobs": 4, "minutes": 12, "peak_gb": 5}
    assert costs(stages)["evaluate"] == {"jobs": 1, "minutes": 0.5, "peak_gb": 0}
    assert minutes(CONFIG, stages) == {"cold": 1, "then": 6}


def test_the_page(study):
    """Its verdict is about the run's own task; controls are marked, and every arm's training is said."""
    results, found = study
    history = [{"step": "1", "loss": "0.5"}, {"step": "2", "loss": "0.4"}]
    histories = {policy: history for (task, policy) in found if task == "sums" and policy != "base"}
    figures = {name: svg(draw(results, histories)) for name, draw in FIGURES.items()}
    citation = yaml.safe_load(Path("CITATION.cff").read_text())
    text = page(Path("workflow/report/report.html.j2"), CONFIG, "c", results, found, histories, figures, citation)
    body = text.partition("<h1>")[2]
    assert body.index("then (65.0 ± 7.1 % over 2 seeds)") < body.index("<svg")
    assert "coin, a control</b>: GRPO from the base model, 20 steps" in body
    order = [
        body.index(f"<h2>{title}</h2>")
        for title in ("Arms", "Training", "By kind of problem", "What was learned", "Other prompts")
    ]
    assert order == sorted(order) and "<h2>All tasks</h2>" not in body
    assert '<td class="name">all held out</td><td>8</td>' in body
