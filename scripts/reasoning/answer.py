"""What counts as the answer in a completion. Reward and metric share this module, so they cannot disagree.

Three extractors of numbers, always reported together:

strict       the content of the answer tag that the prompt asks for, and only if it is a number
flexible     the last number of the text, whatever the format
math_verify  the number that the tag's content states, read with the library of that name
             (github.com/huggingface/Math-Verify); without a tag, the number that the whole text states

Text is matched, never executed.
"""

import re
from collections import deque
from itertools import islice

from reasoning.growth import grows
from reasoning.number import NUMBER, as_seen, number
from reasoning.worker import math_verify

# math-verify's time grows faster than the text; the answer is at the end.
MATH_VERIFY_TAIL = 4000

BOX = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
STYLED = re.compile(r"(?:\\(?:text|math|mbox|operatorname)[a-z]*\s*)?\{([^{}]*)\}|\*\*([^*]+)\*\*")
RELATION = re.compile(r"=|\\approx|\u2248")
SIGN_APART = re.compile(r"^\s*([-+\u2212\u2013])\s+")
# What a unit has beside letters: an exponent, a degree sign, a hyphen or stroke as in km/h.
UNIT_MARKS = re.compile(
    r"\^\s*\{?\s*\\circ\s*\}?|\\%|[%\u00b0]|(?<=[a-z])\s*\^\s*(?:[23]|\{\s*[23]\s*\})|(?<=[a-z])[/-](?=[a-z])"
)
LATEX_BLANK = re.compile(r"~|\\(?=\$)")  # also the stroke before a dollar
# Words, but no other sign of mathematics; a single letter beside the number would be a factor or a name, as in "2x".
WORDS_BEFORE = re.compile(r"[^0-9+*/^_=<>|\\{}&\u2212\u2013-]*(?<![A-Za-z\u0370-\u03ff])")
WORDS_AFTER = re.compile(r"(?![A-Za-z\u0370-\u03ff](?![A-Za-z])|!)[^0-9+*/^_=<>|\\{}&\u2212\u2013-]*")
# Thousands set apart by a space, and a plus with what precedes it.
GROUPED = re.compile(r"(?<![0-9.,] )(?<![0-9.,])[0-9]{1,3}(?: [0-9]{3})+(?![0-9])")
PLUS = re.compile(r"([0-9A-Za-z)\]}%]?)(\s*)\+(?=\$?\.?[0-9])")


def held(text, pattern):
    """What the answer tag holds: `pattern`'s one group where it first matches; None without a tag.

    First, as in GSM8K's own scorer (openai/grade-school-math, grade_school_math/dataset.py, `extract_answer`):
    a completion that goes on after its answer, or gives several, is judged by the first. A group that took no part in
    the match holds nothing.
    """
    match = re.search(pattern, text, re.DOTALL)
    return None if match is None else match[1] or ""


def stated(text):
    """The one number of a text that has only a name, a unit or words beside it (`x = 5`, `5 cm`), or None."""
    text = STYLED.sub(r" \1\2 ", RELATION.split(as_seen(text))[-1])
    text = SIGN_APART.sub(r"\1", UNIT_MARKS.sub(" ", LATEX_BLANK.sub(" ", text)))
    found = list(islice(NUMBER.finditer(text), 2))
    if len(found) != 1:
        return None
    before, after = text[: found[0].start()], text[found[0].end() :]
    return number(found[0][0]) if WORDS_BEFORE.fullmatch(before) and WORDS_AFTER.fullmatch(after) else None


def for_math_verify(text):
    """A text in the characters that math-verify knows.

    It sees no sign but a hyphen, no thousands but with a comma, no number right after ">", and `x = 5` in a box is an
    equation to it. A decimal in a box gets a trailing zero, because it takes 0.5 for a fraction.
    """
    text = re.sub(r"\n\s+", "\n", re.sub(r"[^\S\n]+", " ", as_seen(text)))
    text = GROUPED.sub(lambda m: m[0].replace(" ", ","), text)
    text = PLUS.sub(lambda m: m[0] if m[1] else m[2], re.sub("[\u2212\u2013]", "-", text))
    text = re.sub(r">(?=[-$]*\.?[0-9])", "> ", text)

    def box(match):
        value = stated(match[1])
        return match[0] if value is None else f"\\boxed{{{value}{'0' * ('.' in value)}}}"

    return BOX.sub(box, text)


def asked(text, pattern):
    """`(value, text)`: the number that needs no parser, or None and what math-verify is asked about."""
    content = held(text, pattern)
    whole = content is None
    content = (text if whole else content)[-MATH_VERIFY_TAIL:]
    # In a whole text, "=" is in steps, and the last of them need not be the answer.
    return None if whole and RELATION.search(content) else stated(content), for_math_verify(content)


def unparsed(text, pattern):
    """Whether math-verify is not asked about a completion, because its work could grow without bound."""
    value, question = asked(text, pattern)
    return value is None and grows(question)


def extract_strict(text, pattern):
    """The number that the answer tag holds, or None if there is no tag or something else in it."""
    return number(held(text, pattern) or "")


def extract_flexible(text):
    """The last number in the text, or None."""
    last = deque(NUMBER.finditer(as_seen(text)), maxlen=1)
    return number(last[0][0]) if last else None


def extract_math_verify(text, pattern):
    """The number that the tag's content states, or the whole text if there is no tag; None if that is no plain number.

    TimeoutError if math-verify does not come back (reasoning/worker.py).
    """
    value, question = asked(text, pattern)
    if value is not None or grows(question):
        return value
    found = math_verify(question) or [""]
    return number(found[0]) or stated(found[-1])


def extract(text, pattern):
    """All three readings of a completion, `{extractor: canonical number or None}`."""
    return {
        "strict": extract_strict(text, pattern),
        "flexible": extract_flexible(text),
        "math_verify": extract_math_verify(text, pattern),
    }


def strict_score(kind, text, problem, prompt):
    """The score of a completion by the strict extractor of an answer's type: what is rewarded and imitated as right."""
    value = kind.EXTRACTORS["strict"](text, prompt["answer"])
    return float(kind.equal(value, problem["answer"], problem.get("facts")))
