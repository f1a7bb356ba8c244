"""Signed statements that a fresh run on somebody's machine did, or did not, reproduce a record.

`attestations/<run>/<digest>.json` names the record by the digest of its checksums, has the verdicts of the run and the
machine, and is signed beside it (`.json.sig`, as record/signature.py reads it). All statements of a key count as one.
"""

import re
import shutil

from stage.files import read_json, sha256

from record.checksums import NAME
from record.signature import ssh_keygen

FORMAT = 1
REPRODUCED = {"identical", "within"}
PLAIN = re.compile(r"[\w ()@.,:+/-]{1,80}", re.ASCII)  # what a stranger's words may be that README shows


def addresses(record):
    """The addresses of all scores of a record, as `record.fresh.judge_fresh` yields them."""
    found = {path.relative_to(record).as_posix(): read_json(path) for path in record.glob("eval/*/*/metrics.json")}
    return {f"{path}:{name}" for path, metrics in found.items() for name in metrics["scores"]}


def required(record):
    """The addresses that a statement has at least: the claim's scores, of the base model and of the policy.

    They are those on the record's first task, which the shortest command that makes both policies has; other tasks of
    the record, such as other prompts, count where the run has them.
    """
    results = read_json(record / "results.json")
    folders = {(results["shown"]["tasks"][0], policy) for policy in ("base", results["policy"])}
    return {address for address in addresses(record) if tuple(address.split("/")[1:3]) in folders}


def statement(record, verdicts, machine):
    """The statement that a fresh run got these verdicts, as `record.fresh.judge_fresh` yields them."""
    return {
        "format": FORMAT,
        "run": record.name,
        "record": sha256(record / NAME),
        "verdicts": {score["address"]: score["verdict"] for score in verdicts},
        "machine": machine | {"cpu": "".join(PLAIN.findall(machine["cpu"]))[:80] or machine["system"]},
    }


def faults(record, value):
    """What keeps a statement about a record from being one, one line each; raises an error if it has another form."""
    verdicts, lines = value["verdicts"], []
    lines += [f"{record} has no score {address}" for address in sorted(verdicts.keys() - addresses(record))]
    lines += [f"there is no verdict on {address}" for address in sorted(required(record) - verdicts.keys())]
    lines += [f"the verdict on {key} is no text" for key, text in verdicts.items() if not isinstance(text, str)]
    return lines + ([] if PLAIN.fullmatch(value["machine"]["cpu"]) else ["machine.cpu is no short plain name"])


def key_of(path):
    """The fingerprint of the key that signed a statement; None without a valid signature, or without ssh-keygen."""
    signature = path.with_name(f"{path.name}.sig")
    valid = ssh_keygen("check-novalidate", signature, path) if signature.exists() else None
    return valid.stdout.strip().rpartition(" ")[2] if valid is not None and valid.returncode == 0 else None


def together(statements):
    """The statements of one key as one, in which a run that did not reproduce the record outweighs those that did."""
    verdicts = {pair for value in statements for pair in value["verdicts"].items()}
    return {
        "cpus": sorted({value["machine"]["cpu"] for value in statements}),
        "scores": len({address for address, _ in verdicts}),
        "reproduced": {verdict for _, verdict in verdicts} <= REPRODUCED,
    }


def unchecked(record, folder):
    """Whether there are statements about a record whose signatures cannot be checked: without ssh-keygen."""
    return shutil.which("ssh-keygen") is None and any((folder / record.name).glob("*.json"))


def read(record, folder):
    """`(wrong, old, stated)` of the statements about a record in a folder.

    `wrong` are those that cannot be read, are not signed or have faults, one line each; `old` is how many are of
    another record of that run; `stated` has the statements of each key as one, `{key: {cpus, scores, reproduced}}`.
    """
    wrong, old, stated = [], 0, {}
    for path in sorted((folder / record.name).glob("*.json")):
        key = key_of(path)
        if key is None:
            wrong.append(f"{path}: no valid signature of it in {path.name}.sig (ssh-keygen -Y)")
            continue
        try:
            value = read_json(path)
            this = (value["format"], value["run"], value["record"]) == (FORMAT, record.name, sha256(record / NAME))
            found = faults(record, value) if this else []
        except Exception as error:  # a statement may hold anything
            this, found = True, [f"it cannot be read: {type(error).__name__}: {error}"]
        old += not this
        wrong += [f"{path}: {line}" for line in found[:1]]
        if this and not found:
            stated.setdefault(key, []).append(value)
    return wrong, old, {key: together(statements) for key, statements in stated.items()}


def check(record, folder):
    """`(wrong, said)`: statements that do not count, and how many signers reproduced the record."""
    if unchecked(record, folder):
        return [], ["signed statements NOT checked: there is no ssh-keygen here"]
    wrong, old, stated = read(record, folder)
    reproduced = [value for value in stated.values() if value["reproduced"]]
    said = [f"reproduced by {len(reproduced)} of {len(stated)} signers"] if stated else []
    return wrong, said + ([f"{old} signed statements are of another record of this run"] if old else [])
