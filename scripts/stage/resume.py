"""What a killed stage leaves behind, so that the same command resumes where it stopped."""

import hashlib
import json
import os
from itertools import islice

from stage.files import sha256


def fingerprint(settings, files):
    """A digest of settings, any JSON value, and of the contents of files: what is left behind is named by it."""
    content = [settings, {str(path): sha256(path) for path in sorted(map(str, files))}]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def line_of(batch):
    """A batch as one line: its digest, which shows a line that was cut off or edited, and its items."""
    text = json.dumps(batch, ensure_ascii=False)
    return f"{hashlib.sha256(text.encode()).hexdigest()} {text}\n".encode()


def left_behind(path):
    """The batches in a file that `resumed` writes, up to the first damaged one."""
    batches = []
    if path.exists():
        for line in path.read_bytes().splitlines(keepends=True):
            try:
                batch = json.loads(line.partition(b" ")[2])
            except ValueError:
                break
            if line_of(batch) != line:
                break
            batches.append(batch)
    return batches


def resumed(path, make, starts, size):
    """Yield the items of all batches: those in a file first, then new ones, which are appended to it.

    `starts` are the positions at which the batches start, of `size` items but for the last. `make(starts)` yields the
    items of the batches that start there. Items are JSON values.
    """
    batches = left_behind(path)
    for batch in batches:
        yield from batch
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as file:
        file.truncate(sum(len(line_of(batch)) for batch in batches))
        if starts[len(batches) :]:
            items = iter(make(starts[len(batches) :]))
            while batch := list(islice(items, size)):
                file.write(line_of(batch))
                file.flush()
                os.fsync(file.fileno())
                yield from batch
