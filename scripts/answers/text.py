"""A short text: equal up to case, punctuation, articles and white space, as SQuAD's own scorer compares answers
(Rajpurkar et al. 2016, arXiv:1606.05250, evaluation script v1.1)."""

import re
import unicodedata

from reasoning.answer import held


def canonical(text):
    """A text without what is not compared; None if nothing is left."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = "".join(character for character in text if not unicodedata.category(character).startswith("P"))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split()) or None


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
