"""What a page shows of arms over their seeds, side by side: kinds of problems, faults, other prompts, costs."""

import re

from reasoning.comparison import compare_over_seeds, outcomes
from reasoning.contrasts import holm
from reasoning.overrides import of_task
from reasoning.policies import arm_of, seed_of
from reasoning.results import MARK
from reasoning.statistics import score

from reporting.words import rivals


def side_by_side(results):
    """The arms of the first task that stand beside the base model: the claim's, and those that it is held to."""
    entry = next(iter(results["tasks"].values()))
    return [next(iter(entry["arms"])), *rivals(entry, results["headline"], results["shown"])]


def of_arms(samples, task):
    """`{arm: {seed: samples}}` of a task; the base model is an arm of one seed."""
    found = {}
    for (of, policy), value in samples.items():
        if of == task:
            found.setdefault(arm_of(policy), {})[seed_of(policy)] = value
    return found


def over_seeds(found, chosen, extractor):
    """`{arm: over_seeds}` of the samples that `chosen` keeps, and the base model's score as `base`."""
    kept = {arm: [[s for s in of if chosen(s)] for of in seeds.values()] for arm, seeds in found.items()}
    of_base = score(outcomes(kept["base"][0], extractor))
    return {"base": of_base} | {
        arm: compare_over_seeds(kept["base"], seeds)[extractor] for arm, seeds in kept.items() if arm != "base"
    }


def families(results, samples, task):
    """`[(name, {arm: score}, is a sum)]`: each family of a task, and all with the same mark in parentheses.

    Of families, an arm's score has `p_adjusted`, its p against the base model by Holm over the families.
    """
    found, extractor = of_arms(samples, task), results["headline"]
    names = sorted({sample["family"] for sample in found["base"][0]})
    marks = {name: (MARK.search(name) or [None, None])[1] for name in names}
    sums = sorted({mark for mark in marks.values() if mark})
    rows = [(name, {name}, False) for name in names]
    rows += [(f"all {mark}", {n for n in names if marks[n] == mark}, True) for mark in sums]
    rows += [("all others", {n for n in names if not marks[n]}, True)] * bool(sums)

    def scores(kinds):
        return over_seeds(found, lambda sample: sample["family"] in kinds, extractor)

    rows = [(name, scores(kinds), total) for name, kinds, total in rows]
    for arm in found.keys() - {"base"}:
        of_families = [of[arm] for _, of, total in rows if not total]
        for of, p in zip(of_families, holm([of["p"] for of in of_families]), strict=True):
            of["p_adjusted"] = p
    return rows


def faults(entry):
    """`{fault: {arm: completions of a seed, on average}}`, with the base model as `base`; None without solutions."""
    found = {}
    for policy, value in entry["policies"].items():
        for fault, count in ((value["comparison"] or {}).get("faults") or {}).items():
            of = found.setdefault(fault, {})
            of["base"] = [count["base"]]
            of.setdefault(arm_of(policy), []).append(count["policy"])
    return {fault: {arm: sum(n) / len(n) for arm, n in of.items()} for fault, of in found.items()} or None


def learned(entry):
    """`{arm: {format, truncated, tokens}}`: means over an arm's seeds, with the base model as `base`."""
    found = {}
    for policy, value in entry["policies"].items():
        of = value["metrics"]
        row = {key: of[key]["value"] for key in ("format", "truncated")} | {"tokens": of["completion_tokens"]["mean"]}
        found.setdefault(arm_of(policy), []).append(row)
    return {arm: {key: sum(row[key] for row in of) / len(of) for key in of[0]} for arm, of in found.items()}


def posed_again(config, results):
    """The tasks that pose the first task's problems once more: by other prompts, or for several completions of each."""

    def decoded(task):
        return {key: value for key, value in of_task(config, "eval", task).items() if key != "draws"}

    own, *others = results["tasks"]
    asked = of_task(config, "prompt", own)
    alike = [task for task in others if config["tasks"][task]["source"] == config["tasks"][own]["source"]]
    return [
        task
        for task in alike
        if decoded(task) == decoded(own)
        and (of_task(config, "prompt", task) != asked or "draws" in of_task(config, "eval", task))
    ]


def prompts(config, results, samples):
    """`{n, tasks, seeds, rows}` of the first task's problems by other prompts; None if there are none.

    All of the same problems and of the same seeds, which are those that every prompt has: `rows` is
    `{arm: {task: over_seeds}}`, with the base model's score as `base`.
    """
    own = next(iter(results["tasks"]))
    asked = of_task(config, "prompt", own)
    others = [task for task in posed_again(config, results) if of_task(config, "prompt", task) != asked]
    if not others:
        return None
    found = {task: of_arms(samples, task) for task in (own, *others)}
    shared = {arm: set.intersection(*(set(of.get(arm, {})) for of in found.values())) for arm in found[own]}
    shared = {arm: sorted(seeds) for arm, seeds in shared.items() if seeds}
    ids = set.intersection(*({sample["id"] for sample in of["base"][0]} for of in found.values()))
    rows = {arm: {} for arm in shared}
    for task, of in found.items():
        kept = {arm: {seed: of[arm][seed] for seed in seeds} for arm, seeds in shared.items()}
        for arm, value in over_seeds(kept, lambda sample: sample["id"] in ids, results["headline"]).items():
            rows[arm][task] = value
    seeds = {arm: len(of) for arm, of in shared.items() if arm != "base"}
    return {"n": len(ids), "tasks": [own, *others], "seeds": seeds, "rows": rows}


def costs(stages):
    """`{rule: {jobs, minutes, peak_gb}}` of a record's `stages`, `{"<rule>/<of what>": {seconds, peak_gb, …}}`."""
    found = {}
    for stage, cost in stages.items():
        of = found.setdefault(re.match("[^/]+", stage)[0], {"jobs": 0, "minutes": 0.0, "peak_gb": 0.0})
        of["jobs"] += 1
        of["minutes"] += cost["seconds"] / 60
        of["peak_gb"] = max(of["peak_gb"], cost["peak_gb"] or 0.0)
    return found


def of_trainings(stages, what):
    """`{arm: [what each of its trainings cost]}` of a record's `stages`; `what` is a key of theirs."""
    found = {}
    for stage, cost in stages.items():
        if stage.startswith("train/") and cost[what] is not None:
            found.setdefault(arm_of(stage.removeprefix("train/")), []).append(cost[what])
    return found


def memory(stages):
    """`{arm: GB}` that its trainings held at most, of a record's `stages`."""
    return {arm: max(peaks) for arm, peaks in of_trainings(stages, "peak_gb").items()}


def minutes(config, stages):
    """`{arm: minutes}` that a training took, on average over seeds, with those of the policies that it goes on from."""
    arms, taken = config["arms"] | config["controls"]["arms"], of_trainings(stages, "seconds")

    def of(arm):
        start = (config["train"] | arms[arm].get("train", {}))["start"]
        return sum(taken[arm]) / 60 / len(taken[arm]) + (of(start) if start in taken else 0)

    return {arm: of(arm) for arm in taken if arm in arms}
