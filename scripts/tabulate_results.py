"""Gather every number of a run in one place: results.json for programs, table.csv for papers, table.txt for people."""

import argparse
import csv
import io
from pathlib import Path

from compare import outcomes
from gsm8k.answer import EXTRACTORS
from gsm8k.protocol import require_equal
from gsm8k.records import read_json, read_jsonl, replacing, write_json
from gsm8k.statistics import over_seeds


def gather(metrics, comparisons, merges, probes, samples):
    """One value with every number: `tasks.<task>.policies.<policy>` and `….arms.<arm>`, merges beside them.

    `metrics`, `comparisons` and `samples` are `{(task, policy): JSON}`, `merges` is `{policy: JSON}` and `probes`
    `{task: JSON}`. Each policy has the address of its scores, the file below the run's folder that they stand in.
    `margins.<arm>` is what the first arm reached more than another. Stops where scores were measured differently.
    """
    tasks = {}
    for (task, policy), value in metrics.items():
        entry = tasks.setdefault(task, {"policies": {}, "arms": {}, "margins": {}})
        require_equal(metrics[task, "base"], value)
        entry["policies"][policy] = {
            "address": f"eval/{task}/{policy}/metrics.json",
            "metrics": value,
            "comparison": comparisons.get((task, policy)),
        }
    for task, entry in tasks.items():
        entry["verbatim"] = probes[task]["verbatim"]
        of_arm = {}
        for policy in entry["policies"]:
            of_arm.setdefault(arm_of(policy), []).append(samples[task, policy])
        base, (lead, *others) = of_arm.pop("base"), of_arm
        entry["arms"] = {arm: change_over_seeds(base, of_seeds) for arm, of_seeds in of_arm.items()}
        entry["margins"] = {arm: change_over_seeds(of_arm[arm], of_arm[lead]) for arm in others}
    return {"tasks": tasks, "merges": merges}


def change_over_seeds(before, after):
    """`{extractor: over_seeds}` of two lists with the samples of one seed each."""
    return {
        name: over_seeds([outcomes(s, name) for s in before], [outcomes(s, name) for s in after]) for name in EXTRACTORS
    }


def read_results(path):
    """A results.json with its policies and arms in reading order: base, the arm of the claim, others by name."""
    results = read_json(path)
    lead = arm_of(results["policy"])

    def place(name):
        return name != "base", arm_of(name) != lead, arm_of(name), name != results["policy"], seed_of(name)

    for entry in results["tasks"].values():
        for key in ("policies", "arms", "margins"):
            found = entry.get(key, {})
            entry[key] = {name: found[name] for name in sorted(found, key=place)}
    return results


def arm_of(policy):
    """The arm of a policy: grpo-seed0 -> grpo, base -> base."""
    return policy.partition("-seed")[0]


def seed_of(policy):
    """The seed of a policy as a number, 0 where it has none: 10 comes after 2."""
    return int(policy.partition("-seed")[2] or 0)


def marked(task, split, subset):
    """A task's name, with what keeps a score from being the task's own: another split than test, or a subset of it."""
    marks = [*([f"{split} split"] if split != "test" else []), *(["a subset"] if subset else [])]
    return f"{task} ({', '.join(marks)})" if marks else task


def marked_row(row):
    """The task of a row of the table, marked."""
    return marked(row["task"], row["split"], row["subset"])


COLUMNS = (
    "task policy extractor n correct value low high difference difference_low difference_high mcnemar_p "
    "won lost format_rate truncation_rate mean_completion_tokens split subset"
).split()


def rows(results):
    """The table, one row a task, policy and extractor; differences are empty for the base model."""
    for task, entry in results["tasks"].items():
        for policy, value in entry["policies"].items():
            metrics, comparison = value["metrics"], value["comparison"]
            for name in EXTRACTORS:
                score = metrics["scores"][name]
                change = comparison["extractors"][name] if comparison else {}
                yield {
                    "task": task,
                    "policy": policy,
                    "extractor": name,
                    **{key: score[key] for key in ("n", "correct", "value", "low", "high")},
                    "difference": change.get("difference"),
                    "difference_low": change.get("low"),
                    "difference_high": change.get("high"),
                    "mcnemar_p": change.get("p"),
                    "won": change.get("won"),
                    "lost": change.get("lost"),
                    "format_rate": metrics["format"]["value"],
                    "truncation_rate": metrics["truncated"]["value"],
                    "mean_completion_tokens": metrics["completion_tokens"]["mean"],
                    "split": metrics["protocol"]["split"],
                    "subset": metrics["subset"],
                }


