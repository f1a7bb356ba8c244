"""What counts as the answer in a completion. Reward and metric share this module, so they cannot disagree.

Three extractors, always reported together:

strict       the content of the answer tag that the prompt asks for, if it is a number
flexible     the last number in the text, whatever the format
math_verify  the library of that name (github.com/huggingface/Math-Verify)

Text is matched, never executed.
"""

import logging
import re
from collections import deque

from reasoning.number import NUMBER, number

LATEX_SPACING = re.compile(r"\\[,!;]")

# math-verify parses with sympy, in time that grows faster than linearly; the answer is at the end.
MATH_VERIFY_TAIL = 4000


def extract_strict(text, pattern):
    """The number in the group of `pattern`'s first match, or None if nothing matches or it is not a number.

    It is the first match as in GSM8K's own scorer (openai/grade-school-math, grade_school_math/dataset.py,
    `extract_answer`): a completion that continues after its answer, or gives several, is scored by the first.
    """
    match = re.search(pattern, text, re.DOTALL)
    return number(match[1]) if match else None


def extract_flexible(text):
    """The last number in the text, or None."""
    last = deque(NUMBER.finditer(LATEX_SPACING.sub("", text.replace("{,}", ","))), maxlen=1)
    return number(last[0][0]) if last else None


def extract_math_verify(text):
    """math-verify's reading of the text as a canonical number, or None if it finds no plain number."""
    from math_verify import parse  # imports sympy, which takes half a second

    logging.getLogger("math_verify").setLevel(logging.ERROR)  # silences its warning about the missing timeout
    parsed = parse(text[-MATH_VERIFY_TAIL:], parsing_timeout=None)
    return number(str(parsed[0])) or number(str(parsed[-1])) if parsed else None


def extract(text, pattern):
    """All three readings of a completion, `{extractor: canonical number or None}`."""
    return {
        "strict": extract_strict(text, pattern),
        "flexible": extract_flexible(text),
        "math_verify": extract_math_verify(text),
    }
