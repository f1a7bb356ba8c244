"""math-verify in a process of its own: started once, and killed if it does not come back."""

import atexit
import logging
import multiprocessing
import signal
import warnings
from functools import cache

# Seconds. Far above what any text took that reasoning/growth.py lets through; reached, it is an error and not a score.
LIMIT = 600


def prepare():
    """Once in the process: leave Ctrl-C to the parent, and the notes of math-verify and sympy out of the log."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("math_verify").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")


def read(text):
    """What math-verify finds in a text, as the texts of its value and of the passage; [] if it finds nothing."""
    from math_verify import parse  # imports sympy, which takes half a second

    try:
        return [str(found) for found in parse(text, parsing_timeout=None)]
    except Exception:  # a value that sympy cannot print
        return []


def verified(pair):
    """Whether math-verify holds the second of two LaTeX expressions for the first, the gold answer."""
    from math_verify import parse, verify

    try:
        gold, value = (parse(f"${text}$", parsing_timeout=None) for text in pair)
        return bool(gold and value and verify(gold, value, timeout_seconds=None))
    except Exception:  # a value that sympy cannot compare
        return False


@cache
def pool():
    """The process. Spawned, because a copy of one that holds torch and its threads may hang."""
    started = multiprocessing.get_context("spawn").Pool(1, prepare)
    atexit.register(started.terminate)
    return started


def math_verify(text):
    """`read(text)` in the process; TimeoutError as of `call`."""
    return call(read, text)


def same(gold, value):
    """`verified` of two expressions in the process; TimeoutError as of `call`."""
    return call(verified, (gold, value))


def call(function, argument):
    """A function's value in the process; TimeoutError after `LIMIT` seconds, and the next call starts another one."""
    try:
        return pool().apply_async(function, (argument,)).get(LIMIT)
    except multiprocessing.TimeoutError:
        pool().terminate()
        pool.cache_clear()
        raise TimeoutError(f"math-verify was not done in {LIMIT} s") from None
