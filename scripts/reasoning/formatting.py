"""From problems in GSM8K's form to prompts and gold answers, with a dev split set aside from the training problems."""

import random

from reasoning.number import number
from reasoning.problems import family, final_answer, read_problems, solution, step_results
from reasoning.prompt import messages


def gold(problem, name):
    """The canonical gold answer of a problem called `name`; SystemExit if it is not a number."""
    text = final_answer(problem)
    if (value := number(text)) is None:
        raise SystemExit(f"error: problem {name}: the answer {text!r} is not a number")
    return value


def format_problem(problem, name, prompt):
    """`{id, prompt, answer, steps, family}`: chat messages, gold answer, intermediate results."""
    return {
        "id": name,
        "prompt": messages(problem["question"], prompt),
        "answer": gold(problem, name),
        "steps": [value for text in step_results(problem) if (value := number(text)) is not None],
        "family": family(problem),
    }


def split_dev(train, test, dev, seed):
    """(train, dev): `dev` problems drawn at random; a question that is also in test is dropped, so that none leaks."""
    held_out = {problem["question"] for problem in test}
    train = [problem for problem in train if problem["question"] not in held_out]
    if dev >= len(train):
        raise SystemExit(f"error: a dev split of {dev} leaves none of the {len(train)} training problems to train on")
    drawn = set(random.Random(seed).sample(range(len(train)), dev))
    return [p for i, p in enumerate(train) if i not in drawn], [p for i, p in enumerate(train) if i in drawn]


def formatted(raw, prompt, task):
    """The problems of each split, `{"train" | "dev" | "test": [format_problem, …]}`.

    Training problems also have `solution`, a text. `raw` is `{"train" | "test": path}` of problems in GSM8K's form;
    `prompt` and `task` are config sections.
    """
    test = read_problems(raw["test"])
    # A task without dev is for evaluation alone, and its training split is empty.
    train, dev = split_dev(read_problems(raw["train"]), test, task["dev"], seed=0) if "dev" in task else ([], [])
    found = {
        split: [format_problem(p, f"{split}-{i}", prompt) for i, p in enumerate(problems[: task["limit"].get(split)])]
        for split, problems in (("train", train), ("dev", dev), ("test", test))
    }
    for record, problem in zip(train, found["train"], strict=False):
        problem["solution"] = solution(record)  # to be imitated; there are none of the splits that are measured on
    return found
