"""Source `<path>`: a folder on this machine, absolute or relative to the workflow's folder."""

import shutil
from pathlib import Path


def fetch(address, folder, kind):
    """Copy the files of the folder into `folder`."""
    if not Path(address).is_dir():
        raise SystemExit(
            f"error: there is no folder {address}: set the source to the {kind}'s folder, or use hf:// or pypi://"
        )
    shutil.copytree(address, folder, dirs_exist_ok=True, symlinks=False)
