"""Read random texts with all extractors: none may raise, none may be slow, and the reward must be the metric.

    python bench/fuzz_extractors.py --texts 200000 --seed 0

Texts are made of pieces that completions have and of pieces that parsers fear. Times are this machine's, and are shown
so that a text that is slow, but not refused, is seen here before it is met in an evaluation.
"""

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from answers import number as a_number
from reasoning import worker
from reasoning.answer import extract, unparsed
from reasoning.number import number
from reasoning.rewards import rewards_of

PATTERNS = ["<answer>([^<]*)</answer>", r"####\s*([^\n]*)"]
PROSE = r"""
<answer> </answer> <think> </think> #### \boxed{ \[ \] $ $$ \( \) 18 1,234 -5 +7 0.5 .5 007 1\,234 9999 99999999 x y
apples dollars the answer is so final * / = + - ( ) [ ] { } , . ! % ** # : | < > ^ _""".split()
PROSE += ["1\u2009234", "\u22125", "\u20135", "\u200b", "\n"]
LATEX = r"""
\frac{ \sqrt{ ^ ^{ _{ } } ( ) [ ] { | \lfloor \rceil \binom{ \choose \gcd( ! \sum_{i=1}^{ \int_0^ \log \sin( e \pi \pm
\cdot = < \le \approx , \in \cup \{ \} \text{ \left( \right) \mod \begin{pmatrix} \end{pmatrix} & \\ \overline{ 9 999
99999999 x n 3 i \% \lim_{x\to""".split()
ATOMS = ["9", "99", "18", "x", "n", "e", "\\pi", "-7", "0.5", "1,234", "999", "9999", "99999999", "9" * 60, "i"]
FORMS = r"""@^{@}|@^@|(@)^{@}|@!|\binom{@}{@}|{@ \choose @}|\gcd(@,@)|\text{lcm}(@,@)|[@,@]|(@,@]|(@,@)|\{@,@\}|@,@|@=@
@<@|x=@|x \in [@,@]|\frac{@}{@}|\sqrt{@}|\sqrt[3]{@}|\lfloor @ \rfloor|\lceil @ \rceil|\log_{@}{@}|\ln(@)|\sin(@)
\exp(@)|e^{@}|\max(@,@)|@ \mod @|@ \pmod @|\sum_{i=1}^{@} @|\prod_{i=1}^{@} @|\int_0^{@} @ dx|\lim_{x\to @} @|\infty
\begin{pmatrix}@&@\\@&@\end{pmatrix}|\begin{vmatrix}@&@\\@&@\end{vmatrix}|@ \pm @|@ \cup @|[@,@] \cup [@,@]|@ \cap @
@ \text{ cm}|@\%|@ \cdot @|@+@|@-@|@ @|(@)|f(@)|x_{@}|@ \text{ and } @|@ \times 10^{@}|(@)_{@}|\overline{@}
@ \setminus @|\left(@\right)|@ \div @|@/@|@^\circ|\boxed{@}|\arcsin(@)|\tan^{@} @|@ \ne @|@ \approx @|\det(@)
\begin{cases}@\\@\end{cases}|@ \text{ apples}|\text{@ apples}|\mathbf{@}|\$@|@\,@|+@
@ \le x \le @|\partial @|@'""".replace("\n", "|").split("|")


def formula(rng, depth):
    """A random formula, well formed."""
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(ATOMS)
    first, *rest = rng.choice(FORMS).split("@")
    return first + "".join(formula(rng, depth - 1) + piece for piece in rest)


def text(rng):
    """A random text: prose with tags and boxes, a formula in delimiters, or both."""

    def pieces(of, most):
        return rng.choice(["", " "]).join(rng.choice(of) for _ in range(rng.randint(1, most)))

    inner = formula(rng, rng.randint(0, 4)) if rng.random() < 0.8 else pieces(LATEX, 24)
    wrapped = rng.choice(["$%s$", "\\boxed{%s}", "$\\boxed{%s}$", "\\[%s\\]", "<answer>%s</answer>", "#### %s", "%s"])
    kind = rng.random()
    if kind < 0.4:
        return pieces(PROSE, 30)
    inner = wrapped.replace("%s", inner)
    return inner if kind < 0.8 else f"{pieces(PROSE, 10)} {inner} {pieces(PROSE, 10)}"


def main(args):
    worker.LIMIT = args.limit
    rng, found, slow, wrong = random.Random(args.seed), Counter(), [], []
    started = time.monotonic()
    for i in range(args.texts):
        words, pattern = text(rng), PATTERNS[i % 2]
        before = time.monotonic()
        try:
            read = extract(words, pattern)
        except TimeoutError:
            found["timed out"] += 1
            print(f"timed out: {words!r}", flush=True)
            continue
        except Exception as error:
            wrong.append((repr(error), words))
            continue
        slow = sorted([*slow, (time.monotonic() - before, words)], reverse=True)[: args.show]
        found["unparsed"] += unparsed(words, pattern)
        for name, value in read.items():
            found[name] += value is not None
            if value is not None and number(value) != value:
                wrong.append(("not canonical", words))
        gold = read["strict"] or "5"
        if rewards_of(a_number)["accuracy"](words, {"answer": gold}, {"answer": pattern}) != (read["strict"] == gold):
            wrong.append(("the reward is not the metric", words))
    seconds = time.monotonic() - started
    print(f"{args.texts} texts in {seconds:.0f} s: {dict(found)}, {len(wrong)} wrong")
    for line in [*wrong[: args.show], *((f"{second:.2f} s", words) for second, words in slow)]:
        print(*map(repr, line))
    return 1 if wrong or found["timed out"] else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=60, help="seconds a text may take")
    parser.add_argument("--show", type=int, default=5, help="how many of the slowest texts to print")
    sys.exit(main(parser.parse_args()))
