"""What jobs may use."""

import json


def test_jobs_take_turns_on_the_gpu(checkout):
    """On one machine all jobs see the same GPU: however many cores there are, one job at a time uses it."""
    task = {**checkout.settings["tasks"]["word_problems"], "limit": {}}
    tasks = {
        name: task | {"source": task["source"].replace("seed=0", f"seed={name[-1]}")} for name in ("t1", "t2", "t3")
    }
    train = {**checkout.settings["train"], "grpo": {"use_cpu": False}}
    checkout.write(tasks=tasks, task="t1", evaluate_on=[*tasks], train=train)
    metrics = [f"results/tiny/eval/{name}/base/metrics.json" for name in tasks]
    process = checkout.snakemake("--", *metrics, cores=8)
    assert process.returncode == 0, process.stdout + process.stderr
    notes = [
        json.loads(path.read_text()) for path in (checkout.folder / ".snakemake/metadata").rglob("*") if path.is_file()
    ]
    found = {note["log"][0]: (note["starttime"], note["endtime"]) for note in notes if note["rule"] == "evaluate"}
    times = sorted(found.values())
    assert len(times) == 3
    assert all(end <= start for (_, end), (start, _) in zip(times, times[1:], strict=False))


def test_a_rule_that_is_not_there(checkout):
    checkout.write(resources={"training": {"mem_mb": 1}})
    process = checkout.snakemake("--dry-run")
    assert process.returncode != 0 and "config: resources" in process.stdout + process.stderr
