"""One of several choices, named by a letter from A to J: `B`, `(b)` and `B) Paris` are the same answer."""

import re

from reasoning.answer import held

LABEL = re.compile(r"\s*\(?([A-J])(?:[).:]\s?.*)?[\s.]*", re.IGNORECASE | re.DOTALL)
# A letter that stands alone; before another word, "A" is an article.
ALONE = re.compile(r"(?<![\w'])([A-J])(?![\w']|\s+[a-z])")


def label(text):
    """The letter that a text begins with and that names a choice, in upper case, or None."""
    match = LABEL.fullmatch(text)
    return match and match[1].upper()


def strict(text, pattern):
    """The choice that the answer tag names."""
    return label(held(text, pattern) or "")


def flexible(text, pattern):
    """The last capital letter that stands alone."""
    return (ALONE.findall(text) or [None])[-1]


EXTRACTORS = {"strict": strict, "flexible": flexible}


def gold(text):
    """The letter of the right choice."""
    if (value := label(text)) is None:
        raise ValueError(f"the answer {text!r} is no letter from A to J")
    return value


def equal(value, gold, facts=None):
    """Whether two letters are the same."""
    return value == gold


def unread(text, pattern):
    """Never: letters are read in any text."""
    return False


def asked(question, choices):
    """A question with its choices below it, each on a line with its letter."""
    if not 2 <= len(choices) <= 10:
        raise ValueError(f"{len(choices)} choices, and 2 to 10 can be named")
    return "\n".join(
        [question, *(f"{letter}) {choice}" for letter, choice in zip("ABCDEFGHIJ", choices, strict=False))]
    )
