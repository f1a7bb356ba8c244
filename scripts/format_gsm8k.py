"""Turn GSM8K records into prompts and gold answers, and carve a dev split from the training records."""

import argparse
import json
import random
import re
from pathlib import Path

from gsm8k.number import number
from gsm8k.prompt import messages
from gsm8k.records import gold, read_gsm8k, write_jsonl

STEP = re.compile(r"<<[^<>=]*=([^<>]*)>>")  # GSM8K's calculator annotations: <<3*4=12>>


def family(record):
    """What the scores are sliced by: the template's name, or for real GSM8K the number of annotated steps."""
    return record.get("family") or f"{len(STEP.findall(record['answer']))} steps"


def format_record(record, split, index, prompt):
    """One problem: `{id, prompt, answer, steps, family}`: chat messages, gold answer, intermediate results."""
    return {
        "id": f"{split}-{index}",
        "prompt": messages(record["question"], prompt),
        "answer": gold(record),
        "steps": [number(result) for result in STEP.findall(record["answer"]) if number(result) is not None],
        "family": family(record),
    }


def split_dev(train, test, dev, seed):
    """(train, dev): `dev` records drawn at random; a question that also stands in test is dropped, not leaked."""
    held_out = {record["question"] for record in test}
    train = [record for record in train if record["question"] not in held_out]
    if dev >= len(train):
        raise SystemExit(f"error: a dev split of {dev} leaves none of the {len(train)} training records to train on")
    drawn = set(random.Random(seed).sample(range(len(train)), dev))
    return [r for i, r in enumerate(train) if i not in drawn], [r for i, r in enumerate(train) if i in drawn]


def main(args):
    prompt, task = json.loads(args.prompt), json.loads(args.task)
    test = read_gsm8k(args.raw_test)
    train, dev = split_dev(read_gsm8k(args.raw_train), test, task["dev"], seed=0)
    for split, records, path in (("train", train, args.train), ("dev", dev, args.dev), ("test", test, args.test)):
        records = records[: task["limit"].get(split)]
        write_jsonl(path, [format_record(r, split, i, prompt) for i, r in enumerate(records)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompt", required=True, help="the config section `prompt`, as JSON")
    parser.add_argument("--task", required=True, help="the config section `tasks.<task>`, as JSON")
    parser.add_argument("--raw-train", required=True, type=Path, help="GSM8K records")
    parser.add_argument("--raw-test", required=True, type=Path, help="GSM8K records")
    for split in ("train", "dev", "test"):
        parser.add_argument(f"--{split}", required=True, type=Path, help="JSONL to write")
    main(parser.parse_args())
