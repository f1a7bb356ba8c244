"""Which of Snakemake's notes go into a record."""

from record.jobs import behind


def note(command, *inputs):
    return {"shellcmd": command, "input": list(inputs)}


def test_notes_behind_the_files_of_a_record():
    """With a job's other outputs and all inputs, also if not in the record, and without jobs that it owes nothing."""
    notes = {
        "r/metrics.json": note("evaluate", "r/model"),
        "r/model": note("merge", "r/adapter", "scripts/merge.py"),
        "r/adapter": note("train", "r/base"),
        "r/history.csv": note("train", "r/base"),
        "r/base": note("download"),
        "r/other": note("train other", "r/base"),
    }
    assert behind(notes, ["r/metrics.json", "r/unknown"]) == {k: notes[k] for k in sorted(notes) if k != "r/other"}
