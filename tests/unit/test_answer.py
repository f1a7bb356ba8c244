"""The extractors, compared with hand-checked answers."""

import os
from pathlib import Path

import pytest
import yaml
from answers import number as a_number
from reasoning import worker
from reasoning.answer import (
    asked,
    extract,
    extract_flexible,
    extract_math_verify,
    extract_strict,
    for_math_verify,
    unparsed,
)
from reasoning.growth import depth, grows
from reasoning.number import number
from reasoning.scoring import judge, judge_again, summarise

TAG, NO_TAG = "<answer>([^<]*)</answer>", "(no such text)"
PATTERNS = {
    "tag": TAG,
    "hash": r"#### *(\$?[-\u2212]?\$?[0-9.,]+)",
    "flexible_only": NO_TAG,
    "preset": yaml.safe_load(open("config/qwen2.5-1.5b.yaml"))["prompt"]["answer"],
    "no_tag": NO_TAG,
    "default": yaml.safe_load(open("config/config.yaml"))["prompt"]["answer"],
}
CORPUS = yaml.safe_load(Path(__file__).parents[1].joinpath("fixtures/answers.yaml").read_text(encoding="utf-8"))
REFUSED = [text for formula in CORPUS.pop("refused") for text in (f"<answer>{formula}</answer>", f"\\[{formula}\\]")]
CASES = [(PATTERNS[kind], *case) for kind, cases in CORPUS.items() for case in cases]


def test_corpus_is_large_enough():
    assert len({case[:2] for case in CASES}) == len(CASES) >= 400


@pytest.mark.parametrize(("pattern", "text", "strict", "flexible", "math_verify"), CASES)
def test_reading(pattern, text, strict, flexible, math_verify):
    assert extract_strict(text, pattern) == strict
    assert extract_flexible(text) == flexible
    assert extract_math_verify(text, pattern) == math_verify


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
    assert extract_math_verify(text, NO_TAG) == value


@pytest.mark.parametrize("text", ["9" * 10**6, "1,234" * 200_000, "-" * 10**6, "<answer>" * 125_000, "####" * 250_000])
def test_a_million_characters(text):
    assert set(extract(text, PATTERNS["tag"])) == {"strict", "flexible", "math_verify"}


@pytest.mark.parametrize("pattern", [r"<answer>(?:none|([0-9]+))</answer>", r"(#### )?5"])
def test_a_group_without_part_in_the_match_is_no_answer(pattern):
    text = "It is 5. <answer>none</answer>"
    assert extract(text, pattern) == {"strict": None, "flexible": "5", "math_verify": None}


def test_text_is_never_executed(tmp_path):
    target = tmp_path / "executed"
    code = f"__import__('pathlib').Path({str(target)!r}).touch()"
    for text in (code, f"<answer>{code}</answer>", f"$\\boxed{{{code}}}$", f"The answer is {code}"):
        extract(text, PATTERNS["tag"])
    assert not os.path.exists(target)


def test_numbers_are_equal_however_they_are_written():
    assert len({number(text) for text in ("1000", "1,000", "$1000", "+1000", "1000.00", "1000.", " 1000 ")}) == 1
    assert len({number(text) for text in ("-5", "\u22125", "\u20135", "-$5", "$-5", "\u200b-5.0")}) == 1


def test_math_verify_reads_the_last_4000_characters():
    """The tag holds more: a number counts only from the 4000th character from the end."""
    assert extract_math_verify("<answer>9 is" + " x" * 1998 + " 5</answer>", TAG) == "5"  # the 9 is cut off
    assert asked("<answer>9" + "x" * 3999 + "</answer>", TAG)[1] == "9" + "x" * 3999
    assert asked("<answer>9" + "x" * 4000 + "</answer>", TAG)[1] == "x" * 4000


def test_a_plus_is_dropped_unless_it_adds():
    assert for_math_verify("it is +5") == "it is +5" and for_math_verify("= +5, 2 + 5") == "= 5, 2 + 5"


