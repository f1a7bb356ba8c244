"""The contamination probe: which continuations count as word for word."""

from reasoning.contamination import halves, verbatim


def test_halves():
    assert halves("one two three four five") == ("one two three", "four five")
    assert halves("one two") == ("one", "two")
    assert halves("one") == ("one", "")


def test_only_word_for_word_counts():
    second = "eggs does she have left?"
    completions = [
        " eggs does she have left? She has 3.",
        "\neggs  does she have left?",
        " eggs does she have?",
        " eggs does he have left?",
        "",
    ]
    score = verbatim([{"second": second, "completion": completion} for completion in completions])
    assert (score["n"], score["correct"]) == (5, 2)
