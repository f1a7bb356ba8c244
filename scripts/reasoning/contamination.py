"""Has the base model seen the test problems? Given the first half of a question, how often does it write the second?

A model that often does has read the test set, and its score says less about reasoning. After Wu et al. 2025, Reasoning
or Memorization? (arXiv:2507.10532, section 3): greedy, without chat template, and every word must match.
"""

from reasoning.statistics import score


def halves(question):
    """The two halves of a question's words as texts; the first is longer if the number of words is odd."""
    words = question.split()
    middle = -(-len(words) // 2)
    return " ".join(words[:middle]), " ".join(words[middle:])


def verbatim(items):
    """The share of items completed word for word, `{n, correct, value, low, high}` with the Wilson 95 % interval.

    Each item is `{second, completion}`.
    """
    return score([" ".join(item["completion"].split()).startswith(item["second"]) for item in items])