class TestGrowth:
    @pytest.mark.parametrize("text", REFUSED)
    def test_what_can_grow_is_refused(self, text, monkeypatch):
        """By the text alone: math-verify is not asked, and the completion says so."""
        monkeypatch.setattr("reasoning.answer.math_verify", lambda text: pytest.fail("math-verify was asked"))
        judged = judge("test-1", "5", text, 3, False, {"answer": TAG, "format": ".*"}, a_number)
        assert judged["unparsed"] is True and judged["extracted"]["math_verify"] is None
        assert judged["extracted"] | {"math_verify": None} == {
            "strict": None,
            "flexible": extract_flexible(text),
            "math_verify": None,
        }

    @pytest.mark.parametrize(
        "text",
        [
            "$a^2 + b^2 = c^2$, so 3^2 + 4^2 = 25",
            "He wins 1000! Great!!",
            "Let us choose 1000 apples.",
            "((1 + 2) * (3 + (4 - 1)))",
            "| item | price |\n|---|---|\n| pen | 5 |",
            "2^{10} = 1024",
            "\\binom{5}{2} = 10",
            "\\gcd(12, 18) = 6",
        ],
    )
    def test_ordinary_text_is_not(self, text):
        assert not grows(text) and not unparsed(text, NO_TAG)

    @pytest.mark.parametrize(
        ("text", "levels"),
        [
            ("((()((", 4),
            ("", 0),
            ("x", 0),
            ("()", 1),
            ("([{", 3),
            ("()()", 1),
            ("(()(", 2),
            ("))((", 2),
            ("(()))(((", 3),
            (")(()", 2),
        ],
    )
    def test_depth(self, text, levels):
        assert depth(text) == levels

    @pytest.mark.parametrize(
        ("piece", "most"), [("(", 8), ("{", 8), (" \\lfloor x", 3), (" \\lceil x", 3), ("|", 16), ("9", 200)]
    )
    def test_the_limits_are_those(self, piece, most):
        """So much is read, and more is not."""
        assert not grows(piece * most) and grows(piece * (most + 1))

    def test_a_tag_is_read_whatever_grows_outside_it(self):
        text = "<think>$9^{9^{9}}$</think><answer>18</answer>"
        assert extract_math_verify(text, TAG) == "18" and not unparsed(text, TAG)

    def test_unparsed_completions_are_counted(self):
        prompt = {"answer": TAG, "format": ".*"}
        samples = [
            {"id": str(i), "family": "f", "gold": "18"}
            | judge(str(i), "18", f"<answer>{c}</answer>", 3, False, prompt, a_number)
            for i, c in enumerate(["18", "9^{9^{9}}", "9^9^9^9"])
        ]
        assert summarise(samples)["unparsed"] == 2
        assert [judge_again(sample, prompt, a_number) for sample in samples] == samples
        assert "unparsed" not in samples[0]


class TestWorker:
    @pytest.fixture
    def fresh(self):
        worker.pool.cache_clear()
        yield
        worker.pool().terminate()
        worker.pool.cache_clear()

    def test_one_process_for_all_texts(self, fresh):
        for text in ("$5$", "$6 + 1$", "9 or 8"):
            worker.math_verify(text)
        assert worker.pool.cache_info().misses == 1

    def test_a_parse_that_does_not_end_is_an_error_with_the_problems_name(self, fresh, monkeypatch):
        """Never a score; and the process is killed, so that the next text has a new one."""
        assert worker.math_verify("$5$") == ["5", "5"]
        monkeypatch.setattr(worker, "LIMIT", 1)
        monkeypatch.setattr("reasoning.answer.grows", lambda text: False)
        prompt = {"answer": TAG, "format": ".*"}
        with pytest.raises(SystemExit, match="error: problem test-7: math-verify was not done in 1 s: "):
            judge("test-7", "5", "<answer>$[3, 9^{9999999}]$</answer>", 3, False, prompt, a_number)
        monkeypatch.setattr(worker, "LIMIT", 600)
        assert worker.math_verify("$5$") == ["5", "5"]
