"""Restore a published record to the run's folder, with Snakemake's metadata, so that only what has changed reruns.

python scripts/restore.py results/published/smollm2-135m-words

With --extend, base model and problems are made first, so that of all policies only those are made again that a longer
run needs.
"""

import argparse
import os
import shutil
import subprocess
import time
from pathlib import Path

from record.checksums import damage
from record.earlier import format_of
from record.jobs import write_notes
from record.layout import FORMAT, JOBS, OWN, unpack
from stage.files import read_json, replacing
from stage.screen import run, say

# The rules whose outputs further policies need, and which no record holds.
INPUTS = ("download_model", "format_task")


def make_inputs(record, results, notes):
    """Let Snakemake make base model and problems: before what is restored, which else would be made again too."""
    wanted = sorted(output for output, note in notes.items() if note["rule"] in INPUTS)
    made = subprocess.run(["snakemake", "--cores", "1", "--configfile", record / "config.json", "--", *wanted])
    if made.returncode:
        shutil.rmtree(results, ignore_errors=True)
        raise SystemExit("error: base model or problems could not be made, see above: mend that, then repeat this")


def main(args):
    record, name = args.record, args.record.name
    results = args.results / name
    if results.exists() or results.is_symlink():
        raise SystemExit(f"error: {results} exists and may hold finished work: move it away, then run this again")
    if problems := damage(record):
        raise SystemExit(f"error: {problems[0]}: get the record again with git checkout {record}")
    provenance = read_json(record / "provenance.json")
    if format_of(record) != FORMAT:
        raise SystemExit(
            f"error: {record} has format {format_of(record)} and this code reads {FORMAT}: restore it with the code "
            f"that made it, in a clone after git checkout {provenance['commit']}"
        )
    notes = read_json(record / JOBS)
    if provenance["run"] != name or not all(output.startswith(f"results/{name}/") for output in notes):
        raise SystemExit(f"error: {record} is not the record of a run {name}: give the folder its own name back")
    if args.extend:
        make_inputs(record, results, notes)
    # Metadata first: Snakemake would trust outputs without metadata if this were interrupted.
    write_notes(notes)
    with replacing(results) as folder:
        if args.extend:
            results.rename(folder)
        for path in sorted(path for path in record.rglob("*") if path.is_file()):
            if path.relative_to(record).parts[0] not in OWN:
                unpack(path, folder / path.relative_to(record))
        now = time.time()  # of all files, so that none looks newer than what was made of it
        for path in filter(Path.is_file, folder.rglob("*")):
            os.utime(path, (now, now))
    say(
        f"restored {results}, made by the code of commit {provenance['commit']}: with that, Snakemake has nothing to "
        f"do for {provenance['commands'][-1]}. Models and adapters are not part of a record and are made when a stage "
        "needs them"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path, help="directory results/published/<run>")
    parser.add_argument("--extend", action="store_true", help="also make what further policies of the run need")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the runs")
    run(main, parser)
