"""What the screen shows: a line per job, the stages' output, and finally the result or the error."""

import os
import re
import signal
import subprocess

from conftest import call

TABLE = "McNemar"  # a word of every table


def test_a_line_a_job(finished):
    lines = finished.output.splitlines()
    messages = [
        "Download the base model",
        "Download the problems of word_problems",
        "Write the prompts of word_problems",
        "Train grpo, seed 0",
        "Merge grpo, seed 0, into the base model",
        "Check the merged model of grpo, seed 0",
        "Evaluate base on word_problems",
        "Evaluate grpo-seed0 on word_problems",
        "Compare grpo-seed0 with the base model on word_problems",
        "Probe the base model for contamination with word_problems",
        "Tabulate the results",
        "Write the report",
        "Package grpo, seed 0",
    ]
    assert [lines.count(message) for message in messages] == [1] * len(messages)
    assert len(lines) < 80
    assert TABLE in finished.output and "report: results/tiny/report.html" in lines


def test_the_listing_is_in_the_log(finished):
    (path,) = re.findall(r"Complete log\(s\): (.+)", finished.output)
    with open(path) as log:
        listing = log.read()
    assert "14 of 14 steps" in listing and "Job stats:" in listing and "Job stats:" not in finished.output


def test_the_plan_is_on_the_screen(checkout):
    process = call(checkout.folder, "--configfile", "tiny.yaml", "--dry-run")
    assert "Job stats:" in process.stdout and "Reason:" in process.stdout


def test_who_asks_sees_the_commands(checkout):
    process = call(
        checkout.folder,
        *("--configfile", "tiny.yaml", "--printshellcmds", "--", "results/tiny/data/word_problems/raw/test.jsonl"),
    )
    assert "python scripts/download_data.py" in process.stdout


def test_a_failing_run_ends_with_the_error(checkout):
    checkout.write(model=checkout.settings["model"] | {"sha256": "0" * 64})
    process = call(checkout.folder, "--configfile", "tiny.yaml", "--", "results/tiny/models/base")
    assert process.returncode != 0
    lines = process.stdout.splitlines()
    assert lines[-1].startswith("error: ") and "the pin is wrong" in lines[-1]
    assert len(lines) < 20 and "Traceback" not in process.stdout
    assert lines[-1] in (checkout.folder / "logs/tiny/download_model.log").read_text().splitlines()


def test_an_old_table_is_not_shown(rerun):
    """Commands that build other targets, or find nothing to do, do not print the results."""
    (rerun.folder / "results/tiny/data/word_problems/raw/test.jsonl").unlink()
    for arguments in (("--", "results/tiny/data/word_problems/raw/test.jsonl"), ()):
        process = call(rerun.folder, "--configfile", "tiny.yaml", *arguments)
        assert process.returncode == 0 and TABLE not in process.stdout and "report:" not in process.stdout

    (rerun.folder / "results/tiny/report.html").unlink()
    process = call(rerun.folder, "--configfile", "tiny.yaml")
    assert "report: results/tiny/report.html" in process.stdout and TABLE not in process.stdout


def test_an_interrupted_run_goes_on(checkout):
    """Ctrl-C during training: the last line says what to do, and that works."""
    command = ["snakemake", "--cores", "2", "--configfile", "tiny.yaml", "--", "results/tiny/adapters/grpo-seed0"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    streams["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored if started in the background
    with subprocess.Popen(command, cwd=checkout.folder, start_new_session=True, **streams) as process:
        shown = []
        for line in process.stdout:
            shown.append(line)
            if line.startswith("Train "):
                os.killpg(process.pid, signal.SIGINT)
    assert process.returncode != 0 and shown[-1].startswith("error: interrupted"), "".join(shown)
    process = subprocess.run(command, cwd=checkout.folder, **streams)
    assert process.returncode == 0, process.stdout
