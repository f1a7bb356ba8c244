"""README's numbers and figure, computed from the completions of a published record; none is typed by hand."""

import re

from reasoning.policies import arm_of, seed_of
from reasoning.results import over_all_seeds
from reasoning.rows import in_order
from reasoning.statistics import score
from reporting.templates import fill
from stage.files import read_json

from record.layout import read_samples

BLOCK = re.compile(r"(<!-- numbers: .* -->\n).*(<!-- end of numbers -->)", re.DOTALL)


def scores_of(record):
    """A record's scores by the headline extractor, over all its seeds and controls.

    `{task: {n, base, arms, leads, seeds}}`: the base model's score, arms and leads as in results.json, and each seed's
    score by arm.
    """
    config, tasks = read_json(record / "config.json"), {}
    headline, claimed = config["headline"], read_json(record / "results.json")["policy"]
    for task in config["evaluate_on"]:
        found = [path.name for path in (record / "eval" / task).iterdir()]
        samples = {policy: read_samples(record, task, policy) for policy in in_order(dict.fromkeys(found), claimed)}
        scores = {policy: score([s["correct"][headline] for s in of]) for policy, of in samples.items()}
        over = over_all_seeds(samples)
        tasks[task] = {
            "n": scores["base"]["n"],
            "base": scores["base"],
            "arms": {arm: value[headline] for arm, value in over["arms"].items()},
            "leads": {arm: value[headline] for arm, value in over["leads"].items()},
            "seeds": {
                arm: [scores[p]["value"] for p in sorted(scores, key=seed_of) if arm_of(p) == arm]
                for arm in over["arms"]
            },
        }
    return tasks


def block(record, template, tasks):
    """README's block of numbers as Markdown; `tasks` is the value of `scores_of`."""
    provenance, config = read_json(record / "provenance.json"), read_json(record / "config.json")
    return fill(
        template,
        tasks=tasks,
        controls=config["controls"]["arms"],
        headline=config["headline"],
        commands=provenance["commands"],
        record=record,
    )


def figure(tasks):
    """Plot the exact match of base model and arms in percent; the arms' intervals are for other seeds and problems."""
    from reporting.figures import pyplot

    heights = [1 + len(entry["arms"]) for entry in tasks.values()]
    drawn, axes = pyplot.subplots(len(tasks), 1, figsize=(7, 0.7 + 0.34 * sum(heights)), squeeze=False)
    for axis, (task, entry) in zip(axes.flat, tasks.items(), strict=True):
        base, rows = entry["base"], list(entry["arms"].items())
        axis.axvspan(100 * base["low"], 100 * base["high"], color="0.92", linewidth=0)
        axis.axvline(100 * base["value"], color="0.5", linewidth=0.8)
        axis.plot(100 * base["value"], 0, "s", color="0.35", markersize=5)
        for place, (arm, value) in enumerate(rows, 1):
            low, high = (100 * max(0, min(1, base["value"] + value[side])) for side in ("low", "high"))
            colour = f"C{place - 1}"
            axis.plot([low, high], [place, place], color=colour, linewidth=1.5)
            axis.plot([100 * s for s in entry["seeds"][arm]], [place] * value["seeds"], "|", color=colour, markersize=9)
            axis.plot(100 * value["mean"], place, "o", color=colour, markersize=5)
        axis.set_yticks(range(1 + len(rows)), ["base model", *(arm for arm, _ in rows)])
        axis.set_ylim(len(rows) + 0.5, -0.5)
        axis.set_xlim(0, 100)
        axis.set_xlabel("exact match, % of test problems")
        axis.set_title(f"{task}, n = {entry['n']}: mean over seeds, each seed, and 95 % interval")
    return drawn
