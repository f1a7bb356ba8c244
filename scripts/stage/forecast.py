"""What a run takes: its remaining jobs by what its jobs have taken so far, and its finished ones by their measurements.

Before its first job a run writes its plan, `{started, cores, price, jobs}`, and names the file in RUN_PLAN
(workflow/rules/forecast.smk). `jobs` is `{name: {kind, size, threads, benchmark, planned}}`; the name is that of the
job's log, jobs of one kind take a time proportional to their size.
"""

import csv
import json
import os
from pathlib import Path

# Seconds of jobs whose kind has not run yet, as shares of an evaluation of the run: the first three as in the published
# default run, the others as bench/measure_forecast.py found them in it.
SHARES = {"probe_contamination": 0.27, "merge_lora": 0.15, "check_merge": 0.42}
SHARES |= {"compare": 0.02, "tabulate_results": 0.02, "report": 0.04, "package_model": 0.03}


def measured(path):
    """`{seconds, peak_gb, joules}` of a finished job, from Snakemake's benchmark file and its log; None before."""
    path = Path(path)
    try:
        row = next(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"))
    except (OSError, StopIteration):
        return None
    peak = None if row["max_rss"] in ("NA", "-") else float(row["max_rss"]) / 1000
    return {"seconds": float(row["s"]), "peak_gb": peak, "joules": joules(path.with_suffix(".log"))}


def joules(log):
    """The energy that a stage's log states, None if it was not measured."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    found = [line.split()[1] for line in lines if line.startswith("energy: ")]
    return float(found[-1]) if found and found[-1] != "not" else None


def finished(plan):
    """`{name: measured}` of the jobs that this run has finished, or found finished."""
    found = {}
    for name, job in plan["jobs"].items():
        path = Path(job["benchmark"])
        if path.exists() and not (job["planned"] and path.stat().st_mtime < plan["started"]):
            found[name] = measured(path)
    return {name: each for name, each in found.items() if each}


def remaining(plan, running, whole):
    """`({kind: seconds}, [kind, …])` of the jobs after the one that is `running`: those known, and those not yet.

    A job takes what the finished ones of its kind took for its size, or, if there are none, what the one that is
    running will take, `whole` seconds, or a share of an evaluation. Jobs that run side by side share the run's cores.
    """
    done, of_kind = finished(plan), {}
    for name, each in done.items():
        job = plan["jobs"][name]
        of_kind.setdefault(job["kind"], []).append((each["seconds"], job["size"]))
    of_kind.setdefault(plan["jobs"][running]["kind"], [(whole, plan["jobs"][running]["size"])])
    rates = {kind: sum(seconds for seconds, _ in of) / sum(size for _, size in of) for kind, of in of_kind.items()}
    evaluation = [seconds for seconds, _ in of_kind.get("evaluate", [])]
    known, unknown = {}, []
    for name, job in plan["jobs"].items():
        if not job["planned"] or name in done or name == running:
            continue
        if job["kind"] in rates:
            seconds = rates[job["kind"]] * job["size"]
        elif job["kind"] in SHARES and evaluation:
            seconds = SHARES[job["kind"]] * sum(evaluation) / len(evaluation)
        else:
            unknown.append(job["kind"])
            continue
        known[job["kind"]] = known.get(job["kind"], 0) + seconds * min(job["threads"], plan["cores"]) / plan["cores"]
    return known, list(dict.fromkeys(unknown))


def duration(seconds):
    """Seconds in words: 95 -> "1 min 35 s"."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def money(seconds, price):
    """What that time costs, in words; empty without a price."""
    return "" if not price["per_hour"] else f", {seconds / 3600 * price['per_hour']:.2f} {price['currency']}"


def forecast(running, left, whole):
    """`(seconds, line)`: what this run will take, if the job `running` takes `left` seconds more and `whole` in all.

    None without a plan.
    """
    path = Path(os.environ.get("RUN_PLAN", ""))
    if not path.is_file():
        return None
    plan = json.loads(path.read_text(encoding="utf-8"))
    if running not in plan["jobs"]:
        return None
    known, unknown = remaining(plan, running, whole)
    total = left + sum(known.values())
    parts = [
        f"this {plan['jobs'][running]['kind']} {duration(left)}",
        *(f"{kind} {duration(known[kind])}" for kind in sorted(known, key=known.get, reverse=True)),
    ]
    rest = f"; {' and '.join(unknown)} will say" if unknown else ""
    return total, f"forecast: {duration(total)} to go{money(total, plan['price'])}: {', '.join(parts)}{rest}"


def costs(plan):
    """One line on what the jobs of this run took, by kind; None if nothing was measured."""
    made = {name: each for name, each in finished(plan).items() if plan["jobs"][name]["planned"]}
    if not made:
        return None
    of_kind, energy = {}, [each["joules"] for each in made.values()]
    for name, each in made.items():
        kind = plan["jobs"][name]["kind"]
        of_kind[kind] = of_kind.get(kind, 0) + each["seconds"]
    total, peak = sum(of_kind.values()), max(each["peak_gb"] or 0 for each in made.values())
    parts = ", ".join(
        f"{kind} {duration(seconds)}" for kind, seconds in sorted(of_kind.items(), key=lambda item: -item[1])
    )
    stated = "not measured" if None in energy else f"{sum(energy) / 3600:.1f} Wh"
    return f"took {duration(total)}{money(total, plan['price'])}: {parts}; peak memory {peak:.1f} GB; energy {stated}"
