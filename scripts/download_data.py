"""Download a task's splits, convert them to canonical JSONL whatever the source's format, and check them."""

import argparse
import json
import tempfile
from functools import partial
from pathlib import Path

from reasoning.splits import fetch_splits
from stage.checksums import write_sums
from stage.files import require_space
from stage.screen import run
from tasks import load, read_problems


def main(args):
    require_space(args.train, 10**8)
    task = json.loads(args.task_config)
    check = partial(read_problems, load(task))
    with tempfile.TemporaryDirectory(dir=args.train.parent) as scratch:
        for split, path in fetch_splits(task, scratch, check).items():
            path.replace(getattr(args, split))
    write_sums(args.sums, {path.name: path for path in (args.train, args.test)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task-config", required=True, help="the config section `tasks.<task>`, as JSON")
    parser.add_argument("--train", required=True, type=Path, help="JSONL to write")
    parser.add_argument("--test", required=True, type=Path, help="JSONL to write")
    parser.add_argument("--sums", required=True, type=Path, help="checksums to write")
    run(main, parser)
