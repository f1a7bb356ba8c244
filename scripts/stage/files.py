"""Files in a canonical form (UTF-8, sorted keys, no times, no paths) that are never half-written.

Canonical, so that equal content has an equal sha256. Written next to the target and moved there when complete, so that
an interrupted job leaves the old file or none.
"""

import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path):
    """A temporary path to write to: it replaces `path` when the block ends, and is removed if the block raises."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    remove(partial)
    try:
        yield partial
    except BaseException:
        remove(partial)
        raise
    remove(path)
    os.replace(partial, path)


def remove(path):
    """Delete a file, a link or a directory tree, if it is there; what a link points to stays."""
    path = Path(path)
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def require_space(path, needed):
    """Stop if the disk that `path` is on has fewer than `needed` bytes free."""
    path = Path(path).absolute()
    folder = next(p for p in [path, *path.parents] if p.exists())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SystemExit(
            f"error: {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free on the disk of {folder}: "
            "free some space, or run on a larger disk"
        )


def link_or_copy(source, target):
    """Hard-link a file to save disk space, or copy it if the file system cannot link."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def sha256(path):
    """The hex digest of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_size(folder):
    """The number of bytes in the files of a directory."""
    return sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())


def read_text(path):
    """The text of a UTF-8 file, whatever the locale."""
    return Path(path).read_text(encoding="utf-8")


def write_text(path, text):
    """Write a UTF-8 text file."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def read_json(path):
    """The value of a JSON file."""
    return json.loads(read_text(path))


def write_json(path, value):
    """Write a JSON value, indented and with sorted keys."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_jsonl(path):
    """The objects in a JSONL file; raises SystemExit that names the first invalid line, or if there are none."""
    objects = []
    with open(path, encoding="utf-8") as file:
        for n, line in enumerate(file, 1):
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                raise SystemExit(f"error: {path}, line {n} is not JSON ({error.msg}): is the file truncated?") from None
            if not isinstance(value, dict):
                raise SystemExit(f"error: {path}, line {n} is not a JSON object")
            objects.append(value)
    if not objects:
        raise SystemExit(f"error: {path} is empty: is the split empty, or the download truncated?")
    return objects


def write_jsonl(path, objects):
    """Write one JSON object per line, with sorted keys."""
    write_text(path, "".join(json.dumps(o, sort_keys=True, ensure_ascii=False) + "\n" for o in objects))
