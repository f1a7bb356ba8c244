"""A sweep in one table and one figure: every setting's score on dev, and the chosen one's on the test split."""

import argparse
from pathlib import Path

from reasoning.comparison import compare_over_seeds
from reasoning.protocol import require_equal
from reporting.sweep import csv_text, plain_text, rows
from stage.files import read_json, read_jsonl, replacing, write_text
from stage.screen import run


def main(args):
    from reporting.figures import pdf, settings

    choice = read_json(args.choice)
    base, *others = [read_json(path) for path in args.metrics]
    for metrics in others:
        require_equal(base, metrics)
    of_base, *of_seeds = [read_jsonl(path) for path in args.samples]
    score = compare_over_seeds([of_base], of_seeds)[choice["headline"]]
    found = rows(choice, base["protocol"]["split"], score)
    write_text(args.table, csv_text(found))
    write_text(args.text, plain_text(found, choice["headline"]))
    with replacing(args.figure) as partial:
        partial.write_bytes(pdf(settings(found, choice["headline"])))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--choice", required=True, type=Path, help="choice.json of choose_setting")
    parser.add_argument("--metrics", required=True, type=Path, nargs="+", help="of the base model, then of each policy")
    parser.add_argument("--samples", required=True, type=Path, nargs="+", help="in the same order")
    parser.add_argument("--table", required=True, type=Path, help="CSV to write")
    parser.add_argument("--text", required=True, type=Path, help="plain table to write")
    parser.add_argument("--figure", required=True, type=Path, help="PDF to write")
    run(main, parser)
