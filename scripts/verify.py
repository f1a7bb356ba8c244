"""Recompute every published number from the published completions, without a model, and compare a fresh run with them.

    snakemake --cores 1 verify

First the record: checksums are checked, and extractions, scores, intervals and comparisons are recomputed from the
completions. Then, if the same run was made here: is each score identical to the published one, inside its 95 %
interval, or outside? Exits with 1 on any mismatch.
"""

import argparse
from pathlib import Path

from record.checksums import damage
from record.earlier import format_of, verify_by_own_code
from record.fresh import judge_fresh
from record.layout import FORMAT, SCOPES
from record.recompute import numbers, recompute
from stage.files import read_json, write_json
from stage.screen import run, say


def verify(record):
    """`(wrong, words)`: a record's mismatches, one line each, and a phrase that says what was recomputed."""
    wrong, count = damage(record), 0
    try:  # a record that cannot be read is a mismatch too
        if format_of(record) != FORMAT:
            found, words = verify_by_own_code(record)
            return wrong + found, words
        for scope in SCOPES:
            wrong += recompute(record, scope)
            count += sum(1 for _ in numbers(read_json(record / scope / "results.json")["tasks"]))
    except (Exception, SystemExit) as error:
        wrong.append(f"{record} cannot be recomputed: {type(error).__name__}: {error}")
    return wrong, f"{count} numbers recomputed from the completions"


def main(args):
    wrong, judged = [], {}
    records = sorted(path for path in args.records.glob("*") if path.is_dir())
    if not records:
        raise SystemExit(f"error: {args.records} holds no record: clone the repository with its results/published")
    for record in records:
        found, words = verify(record)
        say(f"{record}: {words}, {len(found)} mismatches")
        wrong += found
        for scope in SCOPES:
            published, fresh = record / scope / "results.json", args.results / record.name / scope / "results.json"
            if fresh.exists() and not found:
                judged |= {row[0]: row for row in judge_fresh(read_json(published), read_json(fresh))}
    for line in wrong:
        say(f"mismatch: {line}")
    for address, published, fresh, verdict in judged.values():
        say(f"{address}: published {100 * published:.1f}, here {100 * fresh:.1f}: {verdict}")
    outside = [address for address, _, _, verdict in judged.values() if verdict not in ("identical", "within")]
    write_json(args.verified, {"wrong": wrong, "fresh": [list(row) for row in judged.values()]})
    if wrong or outside:
        raise SystemExit(f"error: {len(wrong) + len(outside)} mismatches with the published results, listed above")
    say("every published number was reproduced from its completions")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, default=Path("results/published"), help="folder of published records")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of fresh runs")
    parser.add_argument("--verified", type=Path, default=Path("results/verified.json"), help="JSON to write")
    run(main, parser)
