"""Source `reasoning_gym://<dataset>?seed=<n>&test=<n>[&train=<n>][&<option>=<value>…]`: problems of the package of that
name (github.com/open-thought/reasoning-gym, Apache-2.0), which needs no network; envs/gym.txt has it.

Options are the dataset's own, such as `max_terms=3`. Questions are distinct, the test split's come first. A record has
`question`, `answer`, `metadata` and `dataset`, and its own scorer gives its answer full marks.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qsl

from stage.files import write_jsonl

ADDRESS = re.compile(r"(?P<dataset>[a-z0-9_]+)\?(?P<query>[\w.=&-]+)")
WRITE = "reasoning_gym://<dataset>?seed=<n>&test=<n>, and &train=<n> and options of the dataset if you need them"
# What comes from a work under a licence that the package's own does not allow for.
LEFT_OUT = {"gsm_symbolic": "CC BY-NC-ND 4.0", "acre": "GPL 3.0"}
# The data sets whose scorers, as of version 0.1.25, only compare texts and numbers. Of the others some hand answers, or
# what a record says of its problems, to eval or sympy, which would run what a policy wrote; some fail on odd answers.
JUDGED = """
ab aiw arc_1d base_conversion basic_arithmetic bf binary_alternation caesar_cipher calendar_arithmetic chain_sum
circuit_logic color_cube_rotation count_bits count_primes course_schedule decimal_arithmetic decimal_chain_sum dice
emoji_mystery family_relationships figlet_font futoshiki gcd isomorphic_strings knights_knaves largest_island lcm
leg_counting letter_counting list_functions mahjong_puzzle maze mini_sudoku modulo_grid needle_haystack number_filtering
number_sequence palindrome_generation path_star products ransom_note rectangle_count rotate_matrix rotten_oranges
self_reference sentence_reordering simple_equations simple_geometry spell_backward string_manipulation string_splitting
string_synthesis sudoku syllogism tsumego word_ladder word_sequence_reversal word_sorting zebra_puzzles
""".split()
INSTALL = "pip install --no-deps --require-hashes --requirement envs/gym.txt"

# In a process with a fixed hash seed: some data sets iterate over sets of strings, and
# some draw from Python's shared generator. Of one seed, the n-th item is the
# same whatever the size is.
PROGRAM = """
import json, random, sys
import reasoning_gym
random.seed(0)
dataset, seed, wanted, options = json.loads(sys.argv[1])
found, items = {}, reasoning_gym.create_dataset(dataset, seed=seed, size=20 * wanted + 100, **options)
for item in items:
    item = json.loads(json.dumps(item))
    if item["question"] not in found:
        if items.score_answer(item["answer"], item) != 1:
            sys.exit(f"its scorer does not give its own answer {item['answer']!r} full marks")
        found[item["question"]] = {key: item[key] for key in ("question", "answer", "metadata")} | {"dataset": dataset}
    if len(found) == wanted:
        break
else:
    sys.exit(f"it has only {len(found)} different questions, and {wanted} are wanted")
print(json.dumps(list(found.values())))
"""


def require_judged(dataset):
    """Stop on a data set whose scorer may run the text that it judges, or that nobody has read."""
    if dataset not in JUDGED:
        raise SystemExit(
            f"error: reasoning_gym: there is no data set {dataset} whose scorer only compares texts and numbers: use "
            f"one of {', '.join(JUDGED)}"
        )


def parse(address):
    """`(dataset, {"seed", "train", "test"}, options)` of an address."""
    match = ADDRESS.fullmatch(address)
    values = dict(parse_qsl(match["query"], strict_parsing=True)) if match and "=" in match["query"] else {}
    counts = {key: values.pop(key, "0") for key in ("seed", "train", "test")}
    if not match or not all(map(str.isdecimal, counts.values())) or not int(counts["test"]):
        raise SystemExit(f"error: reasoning_gym://{address}: write {WRITE}")
    if match["dataset"] in LEFT_OUT:
        raise SystemExit(
            f"error: reasoning_gym://{address}: this data set is derived from a work under "
            f"{LEFT_OUT[match['dataset']]}, and is left out: use another"
        )
    require_judged(match["dataset"])
    options = {key: json.loads(value) if json_value(value) else value for key, value in values.items()}
    return match["dataset"], {key: int(value) for key, value in counts.items()}, options


def json_value(text):
    """Whether a text is a number, true or false rather than a word."""
    return re.fullmatch(r"-?\d+(\.\d+)?|true|false", text) is not None


def fetch(address, folder, kind):
    """Write `test.jsonl` and, if it is asked for, `train.jsonl` into `folder`."""
    dataset, counts, options = parse(address)
    given = json.dumps([dataset, counts["seed"], counts["train"] + counts["test"], options])
    process = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, given],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )
    if process.returncode:
        reason = (process.stderr.strip().splitlines() or ["it was killed"])[-1]
        advice = INSTALL if "No module named 'reasoning_gym'" in reason else f"write {WRITE}"
        raise SystemExit(f"error: reasoning_gym://{address}: {reason}: {advice}")
    problems = json.loads(process.stdout.splitlines()[-1])
    write_jsonl(Path(folder, "test.jsonl"), problems[: counts["test"]])
    if counts["train"]:
        write_jsonl(Path(folder, "train.jsonl"), problems[counts["test"] :])
