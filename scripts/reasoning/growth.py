"""Which texts math-verify is not given, because its work on them can grow without bound.

It parses with a grammar whose work doubles with every bracket and bar, and sympy then computes some powers, binomials
and common divisors in full: minutes, or for ever, on a line of text. Greedy decoding writes the same line in every run,
and a time limit would make a score depend on the machine. So the text itself decides. Nothing that is refused could
have been read as a plain number where it stands; what it costs is the rest of a completion that has no answer tag.
"""

import re

DIGITS = 200  # of one number
EXPONENT = 3  # digits of an exponent, or of an argument of what can grow
DEPTH = 8  # of brackets
FLOORS = 3  # of ⌊ and ⌈, each of which costs as much as several brackets
BARS = 16  # of |, which open and close alike

POWER = r"(?:\^|\*\*|\\(?:exp|sinh|cosh|tanh|Gamma)\b)"
# Each stands for a bracket: one that holds a power, one that holds a large number, or any other.
POWERED, LARGE, PLAIN = "\0", "\1", "\2"
# Big arguments of a power, a factorial or a function that sympy computes while it parses; sums, products, integrals
# and limits, which it may compute to compare them.
BIG = re.compile(
    rf"[0-9]{{{DIGITS + 1},}}"
    rf"|{POWER}[\s{{(+-]*[0-9.,]{{{EXPONENT + 1},}}"
    rf"|{POWER}\s*[{{(][^{{}}()]*(?:\*|\\cdot|\\times)|{POWER}[^\s=,;$]*!"
    rf"|[0-9,]{{{EXPONENT + 1},}}[\s)}}\]]*!(?=[$\\)}}\]!^*/,])"
    r"|[0-9]\s*!\s*!|!\s*[)}\]]+\s*!"
    r"|\\choose|binom(?!\s*\{\s*[0-9]{1,3}\s*\}\s*\{\s*[0-9]{1,3}\s*\})"
    rf"|(?:gcd|lcm)[^\n]*?(?:!|{POWER})"
    r"|\\(?:sum|prod|int|lim)(?![a-z])"
)
TOWER = re.compile(
    rf"{POWERED}\s*(?:{POWER}|!)|{POWER}[\s+-]*[{POWERED}{LARGE}]|{POWER}\s*{POWER}"
    rf"|{POWER}[\s+-]*(?:[0-9.]+|\\?[a-zA-Z]|{PLAIN}|\\[a-z]+)\s*{POWER}"
)
INNERMOST = re.compile(r"[({\[]([^(){}\[\]]*)[)}\]]")
OPENING, CLOSING = "({[", ")}]"


def depth(text):
    """How deep brackets are nested in a text, whether or not they match."""
    level = deepest = 0
    for character in text:
        if character in OPENING:
            level += 1
            deepest = max(deepest, level)
        elif character in CLOSING:
            level = max(level - 1, 0)
    return deepest


def reduced(bracket):
    """What stands for an innermost bracket while `has_tower` works outwards."""
    if re.search(rf"{POWER}|{POWERED}", bracket[1]):
        return POWERED
    return LARGE if re.search(rf"[0-9]{{{EXPONENT + 1},}}|{LARGE}", bracket[1]) else PLAIN


def has_tower(text):
    """Whether a power is in the base or in the exponent of another, or a large number is in the exponent.

    `text` is no deeper than `DEPTH`.
    """
    for _ in range(DEPTH + 1):
        if TOWER.search(text):
            return True
        text = INNERMOST.sub(reduced, text)
    return False


def grows(text):
    """Whether the work of parsing a text can grow without bound."""
    return bool(
        depth(text) > DEPTH
        or text.count("|") > BARS
        or len(re.findall(r"\\lfloor|\\lceil", text)) > FLOORS
        or BIG.search(text)
        or has_tower(text)
    )
