"""GSM8K with shorter solutions: their annotated equations, one a line (`48/2=24`), without the words between them.

A small model imitates them from a third of the tokens. Where a solution has no annotations, its words stay.
"""

import re

from tasks import gsm8k

ANSWER = gsm8k.ANSWER

EQUATION = re.compile(r"<<([^<>=]*)=([^<>]*)>>")


def problem(record):
    """The problem of a record of GSM8K; an equation that only repeats a number is left out."""
    found = gsm8k.problem(record)
    equations = [f"{left}={right}" for left, right in EQUATION.findall(record["answer"]) if left != right]
    return {
        "question": found["question"],
        "answer": found["answer"],
        "solution": "\n".join(equations) or found["solution"],
        "steps": found["steps"],
        "family": found["family"],
    }
