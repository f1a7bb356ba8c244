# What a run will take and what it took: its plan, which the stages read (scripts/stage/forecast.py).
import json
import os
import time


def kind_and_size(job, rule):
    """The jobs whose times are alike, and what they grow with: the tokens that may be sampled, or steps."""
    if job.rule is rules.evaluate.rule:
        settings, task = of_task("eval", job.wildcards.task), RUN["tasks"][job.wildcards.task]
        problems, _ = definitions("scripts/reasoning/policies.py")["problem_count"](task, settings["split"])
        draws = settings.get("draws")
        drawn = draws["n"] * draws["sampling"]["max_new_tokens"] if draws else 0
        return rule, (problems or task["size"]["train"]) * (settings["sampling"]["max_new_tokens"] + drawn)
    if job.rule is rules.train.rule:
        settings = settings_of(job.wildcards.arm, "train")
        steps = definitions("scripts/reasoning/training.py")["arguments"](settings).get("max_steps", 1)
        return f"{rule} by {settings['trainer']}", max(steps, 1)
    return rule, 1


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
    return {"started": time.time(), "cores": workflow.cores or 1, "price": config["price"], "jobs": jobs}


def write_plan():
    """Before the first job: write the plan, and tell the jobs where it is."""
    path = Path(".snakemake", f"plan-{config['run']}.json")
    path.write_text(json.dumps(plan()), encoding="utf-8")
    os.environ["RUN_PLAN"] = str(path)


def show_costs():
    """After a complete run: what its jobs took."""
    made = json.loads(Path(os.environ["RUN_PLAN"]).read_text(encoding="utf-8"))
    if line := definitions("scripts/stage/forecast.py")["costs"](made):
        print(line, flush=True)
