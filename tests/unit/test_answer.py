"""The extractors, compared with hand-checked answers."""

import os
from pathlib import Path

import pytest
import yaml
from reasoning.answer import extract, extract_flexible, extract_math_verify, extract_strict
from reasoning.number import number

PATTERNS = {
    "tag": "<answer>([^<]*)</answer>",
    "hash": r"#### *(\$?[-\u2212]?\$?[0-9.,]+)",
    "flexible_only": "(no such text)",
}
CORPUS = yaml.safe_load(Path(__file__).parents[1].joinpath("fixtures/answers.yaml").read_text())
CASES = [(PATTERNS[kind], *case) for kind, cases in CORPUS.items() for case in cases]


def test_corpus_is_large_enough():
    assert len({case[:2] for case in CASES}) == len(CASES) >= 150


@pytest.mark.parametrize(("pattern", "text", "strict", "flexible"), CASES)
def test_reading(pattern, text, strict, flexible):
    assert extract_strict(text, pattern) == strict
    assert extract_flexible(text) == flexible


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("\\boxed{5}", "5"),
        ("The answer is $\\boxed{1{,}234}$.", "1234"),
        ("7 - 2 = 5", "5"),
        ("The final answer is 42.", "42"),
        ("$\\boxed{-3}$", "-3"),
        ("no digits at all", None),
        ("", None),
        ("$\\boxed{\\frac{1}{2}}$", None),
    ],
)
def test_math_verify(text, value):
    assert extract_math_verify(text) == value


@pytest.mark.parametrize("text", ["9" * 10**6, "1,234" * 200_000, "-" * 10**6, "<answer>" * 125_000, "####" * 250_000])
def test_a_million_characters(text):
    assert set(extract(text, PATTERNS["tag"])) == {"strict", "flexible", "math_verify"}


def test_text_is_never_executed(tmp_path):
    target = tmp_path / "executed"
    code = f"__import__('pathlib').Path({str(target)!r}).touch()"
    for text in (code, f"<answer>{code}</answer>", f"$\\boxed{{{code}}}$", f"The answer is {code}"):
        extract(text, PATTERNS["tag"])
    assert not os.path.exists(target)


def test_numbers_are_equal_however_they_are_written():
    assert len({number(text) for text in ("1000", "1,000", "$1000", "1000.00", "1000.", " 1000 ")}) == 1
