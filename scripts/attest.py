"""Write a signed statement that this machine's run did, or did not, reproduce a published record.

    python scripts/attest.py results/published/smollm2-135m-cpu --key ~/.ssh/id_ed25519

It goes to attestations/<run>/, to be sent as a pull request, and names the record, the verdict on every score, the
machine and its packages. `snakemake --cores 1 verify` reads it.
"""

import argparse
import hashlib
import json
from collections import Counter
from pathlib import Path

from record.attestations import key_of, statement
from record.checksums import damage
from record.fresh import judge_fresh
from record.provenance import machine
from record.signature import ssh_keygen
from stage.files import remove, write_json
from stage.screen import run, say


def main(args):
    results = args.results / args.record.name
    if problems := damage(args.record):
        raise SystemExit(f"error: {problems[0]}: get the record again with git checkout {args.record}")
    verdicts = list(judge_fresh(args.record, results))
    if not verdicts:
        raise SystemExit(f"error: {results} has no scores of this run: make it with the record's command first")
    for policy in sorted({score["address"].split("/")[2] for score in verdicts}):
        made = results / ("models" if policy == "base" else "adapters") / policy
        if not made.exists():
            raise SystemExit(f"error: {policy} was not made here ({made} is missing): attest where the run was made")
    value = statement(args.record, verdicts, machine())
    digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
    path = args.attestations / args.record.name / f"{digest[:16]}.json"
    write_json(path, value)
    remove(path.with_name(f"{path.name}.sig"))
    signed = ssh_keygen("sign", None, path, "-f", args.key)
    if signed is not None and signed.returncode == 0:
        path.with_name(f"{path.name}.sig").write_text(signed.stdout, encoding="utf-8")
    if key_of(path) is None:
        remove(path)
        reason = "there is no ssh-keygen here" if signed is None else " ".join(signed.stderr.split())
        raise SystemExit(f"error: {args.key} did not sign the statement ({reason}): give a private SSH key as --key")
    counts = Counter(value["verdicts"].values())
    found = ", ".join(f"{count} scores {verdict}" for verdict, count in sorted(counts.items()))
    say(f"{path}: {found}, signed with key {key_of(path)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path, help="directory results/published/<run>")
    parser.add_argument("--key", required=True, type=Path, help="the private SSH key to sign with")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the runs")
    parser.add_argument("--attestations", type=Path, default=Path("attestations"), help="folder to write to")
    run(main, parser)
