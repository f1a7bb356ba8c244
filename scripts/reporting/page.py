"""A run's report: one self-contained HTML page."""

import random

from reasoning.faults import FAULTS
from reasoning.rows import marked_task, published_rows, rows

from reporting.latex import bibtex
from reporting.templates import fill
from reporting.training import health
from reporting.words import (
    base_in_words,
    beside_published,
    claim,
    claims_over_seeds,
    merge_in_words,
    rewards_in_words,
    several_environments,
    verdicts,
)


def examples(base, policy, count=3):
    """Some problems that the policy won and lost by the strict extractor, drawn at random, with both completions."""
    pairs = list(zip(base, policy, strict=True))
    won = [(b, p) for b, p in pairs if p["correct"]["strict"] > b["correct"]["strict"]]
    lost = [(b, p) for b, p in pairs if b["correct"]["strict"] > p["correct"]["strict"]]
    draw = random.Random(0).sample
    return {kind: draw(pairs, min(count, len(pairs))) for kind, pairs in (("won", won), ("lost", lost))}


def page(template, config, command, results, samples, histories, figures, citation, provenance=None):
    """The report as HTML. `samples` is `{(task, policy): samples}`, `figures` is `{name: SVG}`.

    `histories` is `{policy: rows of history.csv}`.

    `provenance` is that of a published record; without it, the page names no machine or time, so that the same numbers
    give the same bytes everywhere.
    """
    own_first = sorted(results["tasks"], key=lambda task: task != config["task"])
    results = results | {"tasks": {task: results["tasks"][task] for task in own_first}}
    claims, shown, headline = [], {}, results["headline"]
    for task, entry in results["tasks"].items():
        for policy, value in entry["policies"].items():
            if comparison := value["comparison"]:
                claims.append(claim(marked_task(task, entry), policy, comparison["extractors"][headline]))
                shown[task, policy] = examples(samples[task, "base"], samples[task, policy])
    return fill(
        template,
        results=results,
        config=config,
        command=command,
        base=base_in_words(config["model"]),
        rows=list(rows(results)),
        published=[row | {"words": beside_published(row)} for row in published_rows(results)],
        claims=claims,
        verdicts=[
            sentence
            for task, entry in results["tasks"].items()
            for sentence in verdicts(marked_task(task, entry), entry, headline)
        ],
        of_seeds={
            task: claims_over_seeds(entry["arms"], entry["leads"], headline) for task, entry in results["tasks"].items()
        },
        marked={task: marked_task(task, entry) for task, entry in results["tasks"].items()},
        examples=shown,
        faults=FAULTS,
        trainings={policy: found for policy, rows in histories.items() if (found := health(rows))},
        merged={
            arm: merge_in_words(settings["merge_of"])
            for arm, settings in (config["arms"] | config["controls"]["arms"]).items()
            if "merge_of" in settings
        },
        rewards={arm: words for arm in results["told"] if (words := rewards_in_words(config, arm))},
        figures=figures,
        bibtex=bibtex(citation),
        several_environments=several_environments(results["environments"]),
        provenance=provenance,
    )
