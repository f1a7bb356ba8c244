"""Snakemake's metadata on a run's jobs: without it, Snakemake would accept restored outputs unchecked.

Snakemake keeps one file per output, named after the output's path in base64 (snakemake/persistence/file.py). A record
keeps them as one readable file, `{output: note}`.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

from stage.files import read_json, write_json

NOTES = Path(".snakemake/metadata")


def read_notes(results):
    """Snakemake's metadata on the outputs in a run's folder, `{output: note}`."""
    found = {}
    for path in sorted(path for path in NOTES.rglob("*") if path.is_file()):
        name = "".join(part.removeprefix("@") for part in path.relative_to(NOTES).parts)
        output = urlsafe_b64decode(name).decode()
        if output.startswith(f"{results}/"):
            found[output] = read_json(path)
    return dict(sorted(found.items()))


def behind(notes, outputs):
    """The notes on outputs and on all that they were made of, without jobs of arms that the config no longer has."""
    together = {}
    for output, note in notes.items():
        together.setdefault(note["shellcmd"], []).append(output)
    found, rest = {}, list(outputs)
    while rest:
        output = rest.pop()
        if output in notes and output not in found:
            found[output] = notes[output]
            rest += notes[output]["input"] + together[notes[output]["shellcmd"]]
    return dict(sorted(found.items()))


def write_notes(notes):
    """Put the metadata back where Snakemake looks for it."""
    NOTES.mkdir(parents=True, exist_ok=True)
    longest = os.pathconf(NOTES, "PC_NAME_MAX") - 1
    for output, note in notes.items():
        name = urlsafe_b64encode(output.encode()).decode()
        pieces = [name[i : i + longest] for i in range(0, len(name), longest)]
        write_json(Path(NOTES, *(f"@{piece}" for piece in pieces[:-1]), pieces[-1]), note)


def stage_of(log):
    """The stage that wrote a log, `<rule>/…`, from its path in the notes: `logs/<run>/<rule>/….log`."""
    return str(Path(*Path(log).parts[2:]).with_suffix(""))


def jobs(notes):
    """The jobs that notes describe, `{rule, shellcmd, input, outputs, starttime, endtime, …}`, in order of time."""
    found = {}
    for output, note in notes.items():
        found.setdefault(note["shellcmd"], note | {"outputs": []})["outputs"].append(output)
    return sorted(found.values(), key=lambda job: (job["starttime"], job["shellcmd"]))
