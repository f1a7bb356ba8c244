"""Records in an earlier format, which are verified by the code that wrote them."""

import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from stage.files import read_json

from record.layout import FORMAT


def format_of(record):
    """The format version of a record; version 1 did not state it."""
    return read_json(record / "provenance.json").get("format", 1)


def verify_by_own_code(record):
    """`(wrong, words)` from the `verify.py` of the record's own commit: mismatches, and what it recomputed."""
    made_at = read_json(record / "provenance.json")["commit"]
    archive = subprocess.run(["git", "archive", "--format=zip", made_at, "scripts"], capture_output=True)
    if archive.returncode:
        return [
            f"{record} has format {format_of(record)}, this code reads {FORMAT}, and commit {made_at}, which made it, "
            "is not here: run verify in a clone with the whole history"
        ], "not recomputed"
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(io.BytesIO(archive.stdout)).extractall(folder)
        records = Path(folder, "records")
        records.mkdir()
        (records / record.name).symlink_to(record.absolute())
        command = [sys.executable, f"{folder}/scripts/verify.py", "--records", records, "--results", folder]
        found = subprocess.run([*command, "--verified", f"{folder}/verified.json"], capture_output=True, text=True)
    lines = (found.stdout + found.stderr).replace(str(records), str(record.parent)).splitlines()
    (summary,) = [line.partition(": ")[2] for line in lines if line.startswith(f"{record}: ")] or [lines[-1]]
    wrong = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")] if found.returncode else []
    return wrong, f"by the code of commit {made_at[:12]}, which made it: {summary}"
