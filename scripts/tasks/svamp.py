"""SVAMP (Patel et al. 2021, arXiv:2103.07191): a `Body`, a `Question`, an `Answer` that is a number, and a `Type`."""

from answers import number

ANSWER = number


def problem(record):
    """The problem of a record; its family is the operation that it takes."""
    return {
        "question": f"{record['Body'].strip()} {record['Question'].strip()}",
        "answer": str(record["Answer"]),
        "family": record["Type"],
    }
