"""Recompute a record's numbers from its completions, without a model, and list the differences."""

import math

from reasoning.comparison import compare
from reasoning.contamination import verbatim
from reasoning.policies import problem_count, trained_policies
from reasoning.protocol import protocol, protocol_hash
from reasoning.results import gather
from reasoning.rows import read_results
from reasoning.scoring import judge_again, summarise
from reporting.latex import latex_table, macros
from reporting.table import csv_text, plain_text
from stage.files import read_json, read_text

from record.layout import read_samples

STATED = ("subset", "protocol", "environment")  # keys of metrics.json that do not follow from completions


def mismatches(published, recomputed, address):
    """The differences of two JSON values as `address.key: published, recomputed`; floats may differ by rounding."""
    if isinstance(published, dict) and isinstance(recomputed, dict):
        return [
            line
            for key in sorted(published.keys() | recomputed.keys())
            for line in mismatches(published.get(key), recomputed.get(key), f"{address}.{key}")
        ]
    if isinstance(published, list) and isinstance(recomputed, list) and len(published) == len(recomputed):
        return mismatches(dict(enumerate(published)), dict(enumerate(recomputed)), address)
    if isinstance(published, float) and isinstance(recomputed, float):
        same = math.isclose(published, recomputed, rel_tol=1e-9, abs_tol=1e-12)
    else:
        same = published == recomputed
    return [] if same else [f"{address}: published {published!r}, recomputed {recomputed!r}"]


def numbers(value):
    """The numbers in a JSON value."""
    if isinstance(value, (dict, list)):
        for child in value.values() if isinstance(value, dict) else value:
            yield from numbers(child)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


def by_config(config, scope, results):
    """(expected, found): what a scope of `results` should have according to the record's config, and what it has."""
    split, policies = config["eval"]["split"], trained_policies(config, controls=bool(scope.name))
    expected = {"run": config["run"], "headline": config["headline"], "policy": policies[0], "tasks": {}}
    for task in config["evaluate_on"]:
        n, subset = problem_count(config["tasks"][task], split)
        measured = protocol(task, split, None, config["prompt"], config["eval"], None)
        expected["tasks"][task] = {
            policy: {"n": n, "subset": subset, "protocol": measured} for policy in ["base", *policies]
        }
    found = {key: results[key] for key in ("run", "headline", "policy")} | {"tasks": {}}
    for task, entry in results["tasks"].items():
        found["tasks"][task] = {
            policy: {key: value["metrics"][key] for key in ("n", "subset")}
            | {"protocol": value["metrics"]["protocol"] | {"data_sha256": None, "engine": None}}
            for policy, value in entry["policies"].items()
        }
    return expected, found


def recompute(record, scope):
    """The mismatches of one scope of a record, one line each."""
    published = read_results(record / scope / "results.json")
    wrong = mismatches(*by_config(read_json(record / "config.json"), scope, published), "config")
    metrics, comparisons, merges, probes, samples, trainings = {}, {}, {}, {}, {}, {}
    for task, entry in published["tasks"].items():
        probes[task] = read_json(record / "probe" / f"{task}.json")
        recomputed = verbatim(probes[task]["items"])
        wrong += mismatches(probes[task]["verbatim"], recomputed, f"probe/{task}.verbatim")
        probes[task]["verbatim"] = recomputed
        for policy in entry["policies"]:  # base comes first: the others are compared with it
            address = f"eval/{task}/{policy}"
            stated, kept = read_json(record / address / "metrics.json"), read_samples(record, task, policy)
            again = [judge_again(sample, stated["protocol"]["prompt"]) for sample in kept]
            for sample, fresh in zip(kept, again, strict=True):
                wrong += mismatches(sample, fresh, f"{address}/samples.{sample['id']}")
            metrics[task, policy] = summarise(again) | {key: stated[key] for key in STATED}
            metrics[task, policy]["protocol_hash"] = protocol_hash(stated["protocol"])
            wrong += mismatches(stated, metrics[task, policy], f"{address}/metrics")
            samples[task, policy] = again
            problems = [[(s["id"], s["family"], s["gold"]) for s in of] for of in (samples[task, "base"], again)]
            if problems[0] != problems[1] or len({s["id"] for s in again}) != len(again):
                wrong.append(f"{address}/samples: not the problems that the base model was asked")
            if policy != "base":
                shared = {key: metrics[task, "base"][key] for key in ("subset", "protocol_hash")}
                comparisons[task, policy] = compare(samples[task, "base"], again) | shared
                stated = read_json(record / "compare" / task / f"{policy}.json")
                wrong += mismatches(stated, comparisons[task, policy], f"compare/{task}/{policy}")
                merges[policy] = read_json(record / "merge" / f"{policy}.json")
                trainings[policy] = read_json(record / "training" / policy / "environment.json")
    results = gather(metrics, comparisons, merges, probes, samples, trainings) | {
        key: published[key] for key in ("run", "headline", "policy")
    }
    wrong += mismatches(published, results, str(scope / "results"))
    texts = {
        "table.csv": csv_text(results),
        "table.txt": plain_text(results),
        "numbers.tex": macros(results),
        "table.tex": latex_table(results),
    }
    for name, content in texts.items():
        if read_text(record / scope / name) != content:
            wrong.append(f"{scope / name}: the published text does not follow from results.json")
    return wrong
