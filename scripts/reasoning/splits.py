"""A task's splits: fetched from their source, converted to a canonical form, and checked against the config's pins."""

from pathlib import Path

from sources import fetch
from stage.files import read_jsonl, sha256, write_jsonl

SPLITS = ("train", "test")


def read_parquet(path):
    """The rows of a parquet file as dicts."""
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path).to_pylist()


READERS = {".jsonl": read_jsonl, ".parquet": read_parquet}


def read_split(folder, split):
    """The rows of the one file in the folder whose name begins with the split's name."""
    files = [p for p in sorted(folder.rglob(f"{split}*")) if p.suffix in READERS]
    if len(files) != 1:
        found = ", ".join(p.name for p in files) or "none"
        raise SystemExit(f"error: the source should have one {split}*.jsonl or {split}*.parquet, and has {found}")
    return READERS[files[0].suffix](files[0])


def require_pinned(path, split, task, check):
    """Stop unless the canonical file has the pinned content and size; `check(path, rows)` stops on an invalid row."""
    problems, size = read_jsonl(path), task["size"][split]
    check(path, problems)
    expected, digest = task["sha256"].get(split), sha256(path)
    if expected and digest != expected:
        raise SystemExit(
            f"error: the {split} split has sha256 {digest}, and {expected} is pinned: "
            "the download is corrupt, or the source has another version of the data"
        )
    if len(problems) != size:
        raise SystemExit(f"error: the {split} split has {len(problems)} problems and should have {size}")


def fetch_splits(task, folder, check):
    """Write a task's splits, checked and in canonical JSONL, to `folder`; returns `{split: path}`."""
    fetch(task["source"], folder, "dataset")
    return checked_splits(task, folder, check)


def checked_splits(task, folder, check):
    """The splits of a task whose source's files are in `folder`, written into it: as from `fetch_splits`.

    The training split of a task for evaluation alone is empty, whatever its source holds.
    """
    checked = {split: Path(folder, "checked", f"{split}.jsonl") for split in SPLITS}
    for split, path in checked.items():
        wanted = split in task["size"]
        write_jsonl(path, read_split(Path(folder), split) if wanted else [])
        if wanted:
            require_pinned(path, split, task, check)
    return checked
