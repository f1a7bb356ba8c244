"""A run's table: CSV for programs, plain text for the terminal."""

import csv
import io

from reasoning.policies import arm_of
from reasoning.rows import COLUMNS, marked_row, marked_task, published_rows, rows, trained_in_order

from reporting.words import (
    arm_in_words,
    beside_published,
    change_in_words,
    percent,
    points,
    several_environments,
    verdicts,
)


def csv_text(results):
    """The table as CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(results))
    return out.getvalue()


def plain_text(results):
    """The verdict, the table for the terminal, and the results of the headline extractor in words."""
    headline, out = results["headline"], io.StringIO()
    own, entry = next(iter(results["tasks"].items()))
    for sentence in verdicts(marked_task(own, entry), entry, headline, results["shown"]):
        out.write(f"{sentence}\n")
    line = "{:<14} {:<14} {:<11} {:>5} {:>6} {:>15} {:>7} {:>17} {:>9}\n"
    out.write(line.format("task", "policy", "extractor", "n", "%", "95 % interval", "change", "95 % interval", "p"))
    for row in rows(results):
        change = ("", "", "")
        if row["difference"] is not None:
            change = (
                points(row["difference"]),
                f"[{points(row['difference_low'])}, {points(row['difference_high'])}]",
                f"{row['mcnemar_p']:.2g}",
            )
        interval = f"[{percent(row['low'])}, {percent(row['high'])}]"
        name = row["extractor"] + ("*" if row["extractor"] == headline else "")
        out.write(line.format(marked_row(row), row["policy"], name, row["n"], percent(row["value"]), interval, *change))
    out.write(
        "* headline; change is against base, paired; p is McNemar's exact test, of scores from 0 to 1 the sign test\n"
    )
    if len(results["tasks"]) > 1:
        for policy in trained_in_order(results):
            of_task = [row for row in rows(results) if (row["policy"], row["extractor"]) == (policy, headline)]
            said = ", ".join(f"{row['task']} {row['p_adjusted']:.2g}" for row in of_task)
            out.write(f"{policy}: p adjusted for {len(of_task)} tasks (Holm): {said}\n")
    for task, entry in results["tasks"].items():
        verbatim = entry["verbatim"]
        out.write(
            f"{task}: the base model continues {verbatim['correct']} of {verbatim['n']} questions word for word\n"
        )
        if guess := entry["guess"]:
            out.write(
                f"{task}: each family's commonest training answer, without reading the question, scores "
                f"{percent(guess['value'])} %\n"
            )
        for arm, value in entry["arms"].items():
            if value[headline]["seeds"] > 1:
                out.write(f"{task}, {arm}: {arm_in_words(value[headline])}\n")
        for arm, value in entry["leads"].items():
            lead = change_in_words(value[headline])
            out.write(f"{task}, lead of {arm_of(results['policy'])} over {arm}: {lead}\n")
        for policy, value in entry["policies"].items():
            if value["metrics"]["subset"]:
                out.write(f"{task}, {policy}: A SUBSET of {value['metrics']['n']} problems, not the task's score\n")
            if comparison := value["comparison"]:
                changes = (change_in_words(comparison["extractors"][name]) for name in ("strict", "flexible"))
                out.write("{}, {}: change by strict {}, by flexible {}\n".format(task, policy, *changes))
    for row in published_rows(results):
        out.write(f"{beside_published(row)}\n")
    if sentence := several_environments(results["environments"]):
        out.write(f"{sentence}\n")
    return out.getvalue()
