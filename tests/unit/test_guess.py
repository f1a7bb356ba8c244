"""A guess that reads no question."""

from answers import number
from answers.judged import Judged
from reasoning.guess import guessed


def problems(*pairs):
    return [{"family": family, "answer": answer} for family, answer in pairs]


def test_the_commonest_training_answer_of_each_family():
    training = problems(("gain", "7"), ("gain", "5"), ("gain", "5"), ("lose", "2"))
    asked = problems(("gain", "5"), ("gain", "7"), ("lose", "2"), ("new", "5"))
    found = guessed(training, asked, number)
    assert (found["n"], found["correct"], found["value"]) == (4, 2, 0.5) and found["low"] < 0.5 < found["high"]
    samples = [{"family": problem["family"], "gold": problem["answer"]} for problem in asked]
    assert guessed(training, samples, number) == found


def test_of_equally_common_ones_the_first():
    assert guessed(problems(("a", "1"), ("a", "2")), problems(("a", "1"), ("a", "2")), number)["correct"] == 1


def test_without_training_problems_there_is_none():
    assert guessed([], problems(("a", "1")), number) is None


def test_the_tasks_judge_says_what_the_guess_is_worth():
    """By its facts, and with the interval of a share only if it never says anything but right or wrong."""
    kind = Judged(lambda answer, problem: problem["facts"], lambda function, *arguments: function(*arguments))
    training = problems(("a", "1"))

    def worth(*scores):
        return guessed(training, [problem | {"facts": s} for s in scores for problem in training], kind)

    assert worth(0.25, 0.25)["value"] == 0.25
    assert worth(1.0, 0.0, 1.0) == guessed(training, problems(("a", "1"), ("a", "2"), ("a", "1")), number)
    assert guessed(training, [{"family": "new", "answer": "1", "facts": 1.0}], kind)["value"] == 0
