"""BIG-Bench Hard (Suzgun et al. 2022, arXiv:2210.09261): `input` with its options, and a letter as `target`."""

from answers import choice

ANSWER = choice


def problem(record):
    """The problem of a record; the options are a part of its text."""
    return {"question": record["input"], "answer": record["target"], "family": "options"}
