"""Turn a task's raw problems into prompts and gold answers, and set a dev split aside from the training problems."""

import argparse
import json
from pathlib import Path

from reasoning.formatting import formatted
from stage.checksums import require_intact, write_sums
from stage.files import write_jsonl
from stage.screen import run
from tasks import load


def main(args):
    raw = {"train": args.raw_train, "test": args.raw_test}
    for path in raw.values():
        require_intact(path, "download_data")
    task = json.loads(args.task_config)
    for split, problems in formatted(raw, json.loads(args.prompt_config), task, load(task)).items():
        write_jsonl(getattr(args, split), problems)
    write_sums(args.sums, {path.name: path for path in (args.train, args.dev, args.test)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompt-config", required=True, help="the config section `prompt`, as JSON")
    parser.add_argument("--task-config", required=True, help="the config section `tasks.<task>`, as JSON")
    parser.add_argument("--raw-train", required=True, type=Path, help="raw problems, JSONL")
    parser.add_argument("--raw-test", required=True, type=Path, help="raw problems, JSONL")
    for split in ("train", "dev", "test"):
        parser.add_argument(f"--{split}", required=True, type=Path, help="JSONL to write")
    parser.add_argument("--sums", required=True, type=Path, help="checksums to write")
    run(main, parser)
