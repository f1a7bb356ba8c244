"""MATH-500 (Lightman et al. 2023, arXiv:2305.20050), 500 problems of MATH: the answer is LaTeX."""

from answers import expression

ANSWER = expression


def problem(record):
    """The problem of a record; its family is the subject."""
    return {
        "question": record["problem"],
        "answer": record["answer"],
        "solution": record["solution"],
        "family": record["subject"],
    }
