"""SHA256SUMS: the checksums of a folder's files, in the format of `sha256sum --check`."""

from stage.checksums import NAME, write_sums
from stage.files import read_text, sha256

SIGNATURE = f"{NAME}.sig"  # of the sums, which it cannot be part of


def listed(folder):
    """The files of a folder that its checksums cover, in order."""
    apart = (folder / NAME, folder / SIGNATURE)
    return sorted(path for path in folder.rglob("*") if path.is_file() and path not in apart)


def write_checksums(folder):
    """Write SHA256SUMS into a folder; returns its text."""
    write_sums(folder / NAME, {path.relative_to(folder).as_posix(): path for path in listed(folder)})
    return read_text(folder / NAME)


def damage(record):
    """The files of a record that are missing, unlisted, links or changed, one line each."""
    if not (record / NAME).exists():
        return [f"{record} has no {NAME}: it is not a published record"]
    lines = read_text(record / NAME).splitlines()
    published = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    present = {str(p.relative_to(record)) for p in record.rglob("*") if not p.is_dir()} - {NAME, SIGNATURE}
    return (
        [
            f"{path} is a link: a record must hold the file itself"
            for path in sorted(record.rglob("*"))
            if path.is_symlink()
        ]
        + [f"{record / name} is missing" for name in sorted(published.keys() - present)]
        + [f"{record / name} is not in {NAME}" for name in sorted(present - published.keys())]
        + [
            f"{record / name} is not the published file: its sha256 differs"
            for name in sorted(published.keys() & present)
            if sha256(record / name) != published[name]
        ]
    )
