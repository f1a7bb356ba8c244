"""A short text: equal up to case, punctuation, articles and white space, as SQuAD's own scorer compares answers
(Rajpurkar et al. 2016, arXiv:1606.05250, evaluation script v1.1), except that 3.5 is not 35, -5 not 5, and A an answer.
"""

import re
import unicodedata

from reasoning.answer import held

VERSION = 3
DASH = re.compile("[\u2010-\u2015\u2212]")
# What makes another number: a point, stroke or colon between digits, and a point or sign before them.
IN_NUMBER = re.compile(r"(?<=\d)[.:/-](?=\d)|(?<![\w.])\.(?=\d)|(?<!\w)-(?=\.?\d)")
LISTED = re.compile(r"(?<=\d),(?=\d)(?!\d{3}(?!\d))")  # no thousands


def canonical(text):
    """A text without what is not compared; None if nothing is left."""
    text = LISTED.sub(" ", DASH.sub("-", unicodedata.normalize("NFKC", text).casefold()))
    kept = {match.start() for match in IN_NUMBER.finditer(text)}
    text = "".join(
        character for i, character in enumerate(text) if i in kept or unicodedata.category(character)[0] != "P"
    )
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split() or text.split()) or None


def last_line(text, pattern):
    """What the answer tag holds, and without a tag the last line of the completion."""
    content = held(text, pattern)
    return (text.strip().splitlines() or [""])[-1] if content is None else content


EXTRACTORS = {
    "strict": lambda text, pattern: canonical(held(text, pattern) or ""),
    "flexible": lambda text, pattern: canonical(last_line(text, pattern)),
}


def gold(text):
    """The canonical text."""
    if (value := canonical(text)) is None:
        raise ValueError(f"the answer {text!r} has no letter or digit")
    return value


def equal(value, gold, facts=None):
    """Whether two canonical texts are the same."""
    return value == gold


def unread(text, pattern):
    """Never: any text can be read."""
    return False
