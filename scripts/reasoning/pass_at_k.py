"""pass@k and maj@n, from several completions of each problem besides the one that the headline score uses.

A sample holds them under `draws`, a list of `n` scored completions.
"""

import math

from reasoning.protocol import extractors_in_order
from reasoning.statistics import interval_of_scores


def pass_at(k, correct, n):
    """The unbiased estimate of pass@k from `n >= k` completions, of which `correct` are correct.

    Chen et al. 2021, Evaluating Large Language Models Trained on Code (arXiv:2107.03374), equation 1.
    """
    return 1 - math.comb(n - correct, k) / math.comb(n, k)


def voted(readings):
    """The score of the most frequent answer, the earliest in a tie; `readings` are `(answer, score)` pairs.

    Answers are the same if they are the same text, or if the judge calls both right. None, which means "no answer
    found", does not count; 0 if there is no other.
    """
    votes = [("right" if score == 1 else answer, score) for answer, score in readings if answer is not None]
    cast = [(score == 1, name) for name, score in votes]
    return float(max(votes, key=lambda vote: cast.count((vote[1] == 1, vote[0])), default=(None, 0))[1])


def values(samples, extractor):
    """`{"pass@k": one value per problem, …}` for k = 1, 2, 4, … n, and `maj@n`."""
    n = len(samples[0]["draws"])
    correct = [sum(draw["correct"][extractor] == 1 for draw in s["draws"]) for s in samples]
    votes = [
        voted([(draw["extracted"][extractor], draw["correct"][extractor]) for draw in s["draws"]]) for s in samples
    ]
    ks = sorted({n, *(2**i for i in range(n.bit_length()))})
    return {f"pass@{k}": [pass_at(k, c, n) for c in correct] for k in ks} | {f"maj@{n}": votes}


def with_interval(numbers, interval=interval_of_scores):
    """`{value, low, high}`: a mean over problems and its 95 % interval, bootstrapped unless all are equal."""
    low, high = interval(numbers)
    return {"value": sum(numbers) / len(numbers), "low": low, "high": high}


def at_k(samples):
    """`{extractor: {"pass@k": {value, low, high}, …}}`; empty for samples without draws."""
    if "draws" not in samples[0]:
        return {}
    return {
        name: {k: with_interval(numbers) for k, numbers in values(samples, name).items()}
        for name in extractors_in_order(samples[0]["correct"])
    }
