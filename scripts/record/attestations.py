"""Signed statements that a fresh run on somebody's machine did, or did not, reproduce a record.

`attestations/<run>/<digest>.json` names the record by the digest of its checksums, has the verdicts of the run and the
machine, and is signed beside it (`.json.sig`, as record/signature.py reads it). A key counts once.
"""

from stage.files import read_json, sha256

from record.checksums import NAME
from record.signature import ssh_keygen

FORMAT = 1
REPRODUCED = {"identical", "within"}


def statement(record, verdicts, machine):
    """The statement that a fresh run got these verdicts, as `record.fresh.judge_fresh` yields them."""
    return {
        "format": FORMAT,
        "run": record.name,
        "record": sha256(record / NAME),
        "verdicts": {score["address"]: score["verdict"] for score in verdicts},
        "machine": machine,
    }


def key_of(path):
    """The fingerprint of the key that signed a statement; None without a valid signature, or without ssh-keygen."""
    signature = path.with_name(f"{path.name}.sig")
    valid = ssh_keygen("check-novalidate", signature, path) if signature.exists() else None
    return valid.stdout.strip().rpartition(" ")[2] if valid is not None and valid.returncode == 0 else None


def read(record, folder):
    """`(wrong, old, stated)` of the statements about a record in a folder.

    `wrong` are those that cannot be read or are not signed, one line each; `old` is how many are of another record of
    that run; `stated` has one statement of each key, `{key: statement}`.
    """
    wrong, old, stated = [], 0, {}
    for path in sorted((folder / record.name).glob("*.json")):
        key = key_of(path)
        if key is None:
            wrong.append(f"{path}: no valid signature of it in {path.name}.sig (ssh-keygen -Y)")
            continue
        try:
            value = read_json(path)
            named = (value["format"], value["run"], value["record"])
            verdicts, cpu = set(value["verdicts"].values()), value["machine"]["cpu"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            wrong.append(f"{path} cannot be read: {type(error).__name__}: {error}")
            continue
        if named != (FORMAT, record.name, sha256(record / NAME)):
            old += 1
        elif verdicts:
            stated[key] = {"cpu": cpu, "reproduced": verdicts <= REPRODUCED, "identical": verdicts == {"identical"}}
    return wrong, old, stated


def check(record, folder):
    """`(wrong, said)`: statements that are not signed, and how many machines reproduced the record."""
    wrong, old, stated = read(record, folder)
    reproduced = [value for value in stated.values() if value["reproduced"]]
    said = [f"reproduced by {len(reproduced)} of {len(stated)} signed statements"] if stated else []
    return wrong, said + ([f"{old} signed statements are of another record of this run"] if old else [])
