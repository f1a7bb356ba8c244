"""Recompute every published number from the published samples, without a model, and judge a fresh run by them.

    snakemake --cores 1 verify

First the record: every file has its digest, every completion its extractions, every score, interval and comparison
follows from the completions. Then, where this machine made the same run: is each number identical, inside the published
95 % interval, or outside of it? Anything that does not stand ends with exit code 1.
"""

import argparse
import gzip
import json
import math
from pathlib import Path

import probe_contamination
from compare import compare
from evaluate import judge, summarise
from gsm8k.answer import EXTRACTORS
from gsm8k.protocol import differing, protocol, protocol_hash
from gsm8k.records import read_json, sha256, write_json
from report import latex_table, macros
from tabulate_results import csv_text, gather, read_results, text

# A record has the results of the run and those of its controls.
SCOPES = (Path(), Path("controls"))


def damaged(record):
    """What is wrong with the files of a record: missing, unlisted, or not of the digest in SHA256SUMS."""
    if not (record / "SHA256SUMS").exists():
        return [f"{record} has no SHA256SUMS: it is not a published record"]
    lines = (record / "SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    present = {str(p.relative_to(record)) for p in record.rglob("*") if not p.is_dir()} - {"SHA256SUMS"}
    return (
        [f"{path} is a link: a record holds files" for path in sorted(record.rglob("*")) if path.is_symlink()]
        + [f"{record / name} is missing" for name in sorted(listed.keys() - present)]
        + [f"{record / name} is not in SHA256SUMS" for name in sorted(present - listed.keys())]
        + [
            f"{record / name} is not the published file: its sha256 differs"
            for name in sorted(listed.keys() & present)
            if sha256(record / name) != listed[name]
        ]
    )


def differences(published, recomputed, address):
    """Where two JSON values differ, as `address.key: published, recomputed`; floats may differ by rounding."""
    if isinstance(published, dict) and isinstance(recomputed, dict):
        return [
            line
            for key in sorted(published.keys() | recomputed.keys())
            for line in differences(published.get(key), recomputed.get(key), f"{address}.{key}")
        ]
    if isinstance(published, list) and isinstance(recomputed, list) and len(published) == len(recomputed):
        published, recomputed = dict(enumerate(published)), dict(enumerate(recomputed))
        return differences(published, recomputed, address)
    if isinstance(published, float) and isinstance(recomputed, float):
        same = math.isclose(published, recomputed, rel_tol=1e-9, abs_tol=1e-12)
    else:
        same = published == recomputed
    return [] if same else [f"{address}: published {published!r}, recomputed {recomputed!r}"]


def read_samples(path):
    """The samples of one policy in a record."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def judged_again(sample, prompt):
    """A sample made anew from its completion, and from those of its draws where it has any."""

    def again(judged):
        return judge(sample["gold"], judged["completion"], judged["tokens"], judged["truncated"], prompt)

    fresh = {key: sample[key] for key in ("id", "family", "gold")} | again(sample)
    return fresh | ({"draws": list(map(again, sample["draws"]))} if "draws" in sample else {})


def by_config(config, scope, results):
    """What a record's config says of `results` in one scope, and what they are, as two values to compare."""
    arms, seeds, split = config["arms"], config["seeds"], config["eval"]["split"]
    if scope.name:
        arms, seeds = arms | config["controls"]["arms"], config["controls"]["seeds"]
    policies = [f"{arm}-seed{seed}" for arm in arms for seed in seeds]
    expected = {"run": config["run"], "headline": config["headline"], "policy": policies[0], "tasks": {}}
    for name in config["evaluate_on"]:
        task = config["tasks"][name]
        limit = task["limit"].get(split)
        expected["tasks"][name] = {
            policy: {
                "n": limit or (task["size"] | {"dev": task["dev"]})[split],
                "subset": limit is not None,
                "protocol": protocol(name, split, None, config["prompt"], config["eval"]),
            }
            for policy in ["base", *policies]
        }
    found = {key: results[key] for key in ("run", "headline", "policy")} | {"tasks": {}}
    for name, entry in results["tasks"].items():
        found["tasks"][name] = {
            policy: {key: value["metrics"][key] for key in ("n", "subset")}
            | {"protocol": value["metrics"]["protocol"] | {"data_sha256": None}}
            for policy, value in entry["policies"].items()
        }
    return expected, found


def recompute(record, scope):
    """The addresses in one scope of a record at which the published number is not what the samples give."""
    published = read_results(record / scope / "results.json")
    metrics, samples, comparisons, merges, probes = {}, {}, {}, {}, {}
    wrong = differences(*by_config(read_json(record / "config.json"), scope, published), "config")
    for task, entry in published["tasks"].items():
        probes[task] = read_json(record / "probe" / f"{task}.json")
        verbatim = probe_contamination.summarise(probes[task]["items"])
        wrong += differences(probes[task]["verbatim"], verbatim, f"probe/{task}.verbatim")
        probes[task]["verbatim"] = verbatim
        for policy in entry["policies"]:  # base, with which the others are compared, comes first
            folder = record / "eval" / task / policy
            stated = read_json(folder / "metrics.json")
            kept = read_samples(folder / "samples.jsonl.gz")
            prompt = stated["protocol"]["prompt"]
            again = [judged_again(sample, prompt) for sample in kept]
            for sample, fresh in zip(kept, again, strict=True):
                wrong += differences(sample, fresh, f"eval/{task}/{policy}/samples.{sample['id']}")
            marks = {"subset": stated["subset"], "protocol": stated["protocol"]}
            metrics[task, policy] = summarise(again) | marks | {"protocol_hash": protocol_hash(stated["protocol"])}
            wrong += differences(stated, metrics[task, policy], f"eval/{task}/{policy}/metrics")
            samples[task, policy] = again
            problems = [[(s["id"], s["family"], s["gold"]) for s in of] for of in (samples[task, "base"], again)]
            if problems[0] != problems[1] or len({s["id"] for s in again}) != len(again):
                wrong.append(f"eval/{task}/{policy}/samples: not the problems that the base model was asked")
            if policy != "base":
                marks = {key: metrics[task, "base"][key] for key in ("subset", "protocol_hash")}
                comparisons[task, policy] = compare(samples[task, "base"], again) | marks
                stated = read_json(record / "compare" / task / f"{policy}.json")
                wrong += differences(stated, comparisons[task, policy], f"compare/{task}/{policy}")
                merges[policy] = read_json(record / "merge" / f"{policy}.json")
    results = gather(metrics, comparisons, merges, probes, samples) | {
        key: published[key] for key in ("run", "headline", "policy")
    }
    wrong += differences(published, results, str(scope / "results"))
    made = {
        "table.csv": csv_text(results),
        "table.txt": text(results, results["headline"]),
        "numbers.tex": macros(results),
        "table.tex": latex_table(results),
    }
    for name, content in made.items():
        if (record / scope / name).read_text() != content:
            wrong.append(f"{scope / name}: published text is not what results.json gives")
    return wrong


def judge_fresh(published, fresh):
    """`(address, published, fresh, verdict)` of every score in both; the verdict says how the fresh one stands."""
    for task, entry in published["tasks"].items():
        for policy, value in entry["policies"].items():
            other = fresh["tasks"].get(task, {"policies": {}})["policies"].get(policy)
            if other is None:
                continue
            fields = differing(value["metrics"], other["metrics"])
            for name in EXTRACTORS:
                a, b = value["metrics"]["scores"][name], other["metrics"]["scores"][name]
                inside = a["low"] <= b["value"] <= a["high"]
                verdict = "identical" if a == b else "within" if inside else "outside"
                yield (
                    f"{value['address']}:{name}",
                    a["value"],
                    b["value"],
                    f"measured differently ({', '.join(fields)})" if fields else verdict,
                )


def main(args):
    wrong, judged = [], []
    records = sorted(path for path in args.records.glob("*") if path.is_dir())
    if not records:
        raise SystemExit(f"error: {args.records} holds no record: clone the repository with its results/published")
    for record in records:
        found, numbers = damaged(record), 0
        for scope in SCOPES:
            try:  # a record may hold anything, and what cannot be read does not stand
                found += recompute(record, scope)
                published = read_json(record / scope / "results.json")
                numbers += sum(1 for _ in leaves(published["tasks"]))
                fresh = args.results / record.name / scope / "results.json"
                if fresh.exists():
                    judged += judge_fresh(published, read_json(fresh))
            except (Exception, SystemExit) as error:
                found.append(f"{record / scope} cannot be recomputed: {type(error).__name__}: {error}")
        print(f"{record}: {numbers} numbers recomputed from the samples, {len(found)} do not stand", flush=True)
        wrong += found
    for line in wrong:
        print(f"error: {line}")
    for address, published, fresh, verdict in dict.fromkeys(judged):
        print(f"{address}: published {100 * published:.1f}, here {100 * fresh:.1f}: {verdict}")
    outside = [address for address, _, _, verdict in judged if verdict not in ("identical", "within")]
    write_json(args.verified, {"wrong": wrong, "fresh": [list(row) for row in dict.fromkeys(judged)]})
    if wrong or outside:
        raise SystemExit(f"error: {len(wrong) + len(outside)} numbers do not stand; they are listed above")
    print("every published number stands")


def leaves(value):
    """The numbers in a JSON value."""
    if isinstance(value, dict):
        for child in value.values():
            yield from leaves(child)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, default=Path("results/published"), help="where records stand")
    parser.add_argument("--results", type=Path, default=Path("results"), help="where fresh runs stand")
    parser.add_argument("--verified", type=Path, default=Path("results/verified.json"), help="JSON to write")
    main(parser.parse_args())
