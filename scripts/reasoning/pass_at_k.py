"""pass@k and maj@n, from several completions of each problem besides the one that the headline score uses.

A sample holds them under `draws`, a list of `n` scored completions.
"""

import math

from reasoning.protocol import EXTRACTORS
from reasoning.statistics import mean_interval


def pass_at(k, correct, n):
    """The unbiased estimate of pass@k from `n >= k` completions, of which `correct` are correct.

    Chen et al. 2021, Evaluating Large Language Models Trained on Code (arXiv:2107.03374), equation 1.
    """
    return 1 - math.comb(n - correct, k) / math.comb(n, k)


def majority(answers):
    """The most frequent answer, the earliest in a tie; None, which means "no answer found", does not count."""
    votes = [answer for answer in answers if answer is not None]
    return max(votes, key=votes.count, default=None)


def values(samples, extractor):
    """`{"pass@k": one value per problem, …}` for k = 1, 2, 4, … n, and `maj@n`."""
    n = len(samples[0]["draws"])
    correct = [sum(draw["correct"][extractor] for draw in s["draws"]) for s in samples]
    votes = [majority([draw["extracted"][extractor] for draw in s["draws"]]) for s in samples]
    ks = sorted({n, *(2**i for i in range(n.bit_length()))})
    return {f"pass@{k}": [pass_at(k, c, n) for c in correct] for k in ks} | {
        f"maj@{n}": [float(vote == s["gold"]) for vote, s in zip(votes, samples, strict=True)]
    }


def with_interval(numbers):
    """`{value, low, high}`: a mean over problems and its bootstrap 95 % interval."""
    low, high = mean_interval(numbers)
    return {"value": sum(numbers) / len(numbers), "low": low, "high": high}


def at_k(samples):
    """`{extractor: {"pass@k": {value, low, high}, …}}`; empty for samples without draws."""
    if "draws" not in samples[0]:
        return {}
    return {name: {k: with_interval(numbers) for k, numbers in values(samples, name).items()} for name in EXTRACTORS}


def change_at_k(base, policy):
    """The differences between two policies, paired by problem, in the same form as `at_k`."""
    if "draws" not in base[0]:
        return {}
    changes = {}
    for name in EXTRACTORS:
        before, after = values(base, name), values(policy, name)
        changes[name] = {k: with_interval([b - a for a, b in zip(before[k], after[k], strict=True)]) for k in before}
    return changes
