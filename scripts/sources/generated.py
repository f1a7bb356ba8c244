"""Source `generated://word_problems?seed=0&train=2000&test=300`: arithmetic word problems in GSM8K's format.

Each problem has GSM8K's two fields, `question` and `answer` (steps with `<<a+b=c>>` annotations, then `#### N`), and
`family`, the name of its template. Families marked `test_only` never occur in the training split, so their score shows
whether a policy learned the arithmetic or the templates.
"""

import operator
import random
import re
from dataclasses import dataclass
from itertools import cycle, islice, permutations
from pathlib import Path

from stage.files import write_jsonl

ADDRESS = re.compile(r"word_problems\?seed=(?P<seed>\d+)&train=(?P<train>\d+)&test=(?P<test>\d+)")

NAMES = "Anna Ben Clara David Emma Finn Grace Hugo Iris Jack Kate Liam Maya Noah Olivia Paul".split()
ITEMS = "apples books cards coins cookies eggs marbles pencils shells stamps stickers toys".split()
GROUPS = "bags baskets boxes jars packs".split()
SMALLEST, LARGEST = 2, 9  # of the numbers in a question
TOP = 12  # largest result: the policy should learn what to compute rather than how
OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


@dataclass(frozen=True)
class Family:
    """A problem template: `steps` are formulas over the numbers a, b, c and earlier results x, y."""

    name: str
    question: str
    steps: tuple[str, ...]
    test_only: bool = False


FAMILIES = (
    Family(
        "gain",
        "{name} has {a} {items}. {name} buys {b} more {items}. How many {items} does {name} have now?",
        ("a + b",),
    ),
    Family("lose", "{name} has {a} {items}. {name} gives away {b} of them. How many {items} are left?", ("a - b",)),
    Family(
        "groups", "{name} has {a} {groups} with {b} {items} in each. How many {items} does {name} have?", ("a * b",)
    ),
    Family(
        "gain_lose",
        "{name} has {a} {items}. {name} buys {b} more and then gives away {c}. How many {items} are left?",
        ("a + b", "x - c"),
    ),
    Family(
        "gain_gain",
        "{name} has {a} {items}. {name} buys {b} and then finds {c} more. How many {items} does {name} have now?",
        ("a + b", "x + c"),
    ),
    Family(
        "lose_gain",
        "{name} has {a} {items}. {name} gives away {b} and then buys {c}. How many {items} does {name} have now?",
        ("a - b", "x + c"),
    ),
    Family(
        "groups_lose",
        "{name} has {a} {groups} with {b} {items} in each. {name} gives away {c} {items}. How many {items} are left?",
        ("a * b", "x - c"),
    ),
    Family(
        "sell",
        "{name} had {a} {items} and sold {b}. How many {items} does {name} have now?",
        ("a - b",),
        test_only=True,
    ),
    Family(
        "groups_gain",
        "{name} has {a} {groups} with {b} {items} in each. {name} buys {c} more. How many {items} has {name} now?",
        ("a * b", "x + c"),
        test_only=True,
    ),
    Family(
        "lose_lose",
        "{name} has {a} {items}. {name} gives away {b} and then loses {c}. How many {items} are left?",
        ("a - b", "x - c"),
    ),
)


def shortcuts(numbers):
    """Every answer that one of the numbers, or a single operation on two of them, would give."""
    pairs = list(permutations(numbers.values(), 2))
    return {*numbers.values(), *(operate(a, b) for operate in OPERATORS.values() for a, b in pairs)}


def solve(family, numbers):
    """(annotated solution lines, final answer) of a family's problem with the given numbers.

    None if a result is not from 1 to TOP, or if a shortcut solves a two-step problem: such a problem would reward a
    policy for steps that it did not take.
    """
    values, lines = dict(numbers), []
    for symbol, formula in zip("xyz", family.steps, strict=False):
        left, sign, right = formula.split()
        result = OPERATORS[sign](values[left], values[right])
        if not 1 <= result <= TOP:
            return None
        values[symbol] = result
        lines.append(
            f"{values[left]} {sign} {values[right]} = <<{values[left]}{sign}{values[right]}={result}>>{result}"
        )
    answer = values["xyz"[len(family.steps) - 1]]
    return None if len(family.steps) > 1 and answer in shortcuts(numbers) else (lines, answer)


def draw(family, rng):
    """One problem of a family; its numbers are redrawn until `solve` accepts them."""
    solution = None
    while solution is None:
        numbers = {symbol: rng.randint(SMALLEST, LARGEST) for symbol in "abc"}
        solution = solve(family, numbers)
    name, other = rng.sample(NAMES, 2)
    words = {"name": name, "other": other, "items": rng.choice(ITEMS), "groups": rng.choice(GROUPS)}
    lines, answer = solution
    return {
        "question": family.question.format(**numbers, **words),
        "answer": "\n".join([*lines, f"#### {answer}"]),
        "family": family.name,
    }


def taught():
    """An endless sequence of families, the order of the training split.

    Three out of five problems take two steps. With fewer, a policy tends to learn to stop after the first step of any
    problem; with more, never to stop there. In this order, no batch has only one kind.
    """
    one, two = (cycle([f for f in FAMILIES if len(f.steps) == n and not f.test_only]) for n in (1, 2))
    while True:
        yield from (next(two), next(one), next(two), next(one), next(two))


def generate(seed, train, test):
    """`{"train": problems, "test": problems}` without duplicates; all families have equal shares of test."""
    rng, seen = random.Random(seed), set()

    def split(size, families):
        problems = []
        for family in islice(families, size):
            problem = draw(family, rng)
            while problem["question"] in seen:
                problem = draw(family, rng)
            seen.add(problem["question"])
            problems.append(problem)
        return problems

    return {"train": split(train, taught()), "test": split(test, cycle(FAMILIES))}


def fetch(address, folder, kind):
    """Write `train.jsonl` and `test.jsonl` into `folder`."""
    match = ADDRESS.fullmatch(address)
    if match is None:
        raise SystemExit(f"error: generated://{address}: write generated://word_problems?seed=<n>&train=<n>&test=<n>")
    for split, problems in generate(**{key: int(value) for key, value in match.groupdict().items()}).items():
        write_jsonl(Path(folder, f"{split}.jsonl"), problems)
