"""A run's report: one self-contained HTML page."""

import random

from reasoning.faults import FAULTS
from reasoning.rows import marked_task, published_rows, rows

from reporting.latex import bibtex
from reporting.summaries import costs, families, faults, learned, memory, minutes, posed_again, prompts, side_by_side
from reporting.templates import fill
from reporting.training import health
from reporting.words import (
    base_in_words,
    beside_published,
    claim,
    claims_over_seeds,
    several_environments,
    training_in_words,
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
    own, headline = next(iter(results["tasks"])), results["headline"]
    claims, shown = [], {}
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
        verdicts=verdicts(marked_task(own, results["tasks"][own]), results["tasks"][own], headline, results["shown"]),
        trained={arm: training_in_words(config, arm) for arm in results["told"]},
        minutes=minutes(config, provenance["stages"]) if provenance else {},
        memory=memory(provenance["stages"]) if provenance else {},
        beside=side_by_side(results),
        families=families(results, samples, own),
        learned=learned(results["tasks"][own]),
        faulty=faults(results["tasks"][own]),
        prompts=prompts(config, results, samples),
        posed_again=posed_again(config, results),
        costs=costs(provenance["stages"]) if provenance else {},
        of_seeds={
            task: claims_over_seeds(entry["arms"], entry["leads"], headline) for task, entry in results["tasks"].items()
        },
        marked={task: marked_task(task, entry) for task, entry in results["tasks"].items()},
        examples=shown,
        faults=FAULTS,
        trainings={policy: found for policy, rows in histories.items() if (found := health(rows))},
        figures=figures,
        bibtex=bibtex(citation),
        several_environments=several_environments(results["environments"]),
        provenance=provenance,
    )