def csv_text(results):
    """The table as CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(results))
    return out.getvalue()


def percent(value):
    """A proportion for people: 0.4213 -> "42.1"."""
    return f"{100 * value:.1f}"


def in_words(arm):
    """What an arm reached over its seeds, in one phrase."""
    return (
        f"{percent(arm['mean'])} ± {percent(arm['sd'])} % over {arm['seeds']} seeds, "
        f"change {change_in_words(arm)} over seeds and problems"
    )


def change_in_words(change):
    """A change in points with its interval: +17.0 [+11.3, +23.0]."""
    return f"{100 * change['difference']:+.1f} [{100 * change['low']:+.1f}, {100 * change['high']:+.1f}]"


def text(results, headline):
    """The before/after table as the terminal shows it, with the headline extractor in words below."""
    out = io.StringIO()
    line = "{:<14} {:<14} {:<11} {:>5} {:>6} {:>15} {:>7} {:>17} {:>9}\n"
    out.write(line.format("task", "policy", "extractor", "n", "%", "95 % interval", "change", "95 % interval", "p"))
    for row in rows(results):
        change = ("", "", "")
        if row["difference"] is not None:
            change = (
                f"{100 * row['difference']:+.1f}",
                f"[{100 * row['difference_low']:+.1f}, {100 * row['difference_high']:+.1f}]",
                f"{row['mcnemar_p']:.2g}",
            )
        interval = f"[{percent(row['low'])}, {percent(row['high'])}]"
        name = row["extractor"] + ("*" if row["extractor"] == headline else "")
        out.write(line.format(marked_row(row), row["policy"], name, row["n"], percent(row["value"]), interval, *change))
    out.write("* headline; change is against base, paired; p is McNemar's exact test\n")
    for task, entry in results["tasks"].items():
        verbatim = entry["verbatim"]
        out.write(
            f"{task}: the base model continues {verbatim['correct']} of {verbatim['n']} questions word for word\n"
        )
        for arm, value in entry["arms"].items():
            if value[headline]["seeds"] > 1:
                out.write(f"{task}, {arm}: {in_words(value[headline])}\n")
        for arm, value in entry["margins"].items():
            out.write(f"{task}, {arm_of(results['policy'])} beyond {arm}: {change_in_words(value[headline])}\n")
        for policy, value in entry["policies"].items():
            if value["metrics"]["subset"]:
                out.write(f"{task}, {policy}: A SUBSET of {value['metrics']['n']} problems, not the task's score\n")
            if comparison := value["comparison"]:
                gains = (change_in_words(comparison[gain]) for gain in ("format_gain", "reasoning_gain"))
                out.write("{}, {}: format gain {}, reasoning gain {} points\n".format(task, policy, *gains))
    return out.getvalue()


def main(args):
    metrics = {(p.parent.parent.name, p.parent.name): read_json(p) for p in args.metrics}
    comparisons = {(p.parent.name, p.stem): read_json(p) for p in args.comparisons}
    merges = {p.stem: read_json(p) for p in args.merges}
    samples = {(p.parent.parent.name, p.parent.name): read_jsonl(p) for p in args.samples}
    probes = {p.stem: read_json(p) for p in args.probes}
    named = {"run": args.run, "headline": args.headline, "policy": args.policy}
    write_json(args.results, gather(metrics, comparisons, merges, probes, samples) | named)
    results = read_results(args.results)
    for path, content in ((args.table, csv_text(results)), (args.text, text(results, args.headline))):
        with replacing(path) as partial:
            partial.write_text(content)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="the run's name")
    parser.add_argument("--policy", required=True, help="the policy of the claim, such as grpo-seed0")
    parser.add_argument("--headline", required=True, choices=EXTRACTORS, help="the extractor of the claim")
    parser.add_argument("--metrics", required=True, type=Path, nargs="+", help="eval/<task>/<policy>/metrics.json")
    parser.add_argument("--samples", required=True, type=Path, nargs="+", help="eval/<task>/<policy>/samples.jsonl")
    parser.add_argument("--comparisons", required=True, type=Path, nargs="+", help="compare/<task>/<policy>.json")
    parser.add_argument("--merges", required=True, type=Path, nargs="+", help="merge/<policy>.json")
    parser.add_argument("--probes", required=True, type=Path, nargs="+", help="probe/<task>.json")
    parser.add_argument("--results", required=True, type=Path, help="JSON to write")
    parser.add_argument("--table", required=True, type=Path, help="CSV to write")
    parser.add_argument("--text", required=True, type=Path, help="plain table to write")
    main(parser.parse_args())
