"""A number: `1,000`, `$1000` and `1000.00` are equal. The extractors are those of reasoning/answer.py."""

from reasoning import number as written
from reasoning.answer import extract_flexible, extract_math_verify, extract_strict, unparsed

EXTRACTORS = {
    "strict": extract_strict,
    "flexible": lambda text, pattern: extract_flexible(text),
    "math_verify": extract_math_verify,
}
unread = unparsed


def gold(text):
    """The canonical number."""
    if (value := written.number(text)) is None:
        raise ValueError(f"the answer {text!r} is not a number")
    return value


def equal(value, gold, facts=None):
    """Whether two canonical numbers are the same."""
    return value == gold
