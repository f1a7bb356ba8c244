"""From raw problems to prompts and gold answers, with a dev split set aside from the training problems."""

import random
from operator import itemgetter

from stage.files import read_jsonl

from reasoning.prompt import messages


def format_problem(record, name, prompt, module):
    """`{id, prompt, answer, steps, family}`: chat messages, gold answer, intermediate results; `facts` if it has any.

    `module` is the task's, as of tasks.load. SystemExit if the gold answer is not of the task's type.
    """
    problem = module.problem(record)
    try:
        gold = module.answer.gold(problem["answer"])
    except ValueError as error:
        raise SystemExit(f"error: problem {name}: {error}") from None
    return {
        "id": name,
        "prompt": messages(problem["question"], prompt),
        "answer": gold,
        "steps": problem["steps"],
        "family": problem["family"],
    } | {key: problem[key] for key in ("facts",) if key in problem}


def split_dev(train, test, dev, seed, question=itemgetter("question")):
    """(train, dev): `dev` problems drawn at random; a question that is also in test is dropped, so that none leaks.

    `question(record)` is the question of a record.
    """
    held_out = {question(record) for record in test}
    train = [record for record in train if question(record) not in held_out]
    if dev >= len(train):
        raise SystemExit(f"error: a dev split of {dev} leaves none of the {len(train)} training problems to train on")
    drawn = set(random.Random(seed).sample(range(len(train)), dev))
    return [p for i, p in enumerate(train) if i not in drawn], [p for i, p in enumerate(train) if i in drawn]


def formatted(raw, prompt, task, module):
    """The problems of each split, `{"train" | "dev" | "test": [format_problem, …]}`.

    Training problems also have `solution`, a text. `raw` is `{"train" | "test": path}` of raw problems, `prompt` and
    `task` are config sections, `module` is the task's, as of tasks.load.
    """

    def question(record):
        return module.problem(record)["question"]

    test, train, dev = read_jsonl(raw["test"]), [], []
    if "dev" in task:  # else the task is for evaluation alone, and its training split is empty
        train, dev = split_dev(read_jsonl(raw["train"]), test, task["dev"], 0, question)
    found = {
        split: [
            format_problem(p, f"{split}-{i}", prompt, module) for i, p in enumerate(records[: task["limit"].get(split)])
        ]
        for split, records in (("train", train), ("dev", dev), ("test", test))
    }
    for record, problem in zip(train, found["train"], strict=False):
        # To be imitated; there are none of the splits that are measured on.
        problem["solution"] = module.problem(record)["solution"]
    return found
