"""A record's numbers are recomputed from its completions, and a fresh run is judged by them."""

import copy
import gzip
import json

import pytest
from answers import number as a_number
from reasoning.comparison import compare
from reasoning.contamination import verbatim
from reasoning.contrasts import new_training
from reasoning.order import shown
from reasoning.policies import trained_policies
from reasoning.protocol import MEASURED, protocol, protocol_hash
from reasoning.results import gather
from reasoning.scoring import judge, summarise
from record.compared import mismatches
from record.fresh import difference, expected, judge_again, judge_fresh, kind, kind_of
from record.recompute import by_config, check, numbers, told_to_arms
from reporting.latex import latex_table, macros
from reporting.table import csv_text, plain_text
from stage.files import read_json, write_json, write_text

PROMPT = {"system": "", "answer": "<answer>([^<]*)</answer>", "format": "<answer>[^<]+</answer>", "prefill": ""}
CPU = {"vendor": "v", "capability": "AVX2", "gpu": None}
HERE = {"python": "3.11.2", "packages": {"torch": "2"}, "lock_files": {}, "image": None, "processor": CPU}
CONFIG = {
    "run": "r",
    "headline": "strict",
    "task": "t",
    "evaluate_on": ["t"],
    "tasks": {"t": {"size": {"train": 9, "test": 6}, "limit": {}, "dev": 2}},
    "prompt": PROMPT,
    "eval": {"split": "test", "batch_size": 4},
    "arm": "grpo",
    "arms": {"grpo": {}},
    "rewards": {"accuracy": 1.0, "steps": 0.0},
    "train": {
        "trainer": "grpo",
        "start": None,
        "teacher": None,
        "processes": 1,
        "problems": {"skip": 0, "limit": 4, "wrong_answers": False},
        "grpo": {},
    },
    "seeds": [0],
    "controls": {"arms": {"coin": {}}, "seeds": [0, 1]},
}
ANSWERS = {
    "base": "655666",
    "grpo-seed0": "555566",
    "grpo-seed1": "555556",
    "coin-seed0": "665566",
    "coin-seed1": "656666",
}


def judged(answers, name=str):
    return [
        {"id": name(i), "family": "ab"[i % 2], "gold": "5", "steps": [], "question": "?"}
        | judge(name(i), "5", f"<answer>{answer}</answer>", 3, False, PROMPT, a_number)
        for i, answer in enumerate(answers)
    ]


def metrics_of(samples, config=CONFIG, subset=False, environment=HERE):
    """What `evaluate` writes for samples."""
    measured = {"data_sha256": "0", "prompts": {}, "decoding": {}, "engine": {"torch": "2"}}
    stated = protocol("t", "test", config["prompt"], config["eval"], measured)
    return summarise(samples) | {
        "subset": subset,
        "protocol": stated,
        "protocol_hash": protocol_hash(stated),
        "weights": {"model.safetensors": "0"},
        "environment": environment,
    }


def write_evaluation(folder, policy, samples, compressed=True, **changes):
    """The files of one evaluation, in a record or in the folder of a run."""
    there = folder / "eval" / "t" / policy
    write_json(there / "metrics.json", metrics_of(samples) | changes)
    text = "".join(json.dumps(sample) + "\n" for sample in samples)
    (there / "samples.jsonl.gz").write_bytes(gzip.compress(text.encode())) if compressed else write_text(
        there / "samples.jsonl", text
    )


