# Outputs flagged update() stay until the new ones are complete. Snakemake's own record of such an output has to stay
# with it: after a failed job it would state the new settings for the old output, and trust them from then on.
import copy
import shutil
from pathlib import Path

from snakemake.io import is_flagged

NOTES = {}


def updates(job):
    """The outputs of a job that are flagged update()."""
    return [path for path in job.output if is_flagged(path, "update")]


def make_way():
    """Before the first job: keep Snakemake's records of outputs to be updated, and clear the way for the new ones.

    In the way are backups that a killed Snakemake left, links into the cache that runs share (--cache), and outputs
    that such a link will replace. The cache itself is left alone.
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
    """After a failure: give outputs that stayed their old records back."""
    finished = {path for job in workflow.dag.finished_jobs for path in job.output}
    for path, note in NOTES.items():
        if path not in finished:
            workflow.persistence.cleanup_metadata(path)
            if note is not None:  # Snakemake 9 has no public way to write one
                workflow.persistence._write_record(str(path), note)
