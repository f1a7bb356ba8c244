# What a run will take and what it took: its plan, which the stages read (scripts/stage/forecast.py).
import copy
import json
import os
import time

from snakemake.utils import update_config


def sampled_tokens(job):
    """What the time of a job grows with, among jobs of its rule: the tokens that it may sample, if it samples any."""
    if "task" in job.wildcards.keys() and job.rule is rules.evaluate.rule:
        settings, task = of_task("eval", job.wildcards.task), config["tasks"][job.wildcards.task]
        problems, _ = definitions("scripts/reasoning/policies.py")["problem_count"](task, settings["split"])
        draws = settings.get("draws")
        each = draws["n"] * draws["sampling"]["max_new_tokens"] if draws else 0
        return problems * (settings["sampling"]["max_new_tokens"] + each)
    if job.rule is rules.train_grpo.rule:
        train = copy.deepcopy(config["train"])
        update_config(train, ARMS[job.wildcards.arm].get("train", {}))
        return train["grpo"].get("max_steps", 1)
    return 1


def plan():
    """The jobs of this call that are measured, with what a forecast needs of them."""
    logs, jobs = place("<logs>"), {}
    for job in workflow.dag.jobs:
        if job.benchmark:
            name = os.path.relpath(os.path.splitext(str(job.benchmark))[0], logs)
            jobs[name] = {
                "rule": name.removeprefix("controls/").partition("/")[0],
                "size": sampled_tokens(job),
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
