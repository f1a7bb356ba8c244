"""The statistics of scores and of paired comparisons; scipy does the mathematics."""

import math


def score(outcomes):
    """Of a list of booleans: `{n, correct, value, low, high}` with the Wilson 95 % interval (Wilson 1927)."""
    from scipy.stats import binomtest

    n, correct = len(outcomes), sum(outcomes)
    interval = binomtest(correct, n).proportion_ci(0.95, method="wilson")
    return {"n": n, "correct": correct, "value": correct / n, "low": interval.low, "high": interval.high}


def mean_interval(values, seed=0, resamples=10_000):
    """`(low, high)` of a mean, from the bootstrap over items (percentile, 95 %); the mean itself if all are equal."""
    import numpy
    from scipy.stats import bootstrap

    values = numpy.array(values, dtype=float)
    if (values == values[0]).all():
        return float(values[0]), float(values[0])
    interval = bootstrap(
        (values,),
        numpy.mean,
        n_resamples=resamples,
        method="percentile",
        batch=1000,
        rng=numpy.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def paired(before, after):
    """Compare two lists of booleans about the same items, in the same order.

    Returns the difference of the proportions with its bootstrap 95 % interval (percentile, items resampled in
    pairs), the discordant counts `won` and `lost`, McNemar's exact p (McNemar 1947: under no effect a discordant
    item is won or lost like a fair coin), and the smallest difference this n would show with 80 % power at the
    observed share of discordant items (Connor 1987, Biometrics 43:207, formula 2, for a small difference).
    """
    import numpy
    from scipy.stats import binomtest

    changes = numpy.array(after, dtype=float) - numpy.array(before, dtype=float)
    n, won, lost = len(changes), int((changes > 0).sum()), int((changes < 0).sum())
    low, high = mean_interval(changes)
    return {
        "n": n,
        "difference": float(changes.mean()),
        "low": low,
        "high": high,
        "won": won,
        "lost": lost,
        "p": float(binomtest(won, won + lost, 0.5).pvalue) if won + lost else 1.0,
        "smallest_detectable": (1.959964 + 0.841621) * math.sqrt((won + lost) / n / n),
    }


def over_seeds(before, after, seed=0, resamples=10_000):
    """What the same training reaches over its seeds, against the base model, on the same items.

    `before` is a list of booleans, `after` one such list a seed. Returns the number of seeds, mean and standard
    deviation of their scores (None for one seed), and the mean difference with a bootstrap 95 % interval in which
    seeds and items are both resampled (Owen 2007, The pigeonhole bootstrap, Annals of Applied Statistics 1:386): it
    answers for other seeds and other problems. With one seed it answers for other problems only.
    """
    import numpy

    values = numpy.array(after, dtype=float)
    changes = values - numpy.array(before, dtype=float)
    rng = numpy.random.default_rng(seed)
    seeds, items = changes.shape
    means = [
        changes[rng.integers(seeds, size=seeds)].mean(0)[rng.integers(items, size=items)].mean()
        for _ in range(resamples)
    ]
    low, high = numpy.percentile(means, [2.5, 97.5])
    return {
        "seeds": seeds,
        "n": items,
        "mean": float(values.mean()),
        "sd": float(values.mean(1).std(ddof=1)) if seeds > 1 else None,
        "difference": float(changes.mean()),
        "low": float(low),
        "high": float(high),
    }


def quantiles(values):
    """`{mean, p10, p50, p90, max}` of numbers, such as the lengths of completions in tokens."""
    import numpy

    p10, p50, p90 = map(float, numpy.percentile(values, [10, 50, 90]))
    return {"mean": sum(values) / len(values), "p10": p10, "p50": p50, "p90": p90, "max": max(values)}
