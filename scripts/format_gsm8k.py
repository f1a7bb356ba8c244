"""Turn problems in GSM8K's form into prompts and gold answers, and set a dev split aside from the training problems."""

import argparse
import json
import random
from pathlib import Path

from reasoning.number import number
from reasoning.problems import family, final_answer, read_problems, step_results
from reasoning.prompt import messages
from stage.files import write_jsonl
from stage.screen import run


def gold(problem, name):
    """The canonical gold answer of the problem with id `name`; raises SystemExit if it is not a number."""
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
    """(train, dev), with `dev` problems drawn at random; questions that are also in test are dropped."""
    held_out = {problem["question"] for problem in test}
    train = [problem for problem in train if problem["question"] not in held_out]
    if dev >= len(train):
        raise SystemExit(f"error: a dev split of {dev} leaves none of the {len(train)} training problems: lower `dev`")
    drawn = set(random.Random(seed).sample(range(len(train)), dev))
    return [p for i, p in enumerate(train) if i not in drawn], [p for i, p in enumerate(train) if i in drawn]


def main(args):
    prompt, task = json.loads(args.prompt_config), json.loads(args.task_config)
    test = read_problems(args.raw_test)
    train, dev = split_dev(read_problems(args.raw_train), test, task["dev"], seed=0)
    for split, problems, path in (("train", train, args.train), ("dev", dev, args.dev), ("test", test, args.test)):
        problems = problems[: task["limit"].get(split)]
        write_jsonl(path, [format_problem(problem, f"{split}-{i}", prompt) for i, problem in enumerate(problems)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompt-config", required=True, help="the config section `prompt`, as JSON")
    parser.add_argument("--task-config", required=True, help="the config section `tasks.<task>`, as JSON")
    parser.add_argument("--raw-train", required=True, type=Path, help="problems in GSM8K's form, JSONL")
    parser.add_argument("--raw-test", required=True, type=Path, help="problems in GSM8K's form, JSONL")
    for split in ("train", "dev", "test"):
        parser.add_argument(f"--{split}", required=True, type=Path, help="JSONL to write")
    run(main, parser)
