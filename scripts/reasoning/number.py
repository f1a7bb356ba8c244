"""How numbers are read and compared: `1,000`, `$1000` and `1000.00` are the same number."""

import re
from decimal import Decimal

# A minus is a sign only if no operand precedes it: the last number in "10-5" is 5, in "= -5" it is -5.
NUMBER = re.compile(
    r"\$?(?:(?<![0-9A-Za-z)\]}%])[-\u2212])?\$?"
    r"(?:(?:[0-9]{1,3}(?:[,\u00a0\u202f][0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<![0-9.])\.[0-9]+)"
)


def number(text):
    """The canonical form of a text that is a single number (`-1,234.50` -> `-1234.5`), or None."""
    match = NUMBER.fullmatch(text.strip().removesuffix("."))
    if match is None:
        return None
    digits = match[0].replace("\u2212", "-")
    value = format(Decimal(re.sub(r"[$,\u00a0\u202f]", "", digits)), "f")
    value = value.rstrip("0").rstrip(".") if "." in value else value
    return "0" if value == "-0" else value
