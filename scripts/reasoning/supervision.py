"""How much an arm was told: the axis on which arms can be compared fairly.

The rules read this file too, so it imports nothing of the package.
"""

import ast
from functools import cache
from pathlib import Path

# Rewards that tell nothing of the answer; `steps` tells the solution, if there is one.
UNTOLD = {"format", "random", "steps"}


@cache
def keys(module):
    """The texts that stand alone in a Python file, and the names of keyword arguments: what its dicts may have."""
    nodes = [*ast.walk(ast.parse(module.read_bytes()))]
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return texts | {node.arg for node in nodes if isinstance(node, ast.keyword)}


def gives(task, what):
    """Whether the problems of a task may have a `solution`, or `steps`: then its module has a key of that name."""
    module = task.get("module", "gsm8k")
    path = Path(module) if module.endswith(".py") else Path(__file__).parents[1] / "tasks" / f"{module}.py"
    return what in keys(path.absolute())


@cache
def told_by(reward):
    """Whether a reward is told the answer: of a user's own, whether its function ever uses its third argument."""
    path, _, function = reward.rpartition(":")
    if not path:
        return reward not in UNTOLD
    if not Path(path).exists():
        return True
    for node in ast.parse(Path(path).read_bytes()).body:
        if isinstance(node, ast.FunctionDef) and node.name == function and len(node.args.args) >= 3:
            problem = node.args.args[2].arg
            return problem in {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    return True


def distinct(task, train):
    """The number of training problems that a training sees, at most."""
    settings, chosen = train[train["trainer"]], train["problems"]
    there = (task["limit"].get("train") or task["size"]["train"] - task["dev"]) - chosen["skip"]
    there = min(there, chosen["limit"] or there)
    if settings.get("max_steps", -1) < 0:
        return there
    rows = settings["max_steps"] * settings["per_device_train_batch_size"] * settings["gradient_accumulation_steps"]
    return min(there, rows * train["processes"] // settings.get("num_generations", 1))


def told(task, arms, arm):
    """`{"solutions", "answers"}`: how many worked solutions an arm was told, and how many answers without a solution.

    Both count what the arms that it starts from or merges were told; each training counts a problem once. A reward for
    right intermediate results is told solutions, a teacher's right completions are chosen by answers, and wrong answers
    tell nothing. A user's own reward counts as told answers if it uses its problem, and so does imitation on a task
    without worked solutions. `task` is the config section of the run's task, `arms` has `train` and `rewards` of each
    arm, with its overrides, and `merge_of`.
    """
    if parts := arms[arm]["merge_of"]:
        found = [told(task, arms, part) for part in parts["adapters"]]
        return {key: sum(of[key] for of in found) for key in ("solutions", "answers")}
    train, rewards = arms[arm]["train"], arms[arm]["rewards"]
    found, n = {"solutions": 0, "answers": 0}, distinct(task, train)
    if train["trainer"] == "sft":
        found["answers" if train["teacher"] or not gives(task, "solution") else "solutions"] = n
    elif train["problems"]["wrong_answers"]:
        pass
    elif rewards["steps"] and gives(task, "steps"):
        found["solutions"] = n
    elif any(weight and told_by(name) for name, weight in rewards.items()):
        found["answers"] = n
    for before in {train["start"], train["teacher"]} - {None, "base"}:
        found = {key: found[key] + value for key, value in told(task, arms, before).items()}
    return found
