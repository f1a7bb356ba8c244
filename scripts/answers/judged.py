"""Answers that a function of the task judges, with a score from 0 to 1: nothing is known of their form."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from reasoning.answer import held

from answers.text import last_line


@dataclass(frozen=True)
class Judged:
    """The answer's type of a task with `judge(answer, problem)`, which is given the answer's text as it is written.

    `problem` has `answer`, the gold answer, and `facts`, what the task's `problem` put there, or None. `call` calls the
    function and stops the run with one line if it fails.
    """

    judge: Callable
    call: Callable

    EXTRACTORS = {
        "strict": lambda text, pattern: (held(text, pattern) or "").strip() or None,
        "flexible": lambda text, pattern: last_line(text, pattern).strip() or None,
    }

    @staticmethod
    def gold(text):
        """The gold answer as it is written."""
        return text

    def equal(self, value, gold, facts=None):
        """The judge's score; 0 if nothing was read."""
        if value is None:
            return 0.0
        score = self.call(self.judge, value, {"answer": gold, "facts": facts})
        if not isinstance(score, (int, float)) or not (math.isfinite(score) and 0 <= score <= 1):
            raise SystemExit(f"error: the task's judge returned {score!r}: return a number from 0 to 1")
        return float(score)

    @staticmethod
    def unread(text, pattern):
        """Never: what the tag holds is handed to the judge as it is."""
        return False
