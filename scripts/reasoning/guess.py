"""What can be had without reading a question: each family's commonest training answer."""

from collections import Counter

from reasoning.statistics import score

# A judge of scores from 0 to 1 that gives no others than these said right or wrong, which has Wilson's interval.
RIGHT_OR_WRONG = {0.0: False, 1.0: True}


def guessed(training, problems, kind):
    """The score of the commonest answer of each family's `training` problems, given to all `problems` of the family.

    `kind` is the answer's type, which judges it. Of equally common ones it is the first in the training split. Problems
    of families without training problems get none. Both are lists of dicts with `family`, perhaps `facts`, and the gold
    answer, as `answer` or, in samples, as `gold`; None without training problems.
    """
    if not training:
        return None
    answers = {}
    for problem in training:
        answers.setdefault(problem["family"], Counter())[problem["answer"]] += 1
    guess = {family: found.most_common(1)[0][0] for family, found in answers.items()}
    scores = [kind.equal(guess.get(p["family"]), p.get("gold", p.get("answer")), p.get("facts")) for p in problems]
    return score([RIGHT_OR_WRONG.get(value, value) for value in scores])
