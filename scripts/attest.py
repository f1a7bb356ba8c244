"""Write a signed statement that this machine's run did, or did not, reproduce a published record.

    python scripts/attest.py results/published/smollm2-135m-words --key ~/.ssh/id_ed25519

It goes to attestations/<run>/, and names the record, the verdict on every score, the machine and its packages.
`scripts/update_readme.py` counts it in README, if that shows the record. Send all as a pull request: `verify` reads it.
"""

import argparse
import hashlib
import json
from collections import Counter, defaultdict
from pathlib import Path

from record.attestations import faults, key_of, statement
from record.checksums import damage
from record.fresh import judge_fresh, stated
from record.provenance import machine
from record.signature import ssh_keygen
from stage.files import read_json, remove, sha256, write_json
from stage.screen import run, say


def require_made(results, policy, tasks):
    """Stop unless this folder of a run has the weights that it says it evaluated, and not only their evaluations."""
    model, adapter = results / "models" / policy, results / "adapters" / policy
    weights = {path.name: sha256(path) for path in model.glob("*.safetensors")}
    made = weights or stated(results / "merge" / f"{policy}.json").get("weights")  # the model may be deleted after use
    evaluated = [read_json(results / "eval" / task / policy / "metrics.json")["weights"] for task in tasks]
    source = model if policy == "base" else adapter
    if not any(source.glob("*.safetensors")) or any(of != made for of in evaluated):
        raise SystemExit(
            f"error: {policy} was not made here ({source} lacks what was evaluated): attest where the run was made"
        )


def main(args):
    results = args.results / args.record.name
    if problems := damage(args.record):
        raise SystemExit(f"error: {problems[0]}: get the record again with git checkout {args.record}")
    verdicts = list(judge_fresh(args.record, results))
    value = statement(args.record, verdicts, machine())
    if wrong := faults(args.record, value):
        raise SystemExit(f"error: {results} is not the whole run: {wrong[0]}: make it with the record's command first")
    tasks = defaultdict(set)
    for address in value["verdicts"]:
        _, task, policy, _ = address.split("/")
        tasks[policy].add(task)
    for policy in sorted(policy for policy in tasks if "-step" not in policy):  # checkpoints' models are not kept
        require_made(results, policy, sorted(tasks[policy]))
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
        raise SystemExit(
            f"error: {args.key} did not sign the statement ({reason}): give a private SSH key as --key, or the public "
            "one of a key that ssh-agent holds"
        )
    counts = Counter(value["verdicts"].values())
    found = ", ".join(f"{count} scores {verdict}" for verdict, count in sorted(counts.items()))
    say(f"{path}: {found}, signed with key {key_of(path)}")
    say(f"if README shows this record, python scripts/update_readme.py {args.record} counts it there")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path, help="directory results/published/<run>")
    parser.add_argument(
        "--key",
        required=True,
        type=Path,
        help="as for ssh-keygen -Y sign -f: a private SSH key, or the public one of a key that ssh-agent holds",
    )
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the runs")
    parser.add_argument("--attestations", type=Path, default=Path("attestations"), help="folder to write to")
    run(main, parser)
