"""Measure how many small changes of the domain's code the unit tests notice: make mutation.

cosmic-ray changes one operator, number or condition at a time, in a copy of the repository, and runs the unit tests
that import the changed module. Of the changes of one place, one is drawn: a number becomes one more or one less, a
comparison another one, a sum a difference. Changes to operators that the types do not have are left out: they only
crash.

usage: .venv/bench/bin/python bench/measure_mutation.py [MODULE …] [--seed N] [--each N]
"""

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    [path for room in ("reasoning", "answers", "tasks") for path in (ROOT / "scripts" / room).glob("*.py")]
    + [ROOT / f"scripts/record/{name}.py" for name in ("compared", "fresh", "recompute")]
)
# Binary operators: numbers have no shifts, and the dicts and sets of this project have only their own operators.
ARITHMETIC = {"Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow"}


def sensible(operator, line):
    """Whether a change of a line of code can go on, rather than only crash, and can be seen in what it computes.

    Identity for equality is left out: what is the same object among equal small numbers and words is Python's choice;
    and so is `strict=True`, a guard for lengths that cannot differ.
    """
    identity = re.fullmatch(r"core/ReplaceComparisonOperator_(?!Is)[A-Za-z]+_Is(Not)?", operator)
    if identity or (operator == "core/ReplaceTrueWithFalse" and "strict=True" in line):
        return False
    match = re.fullmatch(r"core/ReplaceBinaryOperator_(\w+)_(\w+)", operator)
    return match is None or (match[1] in ARITHMETIC and match[2] in ARITHMETIC)


def family(operator):
    """The operators of which one is drawn for a place: all that replace one binary operator or comparison."""
    return operator.rpartition("_")[0] if operator.count("_") > 1 or "Operator_" in operator else operator


def tests_of(module, copy):
    """The unit tests that import a module, those named after it first: they fail soonest."""
    name = ".".join(module.relative_to(ROOT / "scripts").with_suffix("").parts).removesuffix(".__init__")
    package, _, last = name.rpartition(".")

    def imports(path):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield from (node.module == name, node.module == package and last in {a.name for a in node.names})

    found = [path for path in sorted((copy / "tests/unit").glob("test_*.py")) if any(imports(path))]
    return [str(path.relative_to(copy)) for path in sorted(found, key=lambda path: last not in path.name)]


def draw(db, lines, seed, each):
    """Skip all mutants but one a place and family, and all but `each` of those if it is not 0."""
    places = defaultdict(list)
    for item in sorted(db.work_items, key=lambda item: str(item.mutations[0])):
        (mutation,) = item.mutations
        if sensible(mutation.operator_name, lines[mutation.start_pos[0] - 1]):
            places[mutation.start_pos, family(mutation.operator_name)].append(item.job_id)
    chosen = random.Random(seed)
    drawn = [chosen.choice(jobs) for _, jobs in sorted(places.items())]
    drawn = {*(chosen.sample(drawn, each) if each and each < len(drawn) else drawn)}
    for item in list(db.work_items):
        if item.job_id not in drawn:
            db.set_result(item.job_id, WorkResult(worker_outcome=WorkerOutcome.SKIPPED))


def measure(module, copy, seed, each):
    """`{outcome: [(line, operator, diff), …]}` of a module's mutants."""
    settings, session = copy / "mutation.toml", str(copy / "mutation.sqlite")
    tests = tests_of(module, copy)
    command = f"python -m pytest --exitfirst --quiet -p no:cacheprovider {' '.join(tests)}" if tests else "true"
    settings.write_text(
        f'[cosmic-ray]\nmodule-path = "{module.relative_to(ROOT)}"\ntimeout = 120.0\nexcluded-modules = []\n'
        f'test-command = "{command}"\n'
        '[cosmic-ray.distributor]\nname = "local"\n'
    )
    Path(session).unlink(missing_ok=True)
    tool = [str(Path(sys.executable).with_name("cosmic-ray"))]
    # Without bytecode, because Python would take that of another mutant of the same size and second.
    there = dict(cwd=copy, check=True, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}, stdout=subprocess.DEVNULL)
    subprocess.run(command, shell=True, **there | {"stdout": sys.stderr})  # without a change, all have to pass
    subprocess.run([*tool, "init", settings.name, session], **there)
    with use_db(session, WorkDB.Mode.open) as db:
        draw(db, module.read_text(encoding="utf-8").splitlines(), seed, each)
    subprocess.run([*tool, "exec", settings.name, session], **there)
    found = defaultdict(list)
    with use_db(session, WorkDB.Mode.open) as db:
        items = {item.job_id: item.mutations[0] for item in db.work_items}
        for job, result in db.results:
            if result.worker_outcome != WorkerOutcome.SKIPPED:
                mutation, lines = items[job], (result.diff or "").splitlines()
                changed = [line for line in lines if re.match(r"[-+](?![-+])", line)]
                killed = result.test_outcome != TestOutcome.SURVIVED
                found["killed" if killed else "survived"].append((mutation.start_pos[0], changed))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", type=Path, default=MODULES)
    parser.add_argument("--seed", type=int, default=0, help="of the draw among the changes of one place")
    parser.add_argument("--each", type=int, default=0, help="the most mutants of a module, 0 for all")
    args = parser.parse_args()
    total = Counter()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy")
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
        for name in filter(lambda name: (ROOT / name).is_file(), names):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
        for module in [path.resolve() for path in args.modules]:
            found = measure(module, copy, args.seed, args.each)
            counts = {outcome: len(found[outcome]) for outcome in ("killed", "survived")}
            total.update(counts)
            print(f"{module.relative_to(ROOT)}: {counts['killed']} of {sum(counts.values())} killed", flush=True)
            for line, changed in sorted(found["survived"]):
                print(f"  line {line}", *changed, sep="\n    ", flush=True)
    print(f"total: {total['killed']} of {sum(total.values())} killed, seed {args.seed}")


if __name__ == "__main__":
    main()
