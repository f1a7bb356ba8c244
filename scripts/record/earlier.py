"""Records in an earlier format, which are verified by the code that wrote them."""

import io
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from stage.files import read_json

from record.layout import FORMAT
from record.repository import git, is_clone

NOT_RECOMPUTED = "NOT recomputed"


def format_of(record):
    """The format version of a record; version 1 did not state it."""
    return read_json(record / "provenance.json").get("format", 1)


def written_by(folder):
    """The format of the records that the code in a folder writes; that of version 1 did not state it."""
    path = Path(folder, "scripts/record/layout.py")
    match = re.search(r"^FORMAT = (\d+)$", path.read_text(encoding="utf-8"), re.MULTILINE) if path.exists() else None
    return int(match[1]) if match else 1


def check(record, config, results):
    """`(wrong, said)` from the `verify.py` of the record's own commit: mismatches, and what it recomputed.

    Without git, as from an archive, that code is not here, and this is said.
    """
    made_at, is_of = read_json(record / "provenance.json")["commit"], f"format {format_of(record)}"
    if not is_clone():
        return [], [f"{NOT_RECOMPUTED}: this is no clone, which has the code of commit {made_at[:12]} for {is_of}"]
    archive = git("archive", "--format=zip", made_at, "scripts")
    if archive is None:
        return [
            f"{record} has {is_of}, this code reads {FORMAT}, and commit {made_at}, which made it, "
            "is not here: run verify in a clone with the whole history"
        ], [NOT_RECOMPUTED]
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(io.BytesIO(archive)).extractall(folder)
        if (of_code := written_by(folder)) != format_of(record):  # which would ask the same code again, without end
            stated = format_of(record)
            return [f"provenance.format: published {stated}, and commit {made_at}, which made it, writes {of_code}"], []
        records = Path(folder, "records")
        records.mkdir()
        (records / record.name).symlink_to(record.absolute())
        command = [sys.executable, f"{folder}/scripts/verify.py", "--records", records, "--results", folder]
        found = subprocess.run([*command, "--verified", f"{folder}/verified.json"], capture_output=True, text=True)
    lines = (found.stdout + found.stderr).replace(str(records), str(record.parent)).splitlines()
    (summary,) = [line.partition(": ")[2] for line in lines if line.startswith(f"{record}: ")] or [lines[-1]]
    wrong = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")] if found.returncode else []
    return wrong, [f"by the code of commit {made_at[:12]}, which made it: {summary}"]
