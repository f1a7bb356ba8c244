"""Measured scores beside published ones: how far a run is from what its model's vendor, or another study, states."""

from reasoning.comparison import outcomes
from reasoning.contrasts import mean_over_seeds


def distance(measured, stated):
    """`{n, value, low, high, difference, difference_low, difference_high}` of a score, all proportions.

    `measured` is a score with its interval, `stated` the published number, which is taken as exact: its own problems
    and seeds are not known here, so the interval of the difference is that of the measurement alone.
    """
    found = {key: measured[key] for key in ("n", "value", "low", "high")}
    differences = zip(("difference", "difference_low", "difference_high"), ("value", "low", "high"), strict=True)
    return found | {name: measured[key] - stated for name, key in differences}


def beside(published, metrics, first_arm):
    """`{task: {"base" or "trained": {score, source, distances}}}` for the numbers that tasks state as published.

    `published` is `{task: {"base" or "trained": {score, source}}}`, of the config, `metrics` is `{task: metrics.json}`
    of the base model, and `first_arm` is `{task: [samples of a seed]}` of the run's first arm. `distances` is
    `{extractor: distance}`. A number that nothing here can stand beside is left out.
    """
    found = {}
    for task, numbers in sorted(published.items()):
        measured = {}
        if task in metrics:
            measured["base"] = metrics[task]["scores"]
        if task in first_arm:
            measured["trained"] = {
                name: mean_over_seeds([outcomes(samples, name) for samples in first_arm[task]])
                for name in first_arm[task][0][0]["correct"]
            }
        entry = {
            kind: number | {"distances": {name: distance(of, number["score"]) for name, of in measured[kind].items()}}
            for kind, number in sorted(numbers.items())
            if kind in measured
        }
        found |= {task: entry} if entry else {}
    return found