@pytest.fixture
def record(tmp_path):
    """A small record that fits itself: two arms with two seeds, on six problems of two families."""
    folder = tmp_path / "record"
    samples = {("t", policy): judged(answers) for policy, answers in ANSWERS.items()}
    items = [{"second": "b c", "completion": f"{word} c d"} for word in "bxb"]
    probe = {"items": items, "verbatim": verbatim(items), "environment": HERE}
    write_json(folder / "probe/t.json", probe)
    for (_, policy), value in samples.items():
        write_evaluation(folder, policy, value)
    for scope in ("", "controls"):
        policies = trained_policies(CONFIG, controls=bool(scope))
        here = {key: value for key, value in samples.items() if key[1] in ("base", *policies)}
        metrics = {key: metrics_of(value) for key, value in here.items()}
        shared = {key: metrics["t", "base"][key] for key in ("subset", "protocol_hash")}
        comparisons = {
            key: compare(samples["t", "base"], value, PROMPT) | shared
            for key, value in here.items()
            if key[1] != "base"
        }
        merges = {policy: {"agreement": 1.0, "environments": {f"check_merge/{policy}": HERE}} for policy in policies}
        results = gather(metrics, comparisons, merges, {"t": probe}, here, dict.fromkeys(policies, HERE), {}, {}, {})
        told = told_to_arms(CONFIG, bool(scope))
        results |= {"run": "r", "headline": "strict", "policy": "grpo-seed0", "told": told}
        results["shown"] = shown(CONFIG, bool(scope))
        for policy in policies:
            write_json(folder / "compare/t" / f"{policy}.json", comparisons["t", policy])
            write_json(folder / "merge" / f"{policy}.json", merges[policy])
            write_json(folder / "training" / policy / "environment.json", HERE)
        write_json(folder / scope / "results.json", results)
        write_json(folder / scope / "config.json", CONFIG)
        for name, text in (
            ("table.csv", csv_text),
            ("table.txt", plain_text),
            ("numbers.tex", macros),
            ("table.tex", latex_table),
        ):
            write_text(folder / scope / name, text(results))
    return folder


def edit(path, change):
    value = read_json(path)
    change(value)
    write_json(path, value)


def edit_samples(record, policy, change):
    path = record / "eval/t" / policy / "samples.jsonl.gz"
    samples = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    change(samples)
    path.write_bytes(gzip.compress("".join(json.dumps(sample) + "\n" for sample in samples).encode()))


def test_a_record_that_fits_itself(record):
    wrong, said = check(record, CONFIG, None)
    results = read_json(record / "controls/results.json")
    assert wrong == []
    assert said == [f"{len(set(counted_by_hand(results, record)))} numbers recomputed from the completions"]


def counted_by_hand(results, record):
    """The addresses of what follows from completions: a policy that both scopes have is measured once."""

    def leaves(value, address):
        if isinstance(value, dict):
            return [leaf for key, child in value.items() for leaf in leaves(child, f"{address}.{key}")]
        return [address] if type(value) in (int, float) else []

    scores = "n scores format unparsed truncated completion_tokens within_tokens families".split()
    for scope in ("", "controls"):
        (entry,) = read_json(record / scope / "results.json")["tasks"].values()
        yield from leaves(entry["verbatim"], "probe")
        yield from leaves({key: entry[key] for key in ("arms", "leads")}, scope)
        for policy, value in entry["policies"].items():
            yield from leaves({key: value["metrics"][key] for key in scores}, f"eval {policy}")
            yield from leaves(value["comparison"] or {}, f"compare {policy}")


def score(record):
    edit(record / "eval/t/base/metrics.json", lambda m: m["scores"]["strict"].update(value=0.4))


def extraction(record):
    edit_samples(record, "grpo-seed0", lambda s: s[4]["correct"].update(strict=True))


def completion(record):
    edit_samples(record, "coin-seed1", lambda s: s[0].update(completion="<answer>5</answer>"))


def other_problem(record):
    edit_samples(record, "grpo-seed1", lambda s: s[5].update(id="9"))


def other_gold(record):
    edit_samples(record, "grpo-seed1", lambda s: s[5].update(gold="7"))


def twice(record):
    for policy in ANSWERS:
        edit_samples(record, policy, lambda s: s[5].update(id=s[3]["id"]))


def hash_of_protocol(record):
    edit(record / "eval/t/base/metrics.json", lambda m: m.update(protocol_hash="0"))


def comparison(record):
    edit(record / "compare/t/grpo-seed0.json", lambda c: c["extractors"]["strict"].update(won=5))


def probe(record):
    edit(record / "probe/t.json", lambda p: p["verbatim"].update(correct=3))


def lead(record):
    edit(record / "controls/results.json", lambda r: r["tasks"]["t"]["leads"]["coin"]["strict"].update(low=0.1))


def merge(record):
    edit(record / "results.json", lambda r: r["merges"]["grpo-seed0"].update(agreement=0.5))


def text(record):
    write_text(record / "controls/table.txt", "nothing\n")


def config(record):
    edit(record / "controls/config.json", lambda c: c.update(seeds=[1]))


