"""The statistics of scores and of paired comparisons; scipy does the mathematics."""

import math


def score(outcomes):
    """Of a list of booleans: `{n, correct, value, low, high}` with the Wilson 95 % interval (Wilson 1927)."""
    from scipy.stats import binomtest

    n, correct = len(outcomes), sum(outcomes)
    interval = binomtest(correct, n).proportion_ci(0.95, method="wilson")
    return {"n": n, "correct": correct, "value": correct / n, "low": interval.low, "high": interval.high}


def paired(before, after, seed=0, resamples=10_000):
    """Compare two lists of booleans about the same items, in the same order.

    Returns the difference of the proportions with its bootstrap 95 % interval (percentile, items resampled in
    pairs), the discordant counts `won` and `lost`, McNemar's exact p (McNemar 1947: under no effect a discordant
    item is won or lost like a fair coin), and the smallest difference this n would show with 80 % power at the
    observed share of discordant items (Connor 1987, Biometrics 43:207, formula 2, for a small difference).
    """
    import numpy
    from scipy.stats import binomtest, bootstrap

    changes = numpy.array(after, dtype=float) - numpy.array(before, dtype=float)
    n, won, lost = len(changes), int((changes > 0).sum()), int((changes < 0).sum())
    low, high = 0.0, 0.0
    if won + lost:
        low, high = bootstrap(
            (changes,),
            numpy.mean,
            n_resamples=resamples,
            method="percentile",
            batch=1000,
            rng=numpy.random.default_rng(seed),
        ).confidence_interval
    return {
        "n": n,
        "difference": float(changes.mean()),
        "low": float(low),
        "high": float(high),
        "won": won,
        "lost": lost,
        "p": float(binomtest(won, won + lost, 0.5).pvalue) if won + lost else 1.0,
        "smallest_detectable": (1.959964 + 0.841621) * math.sqrt((won + lost) / n / n),
    }
