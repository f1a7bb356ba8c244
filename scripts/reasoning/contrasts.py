"""What differs between policies, and what other seeds would have given, computed with scipy."""

import math

from reasoning.statistics import fractional, mean_interval


def interval_of_changes(changes):
    """`(low, high)`: the 95 % interval of a mean of differences of such scores; Tango's if all are equal."""
    if len(set(changes)) > 1:
        return mean_interval(changes)
    n, change = len(changes), changes[0]
    return tango(n * max(change, 0), n * max(-change, 0), n)


def tango(won, lost, n):
    """`(low, high)`: Tango's 95 % score interval of a difference of two paired proportions, (won - lost) / n.

    Tango 1998, Statistics in Medicine 17:891, equations 3 and 4. Unlike a bootstrap or the normal interval it has a
    width even if few pairs differ, or none, and never leaves [-1, 1].
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    def distance(difference, side):
        """How far a difference is from one that the score test just rejects; `side` is 1 for the upper limit."""
        linear = (2 * n - won + lost) * difference - won - lost
        only_lost = (math.sqrt(max(0.0, linear**2 + 8 * n * lost * difference * (1 - difference))) - linear) / (4 * n)
        variance = n * (2 * only_lost + difference * (1 - difference))
        return won - lost - n * difference + side * norm.ppf(0.975) * math.sqrt(max(0.0, variance))

    middle, near = (won - lost) / n, 1e-9  # the middle is a root too if no pair is left to differ otherwise
    low = brentq(distance, -1.0, middle - near, args=(-1,)) if middle - near > -1 and distance(-1.0, -1) > 0 else -1.0
    high = brentq(distance, middle + near, 1.0, args=(1,)) if middle + near < 1 and distance(1.0, 1) < 0 else 1.0
    return low, high


def paired(before, after):
    """Compare two lists of booleans, or of scores from 0 to 1, about the same problems, in the same order.

    Returns the difference of the proportions with Tango's 95 % interval, the discordant counts `won` and `lost`,
    McNemar's exact p (McNemar 1947: without an effect, a discordant problem is won or lost like a fair coin toss), and
    the smallest difference that n problems would detect with 80 % power at the observed share of discordant ones
    (Connor 1987, Biometrics 43:207, formula 2, for a small difference); None if that is more than this share, which is
    the largest difference that there can be. Of scores from 0 to 1 a problem is won with a higher score, the interval
    is that of `interval_of_changes`, p is the sign test's, and the smallest difference is None.
    """
    from scipy.stats import binomtest

    n, changes = len(before), [b - a for a, b in zip(before, after, strict=True)]
    won, lost = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
    fractions = fractional(before + after)
    low, high = interval_of_changes(changes) if fractions else tango(won, lost, n)
    detectable = (1.959964 + 0.841621) * math.sqrt(won + lost) / n
    return {
        "n": n,
        "difference": sum(changes) / n,
        "low": low,
        "high": high,
        "won": won,
        "lost": lost,
        "p": float(binomtest(won, won + lost, 0.5).pvalue) if won + lost else 1.0,
        "smallest_detectable": detectable if 0 < detectable <= (won + lost) / n and not fractions else None,
    }


def holm(values):
    """p values adjusted for their number, in the same order (Holm 1979, Scandinavian Journal of Statistics 6:65)."""
    order, adjusted, largest = sorted(range(len(values)), key=values.__getitem__), [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        largest = adjusted[place] = max(largest, min(1.0, (len(values) - rank) * values[place]))
    return adjusted


def over_seeds(before, after, same_seeds=False):
    """Summarise the scores of an arm's seeds, and compare them with another arm or the base model on the same problems.

    `before` and `after` hold one list of booleans per seed; the base model is a single list. Two arms of the
    `same_seeds` are compared seed by seed: what both owe to a seed, such as a common start or the same training
    problems, is then no part of the difference. Returns the number of seeds, the mean and standard deviation of their
    scores (None for one seed), and the mean difference with its 95 % interval for other seeds and other problems, and
    the p value of the same t test. With one seed on each side interval and p are those of the pair, and so they are if
    nothing varies, over seeds or problems: Student's interval would have no width.
    """
    import numpy
    from scipy.stats import t

    pair = before[0], after[0]
    before, after = (numpy.array(side, dtype=float) for side in (before, after))
    difference = float(after.mean() - before.mean())
    sides = (numpy.zeros((1, after.shape[1])), after - before) if same_seeds else (before, after)
    error, freedom = standard_error(*sides)
    half = float(t.ppf(0.975, freedom)) * error
    test = {"low": max(difference - half, -1.0), "high": min(difference + half, 1.0)}
    if half < 1e-9 or len(before) == len(after) == 1:  # sums of floats may hide that nothing varies
        test = {key: value for key, value in paired(*pair).items() if key in ("low", "high", "p")}
    else:
        test["p"] = float(2 * t.sf(abs(difference) / error, freedom))
    return {
        "seeds": len(after),
        "n": after.shape[1],
        "mean": float(after.mean()),
        "sd": float(after.mean(1).std(ddof=1)) if len(after) > 1 else None,
        "difference": difference,
        **test,
    }


def mean_over_seeds(seeds):
    """`{n, value, low, high}`: the mean score of an arm, with its 95 % interval for other seeds and other problems.

    `seeds` holds one list of booleans a seed. The interval is `over_seeds` of a model that solves nothing.
    """
    found = over_seeds([[False] * len(seeds[0])], seeds)
    return {"n": found["n"], "value": found["mean"], "low": max(found["low"], 0.0), "high": found["high"]}


def standard_error(before, after):
    """`(error, degrees of freedom)` of the difference of two means over arrays of shape (seeds, problems).

    Seeds and problems are both random (Clark 1973, The language-as-fixed-effect fallacy, J. Verbal Learning 12:335); a
    side with one seed, such as the base model, counts as fixed. The variance of the difference is that over each side's
    seeds plus that over problems, minus the interaction that both contain; the degrees of freedom of Student's t are
    Satterthwaite's (1946, Biometrics Bulletin 2:110). A bootstrap would be too narrow: with three seeds it hardly
    leaves the range between the lowest and the highest. The seeds of the two sides are treated as independent.
    """
    items = after.shape[1]
    if items < 2:
        return math.inf, 1
    parts, interaction = [], 0.0  # parts: (variance of the difference, its degrees of freedom)
    for side in (before, after):
        if len(side) > 1:
            rest = side - side.mean(0) - side.mean(1, keepdims=True) + side.mean()
            degrees = (len(side) - 1) * (items - 1)
            shared = (rest**2).sum() / degrees / side.size
            parts += [(max(side.mean(1).var(ddof=1) / len(side), shared), len(side) - 1), (-shared, degrees)]
            interaction += shared
    of_items = (after.mean(0) - before.mean(0)).var(ddof=1) / items
    parts.append((max(of_items, interaction), items - 1))
    variance = sum(part for part, _ in parts)
    if variance <= 0:
        return 0.0, 1
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    return math.sqrt(variance), float(freedom)


def new_training(seeds):
    """`(low, high)`: where the score of one more training on the same items lies with 95 %, given those of its seeds.

    `seeds` holds one list of booleans a seed, at least two. With mean m and variance s² of k seeds' scores it is
    m ± t(0.975, k - 1) s sqrt(1 + 1/k), Student's t prediction interval of one more observation (Hahn and Meeker 1991,
    Statistical Intervals, chapter 4). The items are the same, so they add only what flips from seed to seed: s² is at
    least what seeds would show whose items flip independently, with half an item added (Jeffreys) so that a few seeds
    that agree do not promise that all will.
    """
    import numpy
    from scipy.stats import t

    outcomes = numpy.array(seeds, dtype=float)
    k, n = outcomes.shape
    flips = (outcomes.var(0, ddof=1).sum() + 0.5) / (n + 1)
    variance = max(outcomes.mean(1).var(ddof=1), flips / n)
    half = float(t.ppf(0.975, k - 1) * math.sqrt(variance * (1 + 1 / k)))
    return max(0.0, float(outcomes.mean()) - half), min(1.0, float(outcomes.mean()) + half)


def same_policy(before, after):
    """`(low, high)`: where the score of `after` lies with 95 % if `before` is the same policy on the same items.

    Both are lists of booleans. Of the items whose outcome differs each is then won or lost like a fair coin, so the
    number won is binomial (McNemar 1947); the interval is central and exact. Of scores from 0 to 1, each difference has
    either sign with equal chance, and the interval is the normal one of their sum.
    """
    from scipy.stats import binom

    if fractional(before + after):
        half = 1.959964 * math.sqrt(sum((a - b) ** 2 for a, b in zip(before, after, strict=True)))
        return (sum(before) - half) / len(before), (sum(before) + half) / len(before)
    n, differing = len(before), sum(a != b for a, b in zip(before, after, strict=True))
    won = [int(binom.ppf(q, differing, 0.5)) if differing else 0 for q in (0.025, 0.975)]
    return tuple((sum(before) + 2 * count - differing) / n for count in won)
