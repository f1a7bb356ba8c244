"""Download a task's splits and check them: GSM8K records as JSONL, one canonical form whatever the source's."""

import argparse
import json
import tempfile
from pathlib import Path

from gsm8k.records import read_gsm8k, read_jsonl, require_space, sha256, write_jsonl
from sources import fetch


def read_parquet(path):
    """The rows of a parquet file as dicts."""
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path).to_pylist()


READERS = {".jsonl": read_jsonl, ".parquet": read_parquet}


def read_split(folder, split):
    """The records of the one file in the folder that is called after the split."""
    files = [p for p in sorted(folder.rglob(f"{split}*")) if p.suffix in READERS]
    if len(files) != 1:
        found = ", ".join(p.name for p in files) or "none"
        raise SystemExit(f"error: the source should hold one {split}*.jsonl or {split}*.parquet, and holds {found}")
    return READERS[files[0].suffix](files[0])


def check(path, split, settings):
    """Stop unless the canonical file has the pinned content and size, and every record can be used."""
    records = read_gsm8k(path)
    expected, digest = settings["sha256"].get(split), sha256(path)
    if expected and digest != expected:
        raise SystemExit(
            f"error: the {split} split has sha256 {digest}, and {expected} is pinned: "
            "the download is corrupt, or the source is another edition of the data"
        )
    if len(records) != settings["size"][split]:
        raise SystemExit(
            f"error: the {split} split has {len(records)} records and should have {settings['size'][split]}"
        )


def main(args):
    settings = json.loads(args.settings)
    require_space(args.train, 10**8)
    outputs = {"train": args.train, "test": args.test}
    with tempfile.TemporaryDirectory(dir=args.train.parent) as scratch:
        fetch(settings["source"], scratch, "dataset")
        for split in outputs:
            fresh = Path(scratch, "checked", f"{split}.jsonl")
            write_jsonl(fresh, read_split(Path(scratch), split))
            check(fresh, split, settings)
        for split, path in outputs.items():
            Path(scratch, "checked", f"{split}.jsonl").replace(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="the config section `tasks.<task>`, as JSON")
    parser.add_argument("--train", required=True, type=Path, help="JSONL to write")
    parser.add_argument("--test", required=True, type=Path, help="JSONL to write")
    main(parser.parse_args())
