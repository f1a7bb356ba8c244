"""A mathematical expression in LaTeX, such as a fraction, a root, an interval or a set: equal if math-verify says so
(github.com/huggingface/Math-Verify), which knows that \\frac{1}{2} is 0.5."""

from reasoning.answer import MATH_VERIFY_TAIL, held
from reasoning.growth import grows
from reasoning.worker import math_verify, same


def strict(text, pattern):
    """What the answer tag holds, as it is written; None if there is none, or nothing in it."""
    return (held(text, pattern) or "").strip() or None


def flexible(text, pattern):
    """What the answer tag holds, and without a tag the last passage in which math-verify finds a value."""
    if held(text, pattern) is not None:
        return strict(text, pattern)
    text = text[-MATH_VERIFY_TAIL:]
    return None if grows(text) else ([None] + math_verify(text))[-1]


EXTRACTORS = {"strict": strict, "flexible": flexible}


def gold(text):
    """The expression as it is written."""
    if grows(text) or not math_verify(f"${text}$"):
        raise ValueError(f"math-verify cannot read the answer {text!r}")
    return text.strip()


def equal(value, gold, facts=None):
    """Whether two expressions are equal. TimeoutError if math-verify does not come back."""
    return value is not None and (value == gold or not grows(value) and same(gold, value))


def unread(text, pattern):
    """Whether math-verify is not asked about a completion."""
    content = held(text, pattern)
    return grows((text if content is None else content)[-MATH_VERIFY_TAIL:])
