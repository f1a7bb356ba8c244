"""Which texts math-verify is not given, because its work on them can grow without bound.

It parses with a grammar whose work doubles with every bracket and bar, and sympy then computes powers, factorials and
the like in full: minutes, or for ever, on a line of text. Greedy decoding writes the same line in every run, and a time
limit would make a score depend on the machine. So the text itself decides, by rules that are simple rather than close:
a refusal costs no more than what math-verify would have read in a completion without an answer tag.
"""

import re

DEPTH = 8  # of brackets
FLOORS = 3  # of ⌊ and ⌈, each of which costs as much as several brackets
BARS = 16  # of |, which open and close alike

POWER = r"(?:\^|\*\*)"
SMALL = r"(?:-?[0-9]{1,2}|\{\s*(?:-?[0-9]{1,2}|\\circ)\s*\}|\\circ)"
GROWING = re.compile(
    rf"[0-9]{{201,}}"
    # Every power but x^2 and the like: the base in brackets, or an exponent that is not small or goes on.
    rf"|[)\]}}]\s*{POWER}|{POWER}(?!\s*{SMALL}(?![0-9])(?!\s*(?:{POWER}|!)))"
    # The factorial of a large number, of a bracket or of a factorial; no exclamation mark of a sentence.
    r"|[0-9]{3}\s*!(?=[$\\)}\]!^*/,])|[)\]}]\s*!|[0-9]\s*!\s*!"
    r"|\\choose|binom(?!\s*\{\s*[0-9]{1,3}\s*\}\s*\{\s*[0-9]{1,3}\s*\})"
    rf"|(?:gcd|lcm)[^\n]*?(?:!|{POWER})"
    r"|\\(?:exp|sinh|cosh|tanh|Gamma|sum|prod|int|lim)(?![a-z])"
)


def depth(text):
    """How deep brackets are nested in a text, whether or not they match."""
    level = deepest = 0
    for character in text:
        if character in "({[":
            level += 1
            deepest = max(deepest, level)
        elif character in ")}]":
            level = max(level - 1, 0)
    return deepest


def grows(text):
    """Whether the work of parsing a text can grow without bound."""
    return bool(
        depth(text) > DEPTH
        or text.count("|") > BARS
        or len(re.findall(r"\\lfloor|\\lceil", text)) > FLOORS
        or GROWING.search(text)
    )
