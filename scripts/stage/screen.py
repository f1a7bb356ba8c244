"""What a stage shows on the screen: its progress, and one line if it fails. Everything else goes to the log.

Standard output is the screen, standard error the log: rules end with `2> {log}`. Libraries write to both, so standard
output is redirected to the log before they are imported, and only this module can still write to the screen.
"""

import os
import sys
import time
import traceback
from functools import partial

from stage.energy import Meter
from stage.forecast import duration, forecast
from stage.lifeline import end_with_snakemake

screen = sys.stdout

# What the libraries' messages hold, whatever their exceptions are called, and what to do about it.
AGAIN = "then give the same command again"
CURES = {
    "no space left on device": f"the disk is full: free some space, {AGAIN}",
    "disk quota exceeded": f"your quota of disk space is used up: free some space, {AGAIN}",
    "read-only file system": f"this folder cannot be written to: make it writable, or run in another one, {AGAIN}",
    "permission denied": f"you may not write or read this: change its owner or mode, {AGAIN}",
    "cuda out of memory": f"the GPU's memory is full: end other programs on it, or lower the batch size, {AGAIN}",
    "can't allocate memory": f"the memory is full: end other programs, or lower the batch size, {AGAIN}",
}


def run(main, parser):
    """Parse the command line and call `main(args)`; every exception ends as one line `error: …` and exit code 1.

    `@file` stands for an argument that is too long for a command line: the one line in that file.
    """
    global screen
    parser.fromfile_prefix_chars = "@"
    apart = os.fstat(1) != os.fstat(2)
    parser.error = partial(refuse, parser, apart)
    args = parser.parse_args()
    screen = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace", buffering=1)
    os.dup2(2, 1)
    end_with_snakemake()
    meter = Meter()
    try:
        main(args)
    except SystemExit as error:
        if not isinstance(error.code, str):
            raise
        line = error.code
    except KeyboardInterrupt:
        line = "error: interrupted: run the same command again"
    except Exception as error:
        traceback.print_exc()
        line = f"error: {type(error).__name__}: {reason(error)}"
    else:
        joules = meter.look()
        if apart:  # for the log
            print("energy:", "not measured" if joules is None else f"{joules:.1f} J", file=sys.stderr, flush=True)
        return
    print(f"\n{line}", file=sys.stderr, flush=True)  # a progress bar may stand in the last line
    if apart:
        say(line)
    sys.exit(1)


def refuse(parser, apart, message):
    """End on a command line that argparse does not take, as on any other error; `message` is argparse's."""
    line = f"error: {parser.prog}: {message}: --help lists its options"
    print(f"{parser.format_usage()}{line}", file=sys.stderr, flush=True)
    if apart:
        say(line)
    sys.exit(2)


def reason(error):
    """The message of an exception on one line, with its cure if it is known."""
    message = " ".join(str(error).split())[:300] or "no reason given"
    cures = [cure for words, cure in CURES.items() if words in message.lower()]
    return f"{message}: {cures[0] if cures else 'see the log for the traceback'}"


def say(line):
    """Print a line on the screen."""
    print(line, file=screen, flush=True)


# Seconds: of a run that ends sooner, no forecast is shown.
SOON = 60


class Progress:
    """Progress towards `total`: a bar on a terminal, elsewhere a line every tenth, at most every five seconds.

    After two `rounds` (steps, or batches of so many) it says once what the rest of the run will take. The first of them
    does not count, because it also loads and compiles. `job` is the name of the stage's log.
    """

    def __init__(self, label, total, unit, done=0, job=None, rounds=1):
        self.label, self.total, self.unit, self.job, self.rounds = label, total, unit, job, rounds
        self.done, self.before, self.start, self.shown, self.bar = done, done, time.monotonic(), time.monotonic(), None
        if screen.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=total, initial=done, unit=f" {unit}", desc=label, file=screen, leave=False)

    def update(self, n=1):
        """Count `n` more."""
        tenth, self.done = 10 * self.done // self.total, self.done + n
        if self.job and self.done - self.before == self.rounds:
            self.first = time.monotonic()
        if self.job and self.done - self.before == 2 * self.rounds:
            now = time.monotonic()
            each = (now - self.first) / self.rounds
            left = each * (self.total - self.done)
            self.say_forecast(left, each * self.before + now - self.start + left)
        if self.bar is not None:
            self.bar.update(n)
            if self.done >= self.total:
                self.bar.close()
            return
        now = time.monotonic()
        if 10 * self.done // self.total > tenth and now - self.shown >= 5:
            self.shown, elapsed = now, now - self.start
            left = f"about {duration(elapsed / (self.done - self.before) * (self.total - self.done))} left"
            say(
                f"  {self.label}: {self.done} of {self.total} {self.unit}, "
                + (left if self.done < self.total else f"in {duration(elapsed)}")
            )

    def say_forecast(self, left, whole):
        """Say what the run will take, if this job takes `left` seconds more and `whole` in all."""
        total, line = forecast(self.job, left, whole) or (0, "")
        if total >= SOON:
            self.bar.write(f"  {line}", file=screen) if self.bar is not None else say(f"  {line}")


def progress(items, label, total, unit, done=0, **forecast):
    """Yield the items one by one and show the progress; the first `done` were made by an earlier call."""
    shown = Progress(label, total, unit, done, **forecast)
    for n, item in enumerate(items, 1):
        yield item
        if n > done:
            shown.update()