def split(record):
    edit(record / "results.json", lambda r: r["tasks"]["t"]["policies"]["base"]["metrics"].update(subset=True))


def headline(record):
    edit(record / "results.json", lambda r: r.update(headline="flexible"))


@pytest.mark.parametrize(
    ("forge", "line"),
    [
        (score, "eval/t/base/metrics.scores.strict.value: published 0.4, recomputed 0.3333333333333333"),
        (extraction, "eval/t/grpo-seed0/samples.4.correct.strict: published True, recomputed False"),
        (completion, "eval/t/coin-seed1/samples.0.extracted.strict: published '6', recomputed '5'"),
        (other_problem, "eval/t/grpo-seed1/samples: not the problems that the base model was asked"),
        (other_gold, "eval/t/grpo-seed1/samples: not the problems that the base model was asked"),
        (twice, "eval/t/base/samples: not the problems that the base model was asked"),
        (hash_of_protocol, "eval/t/base/metrics.protocol_hash: published '0'"),
        (comparison, "compare/t/grpo-seed0.extractors.strict.won: published 5, recomputed 2"),
        (probe, "probe/t.verbatim.correct: published 3, recomputed 2"),
        (lead, "controls/results.tasks.t.leads.coin.strict.low: published 0.1"),
        (merge, "results.merges.grpo-seed0.agreement: published 0.5, recomputed 1.0"),
        (text, "controls/table.txt: the published text does not follow from results.json"),
        (config, "controls/config.seeds.0: published 1, in config.json 0"),
        (split, "config.tasks.t.base.subset: published False, recomputed True"),
        (headline, "config.headline: published 'strict', recomputed 'flexible'"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_does_not_follow_is_named(record, forge, line):
    forge(record)
    try:
        wrong, _ = check(record, CONFIG, None)
    except SystemExit as error:  # policies on other problems are not compared
        wrong = [str(error)]
        line = "different problems" if forge is other_problem else line
    assert any(line in each for each in wrong), wrong
    assert len(wrong) == len(set(wrong))


def test_a_record_is_held_to_its_config(record):
    results = read_json(record / "controls/results.json")
    assert (
        by_config(CONFIG, type("Scope", (), {"name": "controls"}), results)[0]
        == by_config(CONFIG, type("Scope", (), {"name": "controls"}), results)[1]
    )
    other = CONFIG | {"eval": CONFIG["eval"] | {"batch_size": 8}}
    wrong, _ = check(record, other, None)
    assert "config.tasks.t.grpo-seed0.protocol.eval.batch_size: published 8, recomputed 4" in wrong


def test_numbers_are_leaves_that_are_no_booleans():
    value = {"a": 1, "b": [0.5, {"c": True}, "x"], "d": None, "e": {"f": 2}}
    assert [*numbers(value, "v")] == ["v.a", "v.b.0", "v.e.f"]


def test_mismatches():
    assert mismatches({"a": [1, {"b": 0.1 + 0.2}]}, {"a": [1, {"b": 0.3}]}, "x") == []
    assert mismatches(1e-13, 0.0, "x") == [] and mismatches(1e-11, 0.0, "x") != []
    assert mismatches(1.0, 1.0 + 1e-8, "x") != []
    assert mismatches([1, 2], [1, 3], "x", "counted") == ["x.1: published 2, counted 3"]
    assert mismatches([1], [1, 2], "x") == ["x: published [1], recomputed [1, 2]"]
    assert mismatches({"a": 1}, {"b": 1}, "x") == [
        "x.a: published 1, recomputed None",
        "x.b: published None, recomputed 1",
    ]
    assert mismatches({"a": 1}, [1], "x") == ["x: published {'a': 1}, recomputed [1]"]
    assert mismatches(1.0, 1, "x") == [] and mismatches(1.0, 2, "x") == ["x: published 1.0, recomputed 2"]
    assert mismatches("1", 1, "x") != []
    assert mismatches(0.5, None, "x") == ["x: published 0.5, recomputed None"]


def test_kind_of_machine():
    gpu = HERE | {"processor": CPU | {"gpu": "T4"}}
    assert kind([HERE, HERE]) == [(CPU, {"torch": "2"})] * 2
    for others in (None, {}, gpu, {key: value for key, value in HERE.items() if key != "processor"}):
        assert kind([HERE, others]) is None


@pytest.fixture
def fresh(tmp_path, record):
    """A run with the record's own completions."""
    folder = tmp_path / "fresh"
    for policy, answers in ANSWERS.items():
        write_evaluation(folder, policy, judged(answers), compressed=False)
        for place in (folder, record):
            if policy != "base":
                write_json(place / "training" / policy / "environment.json", HERE)
                write_json(place / "training" / policy / "arguments.json", {"beta": 0.0, "lr": 1.0})
    return folder


def verdicts(record, fresh):
    return {line["address"]: line["verdict"] for line in judge_fresh(record, fresh)}


def strict(policy):
    return f"eval/t/{policy}/metrics.json:strict"


def test_the_same_completions_are_identical(record, fresh):
    assert set(verdicts(record, fresh).values()) == {"identical"} and len(verdicts(record, fresh)) == 15
    first = next(judge_fresh(record, fresh))
    assert (first["published"], first["fresh"]) == (2 / 6, 2 / 6)


def test_what_is_not_there_is_not_judged(record, fresh):
    (fresh / "eval/t/base/metrics.json").unlink()
    (fresh / "eval/t/coin-seed0/samples.jsonl").unlink()
    assert len(verdicts(record, fresh)) == 9


def test_other_completions_on_the_same_kind_of_machine(record, fresh):
    write_evaluation(fresh, "base", judged("565666"), compressed=False)
    assert verdicts(record, fresh)[strict("base")] == "not identical"


SEEDS = [f"grpo-seed{seed}" for seed in (0, 1, 10)]


def solved(count):
    """40 problems of which the first `count` are solved."""
    return judged("5" * count + "6" * (40 - count))


@pytest.mark.parametrize("stage", ["eval", "training"])
@pytest.mark.parametrize(
    ("count", "verdict"), [(20, "identical"), (21, "within"), (17, "within"), (16, "outside"), (24, "outside")]
)
def test_other_completions_on_another_kind_are_held_to_an_interval(tmp_path, stage, count, verdict):
    """Three seeds that solve the same 20 of 40: half an item may flip, so one more solves 17 to 23."""
    record, fresh = tmp_path / "record", tmp_path / "fresh"
    other = HERE | {"processor": CPU | {"capability": "AVX512"}}
    for policy in SEEDS:
        write_evaluation(record, policy, solved(20))
        write_json(record / "training" / policy / "environment.json", HERE)
    changed = {"environment": other} if stage == "eval" else {}
    write_evaluation(fresh, SEEDS[0], solved(count), compressed=False, **changed)
    write_json(fresh / "training" / SEEDS[0] / "environment.json", other if stage == "training" else HERE)
    line = next(judge_fresh(record, fresh))
    assert line["verdict"] == verdict, line


def test_an_interval_includes_its_ends(tmp_path):
    """Of 40 problems all differ: 14 to 26 won with at least 95 %, 14 and 26 included."""
    record, fresh = tmp_path / "record", tmp_path / "fresh"
    other = HERE | {"processor": CPU | {"capability": "AVX512"}}
    for before, after, verdict in ((26, 14, "within"), (14, 26, "within"), (27, 13, "outside"), (13, 27, "outside")):
        write_evaluation(record, "base", judged("6" * (40 - before) + "5" * before))
        write_evaluation(fresh, "base", solved(after), compressed=False, environment=other)
        line = next(judge_fresh(record, fresh))
        assert line["verdict"] == verdict and line["expected"] == pytest.approx(
            ((14 * 2 - 40 + before) / 40, (26 * 2 - 40 + before) / 40)
        )


def test_an_interval_over_seeds_is_of_the_same_arm_and_task():
    """The base model, of one, is the same policy with other last bits; an arm of several seeds is drawn once more."""
    published = {("t", "base"): judged("655666"), ("t", "coin-seed0"): solved(1), ("u", SEEDS[0]): solved(2)}
    published |= {("t", policy): solved(count) for policy, count in zip(SEEDS, (20, 21, 22), strict=True)}
    assert expected(published, judged("565666"), "t", "base", "strict") == pytest.approx((0.0, 4 / 6))
    low, high = expected(published, None, "t", SEEDS[1], "strict")
    assert (low, high) == new_training([[i < count for i in range(40)] for count in (20, 21, 22)])
    two = {key: samples for key, samples in published.items() if key != ("t", SEEDS[2])}
    assert expected(two, None, "t", SEEDS[0], "strict") == new_training([[i < n for i in range(40)] for n in (20, 21)])
    assert len({expected(published, solved(1), "t", policy, "strict") for policy in SEEDS}) == 1


def test_a_run_made_otherwise_is_named(record, fresh):
    def words(policy="grpo-seed0"):
        return difference(record, fresh, "t", policy)

    assert words() is None and words("base") is None
    arguments = fresh / "training/grpo-seed0/arguments.json"
    write_json(arguments, {"beta": 0.1, "lr": 2.0, "new": 1})
    assert words() == "trained differently (beta, lr)"
    assert verdicts(record, fresh)[strict("grpo-seed0")] == "trained differently (beta, lr)"
    arguments.unlink()
    assert words() is None
    metrics = read_json(fresh / "eval/t/grpo-seed0/metrics.json")
    for field, named in (("engine", None), ("data_sha256", "measured differently (data_sha256)")):
        other = copy.deepcopy(metrics)
        other["protocol"][field] = "another"
        write_json(fresh / "eval/t/grpo-seed0/metrics.json", other)
        assert words() == named
    line = next(line for line in judge_fresh(record, fresh) if line["address"] == strict("grpo-seed0"))
    assert line["expected"] is None


@pytest.mark.parametrize(
    ("answers", "same_kind", "enough"),
    [
        ("55555666", True, True),
        ("55555666", False, True),
        ("55556666", True, False),
        ("55556666", False, True),
        ("65555566", False, True),
    ],
)
def test_completions_made_again(answers, same_kind, enough):
    prompt = PROMPT | {"prefill": "<answer>"}
    made = [(f"{answer}</answer>", 3, False, (1, 2)) for answer in answers]
    alike = sum(a == b for a, b in zip(answers, "55555666", strict=True))
    assert judge_again(judged("55555666"), made, prompt, same_kind, "strict", a_number) == (alike, enough)


def test_a_score_that_no_policy_would_reach_again_is_not_enough():
    """All of 20 differing problems won: a fair coin would not."""
    made = [("<answer>5</answer>", 3, False, (1, 2))] * 20
    assert judge_again(judged("6" * 20), made, PROMPT, False, "strict", a_number) == (0, False)
    made = [("<answer>6</answer>", 3, False, (1, 2))] * 20
    assert judge_again(judged("5" * 20), made, PROMPT, False, "strict", a_number) == (0, False)


def test_the_ends_of_the_interval_are_enough():
    """All of 40 problems differ: 14 to 26 may be won."""
    for before, after, enough in ((14, 26, True), (13, 27, False), (26, 14, True), (27, 13, False)):
        made = [(f"<answer>{answer}</answer>", 3, False, (1, 2)) for answer in "5" * after + "6" * (40 - after)]
        samples = judged("6" * (40 - before) + "5" * before)
        assert judge_again(samples, made, PROMPT, False, "strict", a_number) == (0, enough)


def test_many_completions_made_again():
    made = [("<answer>5</answer>", 3, False, (1, 2))] * 300
    assert judge_again(judged("5" * 300), made, PROMPT, True, "strict", a_number) == (300, True)
    with pytest.raises(ValueError):
        judge_again(judged("5" * 300), made[:299], PROMPT, True, "strict", a_number)


@pytest.mark.parametrize("policy", ["a-seed0", "z-seed0"])
def test_the_kind_of_a_trained_policy_is_also_of_its_training(tmp_path, policy):
    write_evaluation(tmp_path, policy, judged("5"))
    assert kind_of(tmp_path, "t", policy) is None
    write_json(tmp_path / "training" / policy / "environment.json", HERE)
    assert kind_of(tmp_path, "t", policy) == [(CPU, {"torch": "2"})] * 2
    write_evaluation(tmp_path, "base", judged("5"))
    assert kind_of(tmp_path, "t", "base") == [(CPU, {"torch": "2"})]


def test_measured_fields_are_not_of_the_config(record):
    """What only a measurement knows is not compared with the config."""
    said, found = by_config(CONFIG, record, read_json(record / "results.json") | {"tasks": {}})
    assert {said["tasks"]["t"]["base"]["protocol"][field] for field in MEASURED} == {None} and found["tasks"] == {}
