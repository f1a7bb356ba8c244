"""A guess that reads no question."""

from reasoning.guess import guessed


def problems(*pairs):
    return [{"family": family, "answer": answer} for family, answer in pairs]


def test_the_commonest_training_answer_of_each_family():
    training = problems(("gain", "7"), ("gain", "5"), ("gain", "5"), ("lose", "2"))
    asked = problems(("gain", "5"), ("gain", "7"), ("lose", "2"), ("new", "5"))
    found = guessed(training, asked)
    assert (found["n"], found["correct"], found["value"]) == (4, 2, 0.5) and found["low"] < 0.5 < found["high"]
    samples = [{"family": problem["family"], "gold": problem["answer"]} for problem in asked]
    assert guessed(training, samples) == found


def test_of_equally_common_ones_the_first():
    assert guessed(problems(("a", "1"), ("a", "2")), problems(("a", "1"), ("a", "2")))["correct"] == 1


def test_without_training_problems_there_is_none():
    assert guessed([], problems(("a", "1"))) is None
