"""Has the base model seen the test problems? Given the first half of a question, how often does it write the second?

A model that does has read the test set, and its score says less about reasoning. After Wu et al. 2025, Reasoning or
Memorization? (arXiv:2507.10532, section 3): greedy, without chat template, and the rest must follow word for word.
"""

from reasoning.statistics import score


def halves(question):
    """A question's words as two texts, the first half (the longer if they are odd) and the second."""
    words = question.split()
    middle = -(-len(words) // 2)
    return " ".join(words[:middle]), " ".join(words[middle:])


def verbatim(items):
    """The share of `{second, completion}` completed word for word, `{n, correct, value, low, high}`, Wilson 95 %."""
    return score([" ".join(item["completion"].split()).startswith(item["second"]) for item in items])
