"""Every number of a run in one dict, `results.json`."""

import json
import re

from reasoning.comparison import compare_over_seeds, outcomes
from reasoning.contrasts import holm
from reasoning.policies import arm_of, seed_of
from reasoning.protocol import extractors_in_order, require_equal
from reasoning.published import beside
from reasoning.statistics import score

MARK = re.compile(r" \(([^()]+)\)$")  # of a family: what its problems have in common with those of others


def gather(metrics, comparisons, merges, probes, samples, trainings, baselines, published, guesses):
    """Every number: `tasks.<task>.policies.<policy>`, `tasks.<task>.arms.<arm>`, `tasks.<task>.leads.<arm>`, `merges`.

    `metrics`, `comparisons` and `samples` are `{(task, policy): JSON}`, `merges` and `trainings` (the environments
    that policies were trained in) `{policy: JSON}`, and `probes` is `{task: JSON}`. A policy's address is the path of
    its scores in the run's folder. `leads.<arm>` is the first arm's lead over that arm; `tasks.<task>.marked` is what
    `over_all_seeds` says. `baselines` is
    `{task: metrics}` of the tasks on which the base model alone is measured, and `published` what tasks state as
    published (`reasoning.published`); the result has sections of these names if there are any. `guesses` is the
    `{task: score}` of `reasoning.guess`. Raises SystemExit if scores were measured differently.
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
    adjust(tasks)
    for task, entry in tasks.items():
        entry |= {"verbatim": probes[task]["verbatim"], "guess": guesses.get(task)}
        entry |= over_all_seeds({policy: samples[task, policy] for policy in entry["policies"]})
    stages = {f"evaluate/{task}/{policy}": value["environment"] for (task, policy), value in metrics.items()}
    stages |= {f"evaluate/{task}/base": value["environment"] for task, value in baselines.items()}
    stages |= {f"probe_contamination/{task}": value["environment"] for task, value in probes.items()}
    stages |= {f"train/{policy}": value for policy, value in trainings.items()}
    for value in merges.values():
        stages |= value["environments"]
    of_base = {task: entry["policies"]["base"]["metrics"] for task, entry in tasks.items()} | baselines
    first = {task: next(iter(entry["arms"])) for task, entry in tasks.items()}
    of_first = {
        task: [of for (t, policy), of in samples.items() if (t, arm_of(policy)) == (task, arm)]
        for task, arm in first.items()
    }
    sections = {
        "baselines": {
            task: {"address": f"eval/{task}/base/metrics.json", "metrics": value}
            for task, value in sorted(baselines.items())
        },
        "published": beside(published, of_base, of_first),
    }
    found = {"tasks": tasks, "merges": merges, "environments": grouped(stages)}
    return found | {name: section for name, section in sections.items() if section}


def adjust(tasks):
    """Give every comparison of a policy its p by extractor, adjusted by Holm for the number of tasks: `p_adjusted`."""
    found = {}
    for task, entry in tasks.items():
        for policy, value in entry["policies"].items():
            for extractor, change in (value["comparison"] or {"extractors": {}})["extractors"].items():
                found.setdefault((policy, extractor), {})[task] = change["p"]
    for (policy, extractor), of_task in found.items():
        for task, p in zip(of_task, holm(list(of_task.values())), strict=True):
            tasks[task]["policies"][policy].setdefault("p_adjusted", {})[extractor] = p


def over_all_seeds(samples):
    """`{arms, leads, by_seed, marked}` over seeds; `samples` is `{policy: samples}`, base model and first arm first.

    `marked` is `{mark: {base, arms, leads, by_seed}}`, the same of the problems whose family ends in a mark in
    parentheses, such as "(held out)".
    """
    of_arm = {}
    for policy, of_policy in samples.items():
        of_arm.setdefault(arm_of(policy), {})[seed_of(policy)] = of_policy
    of_arm = {arm: dict(sorted(of.items())) for arm, of in of_arm.items()}
    marks = {found[1] for sample in of_arm["base"][0] if (found := MARK.search(sample["family"]))}
    return compared(of_arm) | {"marked": {mark: of_mark(of_arm, mark) for mark in sorted(marks)}}


def compared(of_arm):
    """`{arms, leads, by_seed}` of `{arm: {seed: samples}}`: each against the base model, and the first against each.

    `leads` treats arms as independent; `by_seed` is the same seed by seed, of arms that have the first one's seeds.
    """
    seeds, samples = ({arm: [*part(of)] for arm, of in of_arm.items()} for part in (dict.keys, dict.values))
    base, (lead, *others) = samples["base"], (arm for arm in samples if arm != "base")
    return {
        "arms": {arm: compare_over_seeds(base, samples[arm]) for arm in (lead, *others)},
        "leads": {arm: compare_over_seeds(samples[arm], samples[lead]) for arm in others},
        "by_seed": {
            arm: compare_over_seeds(samples[arm], samples[lead], same_seeds=True)
            for arm in others
            if seeds[arm] == seeds[lead]
        },
    }


def of_mark(of_arm, mark):
    """`{base, arms, leads, by_seed}` of the problems with a mark in their family; `base` is the base model's score."""
    chosen = {
        arm: {seed: [sample for sample in of if sample["family"].endswith(f" ({mark})")] for seed, of in seeds.items()}
        for arm, seeds in of_arm.items()
    }
    names = extractors_in_order(chosen["base"][0][0]["correct"])
    base = {name: score(outcomes(chosen["base"][0], name)) for name in names}
    return {"base": base} | compared(chosen)


def grouped(stages):
    """`{stage: environment}` grouped into a list of `{environment, stages}`, one for each distinct environment."""
    groups = {}
    for stage, environment in sorted(stages.items()):
        groups.setdefault(json.dumps(environment, sort_keys=True), []).append(stage)
    return [{"environment": json.loads(text), "stages": names} for text, names in groups.items()]
