"""The scores of one policy and their intervals, computed with scipy."""

import math


def fractional(outcomes):
    """Whether outcomes are scores from 0 to 1 rather than booleans."""
    return any(isinstance(outcome, float) for outcome in outcomes)


def score(outcomes):
    """`{n, correct, value, low, high}` of a list of booleans, with the Wilson 95 % interval (Wilson 1927).

    Of scores from 0 to 1, `correct` is their sum and the interval that of `interval_of_scores`.
    """
    from scipy.stats import binomtest

    n, correct = len(outcomes), sum(outcomes)
    if fractional(outcomes):
        low, high = interval_of_scores(outcomes)
        return {"n": n, "correct": correct, "value": correct / n, "low": low, "high": high}
    interval = binomtest(correct, n).proportion_ci(0.95, method="wilson")
    return {"n": n, "correct": correct, "value": correct / n, "low": interval.low, "high": interval.high}


def mean_interval(values, seed=0, resamples=10_000):
    """`(low, high)`: percentile bootstrap 95 % interval of a mean over problems, which are not all equal."""
    import numpy
    from scipy.stats import bootstrap

    values = numpy.array(values, dtype=float)
    interval = bootstrap(
        (values,),
        numpy.mean,
        n_resamples=resamples,
        method="percentile",
        batch=1000,
        rng=numpy.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def interval_of_scores(scores):
    """`(low, high)`: the 95 % interval of a mean of scores from 0 to 1.

    A bootstrap knows nothing of others than it has seen. If all scores are equal it is therefore Wilson's, as if they
    were a share: no scores of the same mean vary more than right and wrong do.
    """
    if len(set(scores)) > 1:
        return mean_interval(scores)
    n, z2 = len(scores), 1.959963984540054**2
    middle = (scores[0] + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * scores[0] * (1 - scores[0]) / n + (z2 / (2 * n)) ** 2) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def quantiles(values):
    """`{mean, p10, p50, p90, max}` of numbers, such as completion lengths in tokens."""
    import numpy

    p10, p50, p90 = map(float, numpy.percentile(values, [10, 50, 90]))
    return {"mean": sum(values) / len(values), "p10": p10, "p50": p50, "p90": p90, "max": max(values)}
