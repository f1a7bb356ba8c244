"""The trainings of a run while they run: what each has logged, step by step, and its latest completions."""

import csv
import json

from reporting.templates import fill

SHOWN = 3  # completions of each training


def logged(results):
    """`{policy: rows}` of a run's trainings, as in history.csv: first the finished ones, then those that run.

    A row that is being written is left out.
    """
    found = {}
    for path in sorted(results.glob("training/*/history.csv")):
        found[path.parent.name] = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    for path in sorted(results.glob("checkpoints/train/*/*/log.jsonl"), key=lambda path: path.stat().st_mtime):
        *lines, _ = path.read_text(encoding="utf-8").split("\n")
        found[path.parent.parent.name] = [{k: str(v) for k, v in json.loads(line).items()} for line in lines]
    return {policy: rows for policy, rows in found.items() if rows}


def completions(results, policy):
    """The last `SHOWN` completions that a running training logged, `[(prompt, completion)]`; none for others."""
    import pyarrow.parquet

    found = sorted(results.glob(f"checkpoints/train/{policy}/*/completions/*.parquet"))
    try:
        rows = pyarrow.parquet.read_table(found[-1], columns=["prompt", "completion"]).slice(0, SHOWN).to_pylist()
    except (IndexError, OSError, ValueError):  # none yet, or one that is being written
        return []
    return [(row["prompt"], row["completion"]) for row in rows]


def live_page(template, results, seconds):
    """The page as HTML, which a browser loads again every so many seconds."""
    from reporting.figures import curves, of_arms, svg

    rows = logged(results)
    figure = svg(curves({"shown": {"arms": [*of_arms(rows)]}}, rows)) if rows else None
    return fill(
        template,
        run=results.name,
        seconds=seconds,
        latest={policy: of[-1] for policy, of in rows.items()},
        figure=figure,
        completions={policy: shown for policy in rows if (shown := completions(results, policy))},
    )
