# Outputs that stand until the new ones are complete, flagged update(), and their notes: Snakemake would write the new
# settings into its note on an output even if the job failed and the old output stayed, and would trust it from then on.
import copy
import shutil
from pathlib import Path

from snakemake.io import is_flagged

NOTES = {}


def updates(job):
    """The outputs of a job that are flagged update()."""
    return [path for path in job.output if is_flagged(path, "update")]


def make_way():
    """Before the first job: remember the notes on outputs to be updated, and let go of what would be in the way.

    That are copies which Snakemake left when it was killed, links into the cache that jobs share (--cache), and outputs
    in whose place such a link comes; what is in the cache stays there.
    """
    for job in workflow.dag.needrun_jobs():
        shared = workflow.workflow_settings.cache is not None and job.rule.cache and job.rule.cache.output
        shared = shared and workflow.async_run(job.rule.cache.exists(job))
        for path in updates(job):
            NOTES[path] = copy.deepcopy(workflow.persistence.metadata(path))
            workflow.persistence.cleanup_backup(Path(path))
            if Path(path).is_symlink() or (shared and Path(path).is_file()):
                Path(path).unlink()
            elif shared and Path(path).is_dir():
                shutil.rmtree(path)


def keep_notes():
    """After a failure: an output that stayed is what its old note says."""
    finished = {path for job in workflow.dag.finished_jobs for path in job.output}
    for path, note in NOTES.items():
        if path not in finished:
            workflow.persistence.cleanup_metadata(path)
            if note is not None:  # Snakemake 9 has no public way to write one
                workflow.persistence._write_record(str(path), note)
