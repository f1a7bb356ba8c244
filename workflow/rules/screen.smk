# What a run shows on the screen: a line per job, the output of the stages, and finally the result or the error.
import atexit
import logging
import sys
from pathlib import Path

from snakemake.logging import DefaultFilter
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

SHOWN = ("Nothing to be done", "Complete log", "Congratulations")  # of Snakemake's own messages; the last is --lint's


def quiet_screen():
    """Under profiles/default: a line per job on the screen, and Snakemake's full output in its log file.

    The profile's `quiet` would also apply to the log file, to dry-runs and if more output is requested
    (--printshellcmds), and would hide the jobs' messages.
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
    """Print the message of each starting job, warnings and errors, and the path of the log.

    Failed shell commands go only to the log, because the job's own error line comes last; so does advice on --cache.
    """
    if getattr(record, "event", None) == LogEvent.JOB_INFO and record.rule_msg:
        print(record.rule_msg, flush=True)
    text = record.getMessage()
    if "CalledProcessError in file" in text or "eligible for caching" in text:
        return False
    return record.levelno >= logging.WARNING or text.startswith(SHOWN)


def made_by(rule):
    """The jobs of a rule that this Snakemake command has run."""
    return [job for job in workflow.dag.finished_jobs if job.rule is rule and workflow.dag.needrun(job)]


def show_table():
    """Print the tables that this Snakemake command has written, and the paths of its reports."""
    for job in made_by(rules.tabulate_results.rule):
        print(f"\n{Path(job.output.text).read_text(encoding='utf-8')}")
    for job in made_by(rules.report.rule):
        print(f"report: {job.output.html}", flush=True)


def show_error():
    """Make the failed job's own error line the last on the screen, although Snakemake prints more after onerror."""
    failed = [job for each in workflow.scheduler.failed for job in (each.jobs if each.is_group() else [each])]
    for line in map(error_line, failed) if failed else ["error: interrupted: run the same command again"]:
        atexit.register(print, line, file=sys.stderr, flush=True)


def error_line(job):
    """The last error line in a failed job's log."""
    logs = [Path(log).read_text(encoding="utf-8", errors="replace") for log in job.log if Path(log).exists()]
    lines = [line for log in logs for line in log.splitlines() if line.startswith("error: ")]
    return lines[-1] if lines else f"error: {job.rule.name} failed: see {', '.join(job.log)}"


def before(event, action):
    """Call `action` before the handler of onstart, onsuccess or onerror.

    Snakemake runs only the main workflow's handlers. This also works in a module, before and after the main workflow
    defines its own.
    """
    register = getattr(workflow, event)

    def both(handler):
        def run(log):
            action()
            handler(log)

        return run

    setattr(workflow, f"_{event}", both(getattr(workflow, f"_{event}")))
    setattr(workflow, event, lambda handler: register(both(handler)))
