"""Problems in GSM8K's format: a text under `question`, and under `answer` a solution that ends in `#### <answer>`."""

import re

from stage.files import read_jsonl

ANSWER = re.compile(r"####(.*)\Z", re.DOTALL)
STEP = re.compile(r"<<[^<>=]*=([^<>]*)>>")  # GSM8K's calculator annotations: <<3*4=12>>


def read_problems(path):
    """The problems in a file; raises SystemExit if one lacks a question, a solution or a final answer."""
    problems = read_jsonl(path)
    for n, problem in enumerate(problems, 1):
        for key in ("question", "answer"):
            if not isinstance(problem.get(key), str) or not problem[key].strip():
                raise SystemExit(f"error: {path}, problem {n} has no text under {key!r}, which GSM8K's format requires")
        if (match := ANSWER.search(problem["answer"])) is None or not match[1].strip():
            raise SystemExit(f"error: {path}, problem {n} has no '#### N' at the end of its answer")
    return problems


def final_answer(problem):
    """The text after `####` in a problem that `read_problems` has checked."""
    return ANSWER.search(problem["answer"])[1].strip()


def step_results(problem):
    """The results of the solution's annotated steps as texts, in order."""
    return STEP.findall(problem["answer"])


def solution(problem):
    """The solution's steps as a reader writes them: without annotations, and without the final answer."""
    return re.sub(r"<<[^<>]*>>", "", ANSWER.sub("", problem["answer"])).strip()


def family(problem):
    """The family of a problem: its template's name, or, for real GSM8K, its number of annotated steps."""
    return problem.get("family") or f"{len(step_results(problem))} steps"
