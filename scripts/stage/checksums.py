"""Checksums of a stage's outputs. Stages that read them check them first, so nothing edited or damaged goes unnoticed.

They are a file SHA256SUMS in the form of `sha256sum --check`: inside a directory that is the output of a rule, beside
files that are.
"""

from pathlib import Path

from stage.files import read_text, sha256, write_text

NAME = "SHA256SUMS"
MERGE_OF = "merge_of.json"  # in the folder of an adapter that is a merge of others: how it was merged


def content(folder):
    """The files of a directory, `{name in it: path}`, without its checksums and hidden files."""
    found = {path.relative_to(folder).as_posix(): path for path in sorted(Path(folder).rglob("*")) if path.is_file()}
    return {name: path for name, path in found.items() if name != NAME and not Path(name).name.startswith(".")}


def write_sums(path, files):
    """Write the checksums of `files`, `{name: path}`."""
    write_text(path, "".join(f"{sha256(files[name])}  {name}\n" for name in sorted(files)))


def seal(folder):
    """Write SHA256SUMS into a directory that is complete."""
    write_sums(Path(folder, NAME), content(folder))


def read_sums(path):
    """The checksums in a file, `{name: sha256}`."""
    lines = (line.partition("  ") for line in read_text(path).splitlines())
    return {name: digest for digest, _, name in lines}


def model_rule(model):
    """The rule that makes a model directory."""
    if "-seed" in (name := Path(model).name):
        return "merge_lora"
    return "download_model" if name == "base" else "download_swept_model"


def adapter_rule(adapter):
    """The rule that makes an adapter's directory."""
    return "merge_adapters" if Path(adapter, MERGE_OF).exists() else "train"


def require_intact(path, rule):
    """Stop unless a directory or a file is as `rule` wrote it.

    Of a directory every file counts, also one that was put into it. A file without checksums beside it is taken as it
    is: it is somebody's own.
    """
    path = Path(path)
    sums = (path if path.is_dir() else path.parent) / NAME
    if path.is_dir():
        stated, found = read_sums(sums) if sums.exists() else {}, content(path)
        wrong = [f"{path}/{name}" for name in sorted(stated.keys() ^ found.keys())] if stated else [str(sums)]
        files = {name: found[name] for name in stated.keys() & found.keys()}
    else:
        stated, files = read_sums(sums) if sums.exists() else {}, {path.name: path}
        wrong = [str(path)] if stated and path.name not in stated else []
    wrong += [str(file) for name, file in sorted(files.items()) if name in stated and sha256(file) != stated[name]]
    if wrong:
        raise SystemExit(
            f"error: {wrong[0]} is not what {rule} wrote (edited, replaced or damaged): give the same command with "
            f"--forcerun {rule}, which makes it again"
        )
