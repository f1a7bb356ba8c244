"""Tasks, one module each: how a raw record becomes a problem, and how its answer is judged.

A module, here or in a user's file (`tasks.<task>.module` names it), has

    problem(record)          {"question": text, "answer": gold answer}, and if there are any "solution" (the steps in
                             words), "steps" (the results of its steps), "family" (the kind of problem), "facts" (any
                             JSON value that the judge needs beside the answer). ValueError says what a record lacks
    ANSWER                   the answer's type, a module of scripts/answers: number, choice, text or expression
    judge(answer, problem)   instead of ANSWER: the score of an answer, from 0 to 1; scripts/answers/judged.py
    PACKAGES                 optional, the names of the packages whose versions decide what it says
"""

import runpy
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from reasoning.own import failure
from stage.files import sha256

TYPE = ("EXTRACTORS", "gold", "equal", "unread")  # what the type of an answer has


@dataclass(frozen=True)
class Task:
    """A task's module: its name, its `problem`, and the type of its answer, a module of scripts/answers or like one.

    `packages` are those by which it judges, whose versions the protocol states.
    """

    name: str
    convert: Any
    answer: Any
    packages: tuple = ()

    def call(self, function, *arguments):
        """A function of the module; SystemExit with the line if it fails."""
        try:
            return function(*arguments)
        except Exception as error:
            raise failure(f"task module {self.name}", self.name, error) from error

    def problem(self, record):
        """The problem of a record, with all keys; ValueError if the record is none."""
        try:
            problem = self.convert(record)
        except ValueError:
            raise
        except Exception as error:
            if not self.name.endswith(".py"):  # the package's modules are right, so the record is wrong
                raise ValueError(
                    f"another form than module {self.name} reads ({type(error).__name__}: {error}): use the module of "
                    "this data"
                ) from error
            raise failure(f"task module {self.name}", self.name, error) from error
        if not isinstance(problem, dict):
            raise SystemExit(
                f"error: task module {self.name}: problem(record) returned {problem!r}: return a dict with question "
                "and answer"
            )
        for key in ("question", "answer"):
            if not isinstance(problem.get(key), str) or not problem[key].strip():
                raise ValueError(f"no {key}: the task's problem(record) gave {problem.get(key)!r}")
        return {"solution": "", "steps": [], "family": self.name} | problem


def load(settings):
    """The task of a config section `tasks.<task>`: that of its `module`, which is gsm8k if none is stated."""
    name = settings.get("module", "gsm8k")
    if name.endswith(".py"):
        if not Path(name).is_file():
            raise SystemExit(f"error: there is no task module {name}: correct the path")
        try:
            found = runpy.run_path(name)
        except Exception as error:
            raise failure(f"task module {name}", name, error) from error
    else:
        known = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
        if name not in known:
            raise SystemExit(f"error: there is no task module {name}: use one of {', '.join(known)}, or a file.py")
        found = vars(import_module(f"tasks.{name}"))
    if "problem" not in found or ("ANSWER" in found) == ("judge" in found):
        raise SystemExit(
            f"error: task module {name}: define problem(record), and either ANSWER or judge(answer, problem)"
        )
    if missing := [key for key in TYPE if "ANSWER" in found and not hasattr(found["ANSWER"], key)]:
        raise SystemExit(
            f"error: task module {name}: ANSWER is {found['ANSWER']!r}, which has no {', '.join(missing)}: make it a "
            "module of scripts/answers, as in `from answers import number`"
        )
    task = Task(name, found["problem"], found.get("ANSWER"), tuple(found.get("PACKAGES", ())))
    if task.answer:
        return task
    # By name, as the modules above: what only fetches records does not depend on how answers are read.
    judged = import_module("answers.judged").Judged
    return Task(name, task.convert, judged(found["judge"], task.call), task.packages)


def described_module(settings):
    """What a protocol says of a task's module, `{name, sha256}`, the digest of a user's file; None without `module`."""
    name = settings.get("module")
    return name and {"name": name, "sha256": sha256(name) if name.endswith(".py") else None}


def read_problems(task, path, records):
    """The problems of a split's records; SystemExit names the first record that is none, by its number in `path`."""
    problems = []
    for n, record in enumerate(records, 1):
        try:
            problems.append(task.problem(record))
        except ValueError as error:
            raise SystemExit(f"error: {path}, problem {n} has {error}") from None
        except SystemExit as error:
            raise SystemExit(f"error: {path}, problem {n}: {str(error).removeprefix('error: ')}") from error
    return problems
