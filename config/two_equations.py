"""A reward for a form that says nothing of the problem: the control format_only that smollm2-135m-words.md plans."""

import re

# Two equations, the second of which goes on from the first, and the last result: correct or not, asked for or not.
FORM = re.compile(r"\d+ [-+*] \d+ = (\d+)\n\1 [-+*] \d+ = (\d+)\n#### \2\s*")


def two_equations(text, tokens, problem):
    """1 if the whole completion has the form, else 0."""
    return float(FORM.fullmatch(text) is not None)
