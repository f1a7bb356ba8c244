"""What a person sees of a stage: its progress, and one line if it fails. All else goes to the log.

Standard output is the screen, standard error the log: a rule ends with `2> {log}`. Libraries write to both, so standard
output is turned into the log before they are imported, and only this module keeps the way to the screen.
"""

import os
import sys
import time
import traceback

from stage.lifeline import end_with_snakemake

screen = sys.stdout


def run(main, parser):
    """Parse the command line and call `main(args)`; every exception ends as one line `error: …` and exit code 1.

    `@file` stands for an argument that is too long for a command line: the one line in that file.
    """
    global screen
    parser.fromfile_prefix_chars = "@"
    args = parser.parse_args()
    apart = os.fstat(1) != os.fstat(2)
    screen = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace", buffering=1)
    os.dup2(2, 1)
    end_with_snakemake()
    try:
        main(args)
    except SystemExit as error:
        if not isinstance(error.code, str):
            raise
        line = error.code
    except KeyboardInterrupt:
        line = "error: interrupted: give the same command again"
    except Exception as error:
        traceback.print_exc()
        reason = " ".join(str(error).split())[:300] or "no reason given"
        line = f"error: {type(error).__name__}: {reason}: the log has the whole story"
    else:
        return
    print(line, file=sys.stderr, flush=True)
    if apart:
        say(line)
    sys.exit(1)


def say(line):
    """Print a line on the screen."""
    print(line, file=screen, flush=True)


class Progress:
    """How many of `total` are done: a bar on a terminal; elsewhere a line every tenth, and not every second."""

    def __init__(self, label, total, unit, done=0):
        self.label, self.total, self.unit = label, total, unit
        self.done, self.before, self.start, self.shown, self.bar = done, done, time.monotonic(), time.monotonic(), None
        if screen.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=total, initial=done, unit=unit, desc=label, file=screen, leave=False)

    def update(self, n=1):
        """Count `n` more."""
        tenth, self.done = 10 * self.done // self.total, self.done + n
        if self.bar is not None:
            self.bar.update(n)
            if self.done >= self.total:
                self.bar.close()
            return
        now = time.monotonic()
        if 10 * self.done // self.total > tenth and now - self.shown >= 5:
            self.shown, left = now, (now - self.start) / (self.done - self.before) * (self.total - self.done)
            say(f"  {self.label}: {self.done} of {self.total} {self.unit}s, about {duration(left)} left")


def duration(seconds):
    """A time for people: 95 -> "1 min 35 s"."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def progress(items, label, total, unit):
    """Pass the items on, one by one, and show how far they are."""
    shown = Progress(label, total, unit)
    for item in items:
        yield item
        shown.update()
