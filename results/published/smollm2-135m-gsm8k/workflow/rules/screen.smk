# What a person sees of a run: a line a job, what the stages print, and last the result or the error.
import atexit
import logging
import sys
from pathlib import Path

from snakemake.logging import DefaultFilter
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

# Messages of Snakemake that belong on the screen, and those that do not: how configs are merged, that downloads could
# be shared, and the command that failed, because the job's own error line comes last.
SHOWN = ("Nothing to be done", "Complete log")
HIDDEN = (
    "is extended by additional config",
    "eligible for caching",
    "unrestricted shared",
    "CalledProcessError in file",
)


def quiet_screen():
    """Under profiles/default: a line a job on the screen, and Snakemake's whole listing in its log file.

    The profile's `quiet` would hold for the log file, for dry-runs and for who asks to see more (--printshellcmds) too,
    and would hide the jobs' messages.
    """
    for handler in workflow.logger_manager.logger.handlers:
        names = [getattr(each, "__name__", type(each).__name__) for each in handler.filters]
        for each in [each for each in handler.filters if isinstance(each, DefaultFilter)]:
            if not {Quietness.RULES, Quietness.HOST} <= set(each.quiet) or "on_screen" in names:
                continue
            if isinstance(handler, logging.FileHandler):
                each.quiet = handler.formatter.quiet = set()
            elif each.dryrun or each.verbose or each.printshellcmds or handler.formatter.show_failed_logs:
                each.quiet = handler.formatter.quiet = {Quietness.HOST}
            else:
                handler.filters.insert(0, on_screen)


def on_screen(record):
    """Print the message of a job that starts; of a run, show warnings, errors and what is in SHOWN."""
    event, text = getattr(record, "event", None), record.getMessage()
    if event == LogEvent.WORKFLOW_STARTED:
        on_screen.running = True
    if event == LogEvent.JOB_INFO and record.rule_msg:
        print(record.rule_msg, flush=True)
    if any(part in text for part in HIDDEN):
        return False
    return record.levelno >= logging.WARNING or not on_screen.running or text.startswith(SHOWN)


on_screen.running = False


def made_by(rule):
    """The jobs of a rule that this call of Snakemake has run."""
    return [job for job in workflow.dag.finished_jobs if job.rule is rule and workflow.dag.needrun(job)]


def show_table():
    """Print the tables and the reports that this call has made, and where they are."""
    for job in [*made_by(rules.tabulate_results.rule), *made_by(rules.tabulate_sweep.rule)]:
        print(f"\n{Path(job.output.text).read_text(encoding='utf-8')}")
    for job in made_by(rules.report.rule):
        print(f"report: {job.output.html}", flush=True)


def show_error():
    """Make the failed job's own error line the last on the screen: Snakemake has more to say after onerror."""
    failed = [job for each in workflow.scheduler.failed for job in (each.jobs if each.is_group() else [each])]
    for line in map(error_line, failed) if failed else ["error: interrupted: give the same command again"]:
        atexit.register(print, line, file=sys.stderr, flush=True)


def error_line(job):
    """The last error line in a failed job's log."""
    logs = [Path(log).read_text(encoding="utf-8", errors="replace") for log in job.log if Path(log).exists()]
    lines = [line for log in logs for line in log.splitlines() if line.startswith("error: ")]
    if lines:
        return lines[-1]
    return (
        f"error: {job.rule.name} was killed, or ended without a word, as when memory runs out: end other programs or "
        f"use a machine with more memory, then give the same command again ({', '.join(job.log)} is its log)"
    )


def before(event, action):
    """Call `action` before the handler of onstart, onsuccess or onerror.

    Snakemake runs the main workflow's handlers alone, and this holds in a module too, before or after which the main
    workflow may state its own.
    """
    register = getattr(workflow, event)

    def both(handler):
        def run(log):
            action()
            handler(log)

        return run

    setattr(workflow, f"_{event}", both(getattr(workflow, f"_{event}")))
    setattr(workflow, event, lambda handler: register(both(handler)))
