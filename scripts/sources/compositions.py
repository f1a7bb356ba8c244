"""Source `compositions://word_problems?seed=0&train=400&test=300`: arithmetic word problems in GSM8K's format.

A policy learns steps, and some ways to combine two. The families marked `held_out` combine steps that are taught in a
way that is not: their score shows whether steps were learned or templates. Problems differ in family or numbers, and
the test split has none of the training split's; a sum or product with its numbers the other way round is another one.
"""

import operator
import random
import re
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice, permutations, product
from pathlib import Path

from stage.files import write_jsonl

ADDRESS = re.compile(r"word_problems\?seed=(?P<seed>\d+)&train=(?P<train>\d+)&test=(?P<test>\d+)")

NAMES = "Anna Ben Clara David Emma Finn Grace Hugo Iris Jack Kate Liam Maya Noah Olivia Paul Rosa Sam Tina Will".split()
ITEMS = "apples books cards coins cookies eggs marbles nuts pencils shells stamps stickers toys".split()
GROUPS = "bags baskets boxes jars packs trays".split()
SMALLEST, LARGEST = 2, 16  # of the numbers in a question and of every result
LARGEST_WITH_PRODUCT = 30  # the same in families that multiply, of which there would be too few
OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}  # the last as a shortcut
HELD_OUT = " (held out)"  # in the family's name, so that it is seen wherever a score is shown


@dataclass(frozen=True)
class Family:
    """A problem template: `steps` are formulas over the numbers a, b, c and the first result x."""

    name: str
    question: str
    steps: tuple[str, ...]
    held_out: bool = False

    @property
    def title(self):
        """Its name where scores are shown."""
        return self.name + HELD_OUT * self.held_out

    @property
    def largest(self):
        """The largest of its numbers and results."""
        return LARGEST_WITH_PRODUCT if "*" in self.steps[0] else LARGEST

    @property
    def numbers(self):
        """The numbers that its question states."""
        return sorted({word for step in self.steps for word in step.split() if word in ("a", "b", "c")})


FAMILIES = (
    Family("gain", "{name} has {a} {items}. {name} buys {b} more. How many {items} does {name} have now?", ("a + b",)),
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
        "gain_gain",
        "{name} has {a} {items}. {name} buys {b} and then finds {c} more. How many {items} does {name} have now?",
        ("a + b", "x + c"),
        held_out=True,
    ),
    Family(
        "lose_lose",
        "{name} has {a} {items}. {name} gives away {b} and then loses {c}. How many {items} are left?",
        ("a - b", "x - c"),
        held_out=True,
    ),
    Family(
        "groups_gain",
        "{name} has {a} {groups} with {b} {items} in each. {name} buys {c} more. How many {items} are there now?",
        ("a * b", "x + c"),
        held_out=True,
    ),
)


def shortcuts(numbers):
    """Every answer that one of the numbers, or a single operation on two of them, would give."""
    pairs = list(permutations(numbers.values(), 2))
    return {*numbers.values(), *(operate(a, b) for operate in OPERATORS.values() for a, b in pairs)}


def solve(family, numbers):
    """(annotated solution lines, final answer) of a family's problem with the given numbers.

    None if a result is too small or too large, if a step changes nothing, or if a shortcut solves a two-step problem:
    such a problem would reward a policy for steps that it did not take.
    """
    values, lines = dict(numbers), []
    for formula in family.steps:
        left, sign, right = formula.split()
        a, b = values[left], values[right]
        result = OPERATORS[sign](a, b)
        if not SMALLEST <= result <= family.largest or result == a:
            return None
        values["x"] = result
        lines.append(f"{a} {sign} {b} = <<{a}{sign}{b}={result}>>{result}")
    return None if len(family.steps) > 1 and values["x"] in shortcuts(numbers) else (lines, values["x"])


@cache
def possible(family):
    """Every choice of numbers that makes a problem of a family, each `{symbol: number}`."""
    choices = product(range(SMALLEST, family.largest + 1), repeat=len(family.numbers))
    found = (dict(zip(family.numbers, numbers, strict=True)) for numbers in choices)
    return [numbers for numbers in found if solve(family, numbers)]


def worded(family, numbers, rng):
    """One problem of a family with these numbers, in GSM8K's form."""
    words = {"name": rng.choice(NAMES), "items": rng.choice(ITEMS), "groups": rng.choice(GROUPS)}
    lines, answer = solve(family, numbers)
    return {
        "question": family.question.format(**numbers, **words),
        "answer": "\n".join([*lines, f"#### {answer}"]),
        "family": family.title,
    }


def taught():
    """An endless sequence of families, the order of the training split: three out of five problems take two steps.

    With fewer, a policy tends to learn to stop after the first step of any problem. Sums are twice as many as products,
    of which there are few.
    """
    one, two = ([f for f in FAMILIES if len(f.steps) == n and not f.held_out] for n in (1, 2))
    one, two = cycle([*(f for f in one if f.largest == LARGEST), *one]), cycle(two)
    while True:
        yield from (next(two), next(one), next(two), next(one), next(two))


def generate(seed, train, test):
    """`{"train": problems, "test": problems}`, of which no two have the same family and numbers.

    Two-step families have twice a one-step family's share of test, which is drawn first, so that it does not depend
    on the size of train.
    SystemExit if a family has too few problems.
    """
    rng = random.Random(seed)
    two_steps_twice = [*FAMILIES, *(family for family in FAMILIES if len(family.steps) > 1)]
    left = {family: iter(rng.sample(possible(family), len(possible(family)))) for family in FAMILIES}

    def split(size, families):
        for family in islice(families, size):
            numbers = next(left[family], None)
            if numbers is None:
                raise SystemExit(f"error: compositions://: family {family.name} has no more problems: ask for fewer")
            yield worded(family, numbers, rng)

    return {"test": [*split(test, cycle(two_steps_twice))], "train": [*split(train, taught())]}


def fetch(address, folder, kind):
    """Write `train.jsonl` and `test.jsonl` into `folder`."""
    match = ADDRESS.fullmatch(address)
    if match is None:
        raise SystemExit(f"error: compositions://{address}: write word_problems?seed=<n>&train=<n>&test=<n> after it")
    for split, problems in generate(**{key: int(value) for key, value in match.groupdict().items()}).items():
        write_jsonl(Path(folder, f"{split}.jsonl"), problems)
