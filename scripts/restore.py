"""Put a published record back where a run makes it, with what Snakemake knows about it: then only what changed reruns.

python scripts/restore.py results/published/smollm2-135m-cpu
"""

import argparse
import gzip
import shutil
from pathlib import Path

from publish import METADATA
from verify import damaged

# The record's own files and folders, which are no output of a rule.
OWN = set(
    "training workflow config.json provenance.json record.html ro-crate-metadata.json SHA256SUMS README.md".split()
)


def main(args):
    results = args.results / args.record.name
    if results.exists():
        raise SystemExit(f"error: {results} exists and may hold finished work: move it away, then restore")
    if problems := damaged(args.record):
        raise SystemExit(f"error: {problems[0]}: get the record again, with git checkout {args.record}")
    for path in sorted(path for path in args.record.rglob("*") if path.is_file()):
        name = path.relative_to(args.record)
        if name.parts[0] in OWN:
            continue
        target = METADATA / name.relative_to("metadata") if name.parts[0] == "metadata" else results / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".gz":
            target.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        else:
            shutil.copyfile(path, target)
    print(f"restored {results}: models and adapters are not part of a record and are made when a stage needs them")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path, help="directory results/published/<run>")
    parser.add_argument("--results", type=Path, default=Path("results"), help="where runs stand")
    main(parser.parse_args())
