"""Reading and writing: GSM8K records, JSON and JSONL in one canonical form (sorted keys, no times, no paths).

Canonical, so that a file's sha256 is a statement about its content. Written beside the target and moved
there when complete, so that an interrupted job never leaves half a file.
"""

import hashlib
import json
import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

from gsm8k.number import number

GOLD = re.compile(r"####(.*)\Z", re.DOTALL)


@contextmanager
def replacing(path):
    """A path to write to: it becomes `path` when the block ends, and is removed if the block raises."""
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
    """Delete a file or a directory tree, if it is there."""
    path = Path(path)
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def require_space(folder, needed):
    """Stop before anything is written where `needed` bytes do not fit on the disk of `folder`."""
    folder = next(p for p in [Path(folder).absolute(), *Path(folder).absolute().parents] if p.exists())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SystemExit(
            f"error: {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free on the disk of {folder}: "
            "free some space, or run in a folder on a larger disk"
        )


def sha256(path):
    """The hex digest of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_size(folder):
    """The bytes that the files of a directory hold."""
    return sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())


def read_json(path):
    """A JSON file."""
    return json.loads(Path(path).read_text())


def write_json(path, value):
    """One JSON value, keys sorted, readable."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def write_jsonl(path, records):
    """One JSON object a line, keys sorted."""
    with replacing(path) as partial, open(partial, "w") as file:
        file.writelines(json.dumps(r, sort_keys=True, ensure_ascii=False) + "\n" for r in records)


def read_jsonl(path):
    """The objects of a JSONL file; a line that is not one is named in the error."""
    records = []
    with open(path, encoding="utf-8") as file:
        for n, line in enumerate(file, 1):
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise SystemExit(f"error: {path}, line {n} is not JSON ({error.msg}): is the file truncated?") from None
            if not isinstance(record, dict):
                raise SystemExit(f"error: {path}, line {n} is not a JSON object")
            records.append(record)
    if not records:
        raise SystemExit(f"error: {path} has no records: is the split empty or the download truncated?")
    return records


def read_gsm8k(path):
    """Records of a GSM8K-format file, checked: `question` and `answer` are texts and the answer ends in `#### N`."""
    records = read_jsonl(path)
    for n, record in enumerate(records, 1):
        for key in ("question", "answer"):
            if not isinstance(record.get(key), str) or not record[key].strip():
                raise SystemExit(f"error: {path}, record {n} has no text under {key!r}: GSM8K records need it")
        if (match := GOLD.search(record["answer"])) is None:
            raise SystemExit(f"error: {path}, record {n} has no '#### N' at the end of its answer")
        if number(match[1]) is None:
            raise SystemExit(f"error: {path}, record {n}: the answer {match[1].strip()!r} is not a number")
    return records


def gold(record):
    """The final answer of a checked GSM8K record, canonical."""
    return number(GOLD.search(record["answer"])[1])
