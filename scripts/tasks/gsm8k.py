"""GSM8K's format: a text under `question`, and under `answer` a solution that ends in `#### <answer>`.

The generated word problems have it too. The steps are the results of the solution's annotations (`<<3*4=12>>`), and the
family is `family`, or the number of annotated steps.
"""

import re

from answers import number
from reasoning.number import number as canonical

ANSWER = number

FINAL = re.compile(r"####(.*)\Z", re.DOTALL)
STEP = re.compile(r"<<[^<>=]*=([^<>]*)>>")


def problem(record):
    """The problem of a record in this format."""
    for key in ("question", "answer"):
        if not isinstance(record.get(key), str) or not record[key].strip():
            raise ValueError(f"no text under {key!r}, which GSM8K's format requires")
    if (match := FINAL.search(record["answer"])) is None or not match[1].strip():
        raise ValueError("no '#### N' at the end of its answer")
    results = STEP.findall(record["answer"])
    return {
        "question": record["question"],
        "answer": match[1].strip(),
        "solution": re.sub(r"<<[^<>]*>>", "", FINAL.sub("", record["answer"])).strip(),
        "steps": [value for text in results if (value := canonical(text)) is not None],
        "family": record.get("family") or f"{len(results)} steps",
    }
