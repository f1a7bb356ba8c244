"""Put a published record back where a run makes it, with what Snakemake knows about it: then only what changed reruns.

python scripts/restore.py results/published/smollm2-135m-cpu
"""

import argparse
import gzip
import shutil
from pathlib import Path

from crate import output_of
from gsm8k.records import read_json, replacing
from publish import METADATA
from verify import damaged

# The record's own files and folders, which are no output of a rule.
OWN = {
    *("metadata", "training", "workflow"),
    *"config.json provenance.json record.html ro-crate-metadata.json SHA256SUMS README.md".split(),
}


def main(args):
    record, run = args.record, args.record.name
    results = args.results / run
    if results.exists() or results.is_symlink():
        raise SystemExit(f"error: {results} exists and may hold finished work: move it away, then restore")
    if problems := damaged(record):
        raise SystemExit(f"error: {problems[0]}: get the record again, with git checkout {record}")
    provenance, notes = read_json(record / "provenance.json"), record / "metadata"
    noted = {path: output_of(path, notes) for path in notes.rglob("*") if path.is_file()}
    if provenance["run"] != run or not all(output.startswith(f"results/{run}/") for output in noted.values()):
        raise SystemExit(f"error: {record} is not the record of a run {run}: give the folder its own name back")
    # Snakemake's notes come first: outputs without them would be trusted unseen, should this be interrupted.
    for path in noted:
        copy(path, METADATA / path.relative_to(notes))
    with replacing(results) as folder:
        for path in sorted(path for path in record.rglob("*") if path.is_file()):
            name = path.relative_to(record)
            if name.parts[0] not in OWN:
                copy(path, folder / name)
    print(
        f"restored {results}, made by the code of commit {provenance['commit']}: with that, Snakemake has nothing to "
        "do. Models and adapters are not part of a record and are made when a stage needs them"
    )


def copy(source, target):
    """Copy a file of a record, unpacked, with its folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".gz":
        target.with_suffix("").write_bytes(gzip.decompress(source.read_bytes()))
    else:
        shutil.copyfile(source, target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path, help="directory results/published/<run>")
    parser.add_argument("--results", type=Path, default=Path("results"), help="where runs stand")
    main(parser.parse_args())
