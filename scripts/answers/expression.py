"""A mathematical expression in LaTeX, such as a fraction, a root, an interval or a set: equal if math-verify says so
(github.com/huggingface/Math-Verify), which knows that \\frac{1}{2} is 0.5."""

import re

from reasoning import growth
from reasoning.answer import MATH_VERIFY_TAIL, held
from reasoning.worker import math_verify, same

VERSION = 3
# What sets mathematics off: $…$, $$…$$, \(…\) or \[…\] around all of a text.
DELIMITED = re.compile(r"(?:\$\$?|\\[(\[])((?:(?!(?<!\\)(?:\$|\\[()\[\]])).)*)(?<!\\)(?:\$\$?|\\[)\]])", re.DOTALL)
STOP = re.compile(r"(?<!\\right)(?<!\.)\.\Z")
NAME = re.compile(r"\A[A-Za-z]\s*=(?!=)")
# A unit's power, which is no power of the bracket that the unit is written in.
UNIT = re.compile(r"\\(?:text|mbox|mathrm|textrm)\s*\{[^{}]*\}\s*\^\s*(?:[23](?![0-9])|\{\s*[23]\s*\})")


def bare(text):
    """An expression without what surrounds it in a sentence: a final stop, and the marks that set mathematics off."""
    text = STOP.sub("", text.strip()).strip()
    match = DELIMITED.fullmatch(text)
    return STOP.sub("", match[1].strip()).strip() if match else text


def grows(text):
    """Whether the work of parsing a text can grow without bound, units aside."""
    return growth.grows(UNIT.sub(" ", text))


def strict(text, pattern):
    """What the answer tag holds, bare; None if there is none, or nothing in it."""
    return bare(held(text, pattern) or "") or None


def flexible(text, pattern):
    """What the answer tag holds, and without a tag the last passage in which math-verify finds a value."""
    if held(text, pattern) is not None:
        return strict(text, pattern)
    text = text[-MATH_VERIFY_TAIL:]
    return None if grows(text) else ([None] + math_verify(text))[-1]


EXTRACTORS = {"strict": strict, "flexible": flexible}


def gold(text):
    """The expression, bare."""
    if grows(text):
        raise ValueError(
            f"the answer {text!r}, whose like math-verify is not asked about (scripts/reasoning/growth.py): write it "
            "otherwise, or define judge(answer, problem)"
        )
    if not math_verify(f"${bare(text)}$"):
        raise ValueError(f"math-verify cannot read the answer {text!r}")
    return bare(text)


def equal(value, gold, facts=None):
    """Whether two expressions are equal; `x = 5` is 5 too, if the gold answer is no equation.

    TimeoutError if math-verify does not come back.
    """
    if value is None:
        return False
    values = [value] if "=" in gold else [value, NAME.sub("", value).strip()]
    return any(one == gold or (not grows(one) and same(gold, one)) for one in dict.fromkeys(values))


def unread(text, pattern):
    """Whether math-verify is not asked about a completion."""
    content = held(text, pattern)
    return grows((text if content is None else content)[-MATH_VERIFY_TAIL:])
