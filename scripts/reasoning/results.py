"""Every number of a run in one value, `results.json`, and the same as rows of a table."""

import json

from stage.files import read_json

from reasoning.comparison import compare_over_seeds
from reasoning.policies import arm_of, seed_of
from reasoning.protocol import EXTRACTORS, require_equal


def gather(metrics, comparisons, merges, probes, samples, trainings):
    """One value with every number: `tasks.<task>.policies.<policy>` and `….arms.<arm>`, merges beside them.

    `metrics`, `comparisons` and `samples` are `{(task, policy): JSON}`, `merges` and `trainings` (the environments
    that policies were trained in) `{policy: JSON}`, and `probes` is `{task: JSON}`. Each policy has the address of its
    scores, their file below the run's folder. `leads.<arm>` is the lead of the first arm over another. Stops if scores
    were measured differently.
    """
    tasks = {}
    for (task, policy), value in metrics.items():
        entry = tasks.setdefault(task, {"policies": {}})
        require_equal(metrics[task, "base"], value)
        entry["policies"][policy] = {
            "address": f"eval/{task}/{policy}/metrics.json",
            "metrics": value,
            "comparison": comparisons.get((task, policy)),
        }
    for task, entry in tasks.items():
        entry["verbatim"] = probes[task]["verbatim"]
        entry |= over_all_seeds({policy: samples[task, policy] for policy in entry["policies"]})
    stages = {f"evaluate/{task}/{policy}": value["environment"] for (task, policy), value in metrics.items()}
    stages |= {f"probe_contamination/{task}": value["environment"] for task, value in probes.items()}
    stages |= {f"train_grpo/{policy}": value for policy, value in trainings.items()}
    for value in merges.values():
        stages |= value["environments"]
    return {"tasks": tasks, "merges": merges, "environments": grouped(stages)}


def over_all_seeds(samples):
    """`{arms, leads}` over seeds; `samples` is `{policy: samples}`, first the base model's, then the lead arm's."""
    of_arm = {}
    for policy, of_policy in samples.items():
        of_arm.setdefault(arm_of(policy), []).append(of_policy)
    base, (lead, *others) = of_arm.pop("base"), of_arm
    return {
        "arms": {arm: compare_over_seeds(base, of_seeds) for arm, of_seeds in of_arm.items()},
        "leads": {arm: compare_over_seeds(of_arm[arm], of_arm[lead]) for arm in others},
    }


def grouped(stages):
    """`{stage: environment}` as a list of `{environment, stages}`, one for each distinct environment."""
    groups = {}
    for stage, environment in sorted(stages.items()):
        groups.setdefault(json.dumps(environment, sort_keys=True), []).append(stage)
    return [{"environment": json.loads(text), "stages": names} for text, names in groups.items()]


def read_results(path):
    """A results.json with its policies and arms in reading order: base, the arm of the claim, others by name."""
    results = read_json(path)
    for entry in results["tasks"].values():
        for key in ("policies", "arms", "leads"):
            entry[key] = in_order(entry[key], results["policy"])
    return results


def in_order(of_names, policy):
    """A dict by policy or arm in reading order; `policy` is that of the claim."""
    lead = arm_of(policy)

    def place(name):
        return name != "base", arm_of(name) != lead, arm_of(name), name != policy, seed_of(name)

    return {name: of_names[name] for name in sorted(of_names, key=place)}


def marked(task, split, subset):
    """A task's name, marked if a score is not the task's own: if of another split than test, or of a subset of it."""
    marks = [*([f"{split} split"] if split != "test" else []), *(["a subset"] if subset else [])]
    return f"{task} ({', '.join(marks)})" if marks else task


def marked_row(row):
    """The marked task of a row of the table."""
    return marked(row["task"], row["split"], row["subset"])


def marked_task(task, entry):
    """The marked task of an entry of results.json."""
    metrics = entry["policies"]["base"]["metrics"]
    return marked(task, metrics["protocol"]["split"], metrics["subset"])


COLUMNS = (
    "task policy extractor n correct value low high difference difference_low difference_high mcnemar_p "
    "won lost format_rate truncation_rate mean_completion_tokens split subset"
).split()


def rows(results):
    """The table, one row a task, policy and extractor; the base model has no differences."""
    for task, entry in results["tasks"].items():
        for policy, value in entry["policies"].items():
            metrics, comparison = value["metrics"], value["comparison"]
            for name in EXTRACTORS:
                score = metrics["scores"][name]
                change = comparison["extractors"][name] if comparison else {}
                yield {
                    "task": task,
                    "policy": policy,
                    "extractor": name,
                    **{key: score[key] for key in ("n", "correct", "value", "low", "high")},
                    "difference": change.get("difference"),
                    "difference_low": change.get("low"),
                    "difference_high": change.get("high"),
                    "mcnemar_p": change.get("p"),
                    "won": change.get("won"),
                    "lost": change.get("lost"),
                    "format_rate": metrics["format"]["value"],
                    "truncation_rate": metrics["truncated"]["value"],
                    "mean_completion_tokens": metrics["completion_tokens"]["mean"],
                    "split": metrics["protocol"]["split"],
                    "subset": metrics["subset"],
                }
