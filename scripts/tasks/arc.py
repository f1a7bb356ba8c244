"""ARC (Clark et al. 2018, arXiv:1803.05457): questions of science with choices, which are named anew from A on."""

from answers import choice

ANSWER = choice


def problem(record):
    """The problem of a record; some records name their choices by digits."""
    labels = list(record["choices"]["label"])
    if record["answerKey"] not in labels:
        raise ValueError(f"no choice {record['answerKey']!r}")
    return {
        "question": choice.asked(record["question"], list(record["choices"]["text"])),
        "answer": "ABCDEFGHIJ"[labels.index(record["answerKey"])],
        "family": f"{len(labels)} choices",
    }
