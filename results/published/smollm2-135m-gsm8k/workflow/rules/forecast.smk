# What a run will take and what it took: its plan, which the stages read (scripts/stage/forecast.py).
import json
import os
import time
from pathlib import Path

PLAN = Path(".snakemake", f"plan-{config['run']}.json")


def kind_and_size(job, stage_name):
    """The jobs whose times are alike, and what they grow with: the tokens that may be sampled, or steps."""
    if stage_name == "evaluate":
        settings, task = of_task("eval", job.wildcards.task), RUN["tasks"][job.wildcards.task]
        problems, _ = definitions("scripts/reasoning/protocol.py")["problem_count"](task, settings["split"])
        draws = settings.get("draws")
        drawn = draws["n"] * draws["sampling"]["max_new_tokens"] if draws else 0
        return stage_name, (problems or task["size"]["train"]) * (settings["sampling"]["max_new_tokens"] + drawn)
    if stage_name == "train":
        settings = settings_of(job.wildcards.arm, "train")
        steps = definitions("scripts/reasoning/training.py")["arguments"](settings).get("max_steps", 1)
        return f"{stage_name} by {settings['trainer']}", max(steps, 1)
    return stage_name, 1


def plan():
    """The jobs of this call that are measured, with what a forecast needs of them."""
    logs, jobs = place("<logs>"), {}
    for job in workflow.dag.jobs:
        if job.benchmark:
            name = os.path.relpath(os.path.splitext(str(job.benchmark))[0], logs)
            kind, size = kind_and_size(job, name.removeprefix("controls/").partition("/")[0])
            jobs[name] = {
                "kind": kind,
                "size": size,
                "threads": job.threads,
                "benchmark": str(job.benchmark),
                "planned": bool(workflow.dag.needrun(job)),
            }
    cores = workflow.resource_settings.cores or 1  # a cluster's jobs do not share any
    return {"started": time.time(), "cores": cores, "price": config["price"], "jobs": jobs}


def write_plan():
    """Before the first job: write the plan, and tell the jobs where it is."""
    PLAN.write_text(json.dumps(plan()), encoding="utf-8")
    os.environ.update(RUN_PLAN=str(PLAN))


def show_costs():
    """After a complete run: what its jobs took."""
    made = json.loads(PLAN.read_text(encoding="utf-8"))
    if line := definitions("scripts/stage/forecast.py")["costs"](made):
        print(line, flush=True)
