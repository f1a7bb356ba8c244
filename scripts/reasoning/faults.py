"""What is wrong in a completion, or right for another reason, where the solution is known step by step."""

import re
from collections import Counter
from fractions import Fraction

from reasoning.number import NUMBER, as_seen, number

EQUATION = re.compile(rf"({NUMBER.pattern})\s*([-+*/x×÷])\s*({NUMBER.pattern})\s*=\s*({NUMBER.pattern})")
OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    **dict.fromkeys("*x×", lambda a, b: a * b),
    **dict.fromkeys("/÷", lambda a, b: a / b if b else None),
}

# In words, in the order in which they are looked for: a completion has the first one that is there.
FAULTS = {
    "right by other steps": "the answer is right, and the equations before it are not the solution's",
    "truncated": "it reached the token limit",
    "no answer": "the answer tag is missing, or holds nothing that can be read",
    "copied": "a step is one of a worked example, with its numbers",
    "number of steps": "it has fewer or more steps than the solution",
    "arithmetic": "the result of a step is not what it computes",
    "operation": "every step is right in itself, but computes something else than the solution",
    "another answer": "the steps have the solution's results, and the answer is another one",
}


def equations(text):
    """The steps in a text, `[(a, operator, b, result)]`, numbers in canonical form."""
    found = EQUATION.findall(as_seen(text))
    return [(number(a), sign, number(b), number(result)) for a, sign, b, result in found]


def holds(equation):
    """Whether a step's result is what it computes; as rounded as the result is written."""
    a, sign, b, result = equation
    exact, places = OPERATORS[sign](Fraction(a), Fraction(b)), len(result.partition(".")[2])
    return exact is not None and abs(exact - Fraction(result)) <= Fraction(1, 2 * 10**places) * (places > 0)


def fault(sample, examples):
    """What is wrong in a sample, by the strict extractor; None if answer and steps are right.

    `examples` are the equations of the prompt's worked examples; one whose numbers are those of the question or of the
    solution is no copy. Without the solution's `steps` in the sample, all that has an answer, another one than gold, is
    "another answer".
    """
    found = equations(sample["completion"])
    results = [result for *_, result in found]
    if sample["correct"]["strict"] == 1:
        as_solved = not sample.get("steps") or (results == sample["steps"] and all(map(holds, found)))
        return None if as_solved else "right by other steps"
    if sample["truncated"]:
        return "truncated"
    if sample["extracted"]["strict"] is None:
        return "no answer"
    if not sample.get("steps"):
        return "another answer"
    given = {*map(number, NUMBER.findall(as_seen(sample.get("question") or ""))), *sample["steps"]}
    if any(not {a, b} <= given for a, _, b, _ in set(found) & examples):
        return "copied"
    if len(found) != len(sample["steps"]):
        return "number of steps"
    if not all(map(holds, found)):
        return "arithmetic"
    return "operation" if results != sample["steps"] else "another answer"


def learned(base, policy, prompt):
    """`{fault: {base, policy, won, lost}}`: how many completions of each have it, in the order of FAULTS.

    `won` counts the base model's faults in problems that the policy won, `lost` the policy's in those that it lost.
    None if no sample has steps: there is nothing to tell faults apart with.
    """
    if not any(sample.get("steps") for sample in base):
        return None
    examples = {step for example in prompt["examples"] for step in equations(example["completion"])}
    found = [[(s["correct"]["strict"] == 1, fault(s, examples)) for s in samples] for samples in (base, policy)]
    pairs = [*zip(*found, strict=True)]
    counts = {
        "base": Counter(b for (_, b), _ in pairs),
        "policy": Counter(p for _, (_, p) in pairs),
        "won": Counter(b for (solved, b), (solves, _) in pairs if solves > solved),
        "lost": Counter(p for (solved, _), (solves, p) in pairs if solved > solves),
    }
    return {name: {of: count[name] for of, count in counts.items()} for name in FAULTS}
