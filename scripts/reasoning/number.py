"""What a number is, and when two are equal: `1,000`, `$1000`, `+1000` and `1000.00` are the same number."""

import re
from decimal import Decimal

# A plus or minus (hyphen, minus sign, en dash) is a sign only if no operand precedes it: "10-5" ends in
# 5, "= -5" in -5.
# Thousands may be separated by a comma, a no-break space or a thin space, as in "1,234".
NUMBER = re.compile(
    r"\$?(?:(?<![0-9A-Za-z)\]}%])[-+\u2212\u2013])?\$?"
    r"(?:(?:[0-9]{1,3}(?:[,\u00a0\u202f\u2009][0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<![0-9.])\.[0-9]+)"
)
# Zero-width characters and marks of direction, the soft hyphen, and LaTeX's negative space: none is seen in a number.
INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]|\\!")
LATEX_SPACE = re.compile(r"\\[,:; ]")


def as_seen(text):
    """A text as a reader sees its numbers: nothing invisible, and LaTeX's spaces and comma as characters."""
    return LATEX_SPACE.sub("\u2009", INVISIBLE.sub("", text)).replace("{,}", ",")


def number(text):
    """The canonical form of a text that is one number (`-1,234.50` -> `-1234.5`), or None."""
    match = NUMBER.fullmatch(as_seen(text).replace(r"\$", "$").strip().removesuffix("."))
    if match is None:
        return None
    digits = re.sub("[\u2212\u2013]", "-", match[0])
    value = format(Decimal(re.sub(r"[$,\u00a0\u202f\u2009]", "", digits)), "f")
    value = value.rstrip("0").rstrip(".") if "." in value else value
    return "0" if value == "-0" else value
