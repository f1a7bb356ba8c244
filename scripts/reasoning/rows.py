"""results.json in reading order, and as the rows of a table."""

from stage.files import read_json

from reasoning.policies import arm_of, seed_of
from reasoning.protocol import extractors_in_order


def read_results(path):
    """A results.json in the reading order of its `shown`: tasks, and in them base model, policies and arms."""
    results = read_json(path)
    results["tasks"] = {task: results["tasks"][task] for task in results["shown"]["tasks"]}
    for entry in results["tasks"].values():
        for key in ("policies", "arms", "leads", "by_seed"):
            entry[key] = in_order(entry[key], results["shown"]["arms"])
        for of_mark in entry["marked"].values():
            of_mark |= {key: in_order(of_mark[key], results["shown"]["arms"]) for key in ("arms", "leads", "by_seed")}
    results["told"] = in_order(results["told"], results["shown"]["arms"])
    return results


def in_order(of_names, arms):
    """A dict keyed by policy or arm, in reading order: base, then by the order of `arms` and by seed."""
    places = {"base": -1} | {arm: place for place, arm in enumerate(arms)}
    return {name: of_names[name] for name in sorted(of_names, key=lambda name: (places[arm_of(name)], seed_of(name)))}


def trained_in_order(results):
    """The trained policies of a results.json in reading order."""
    found = (policy for entry in results["tasks"].values() for policy in entry["policies"])
    return [policy for policy in dict.fromkeys(found) if policy != "base"]


def marked(task, split, subset):
    """A task's name, marked if the score is not on the whole test split: if it is on another split or a subset."""
    marks = [*([f"{split} split"] if split != "test" else []), *(["a subset"] if subset else [])]
    return f"{task} ({', '.join(marks)})" if marks else task


def marked_row(row):
    """The marked task name of a table row."""
    return marked(row["task"], row["split"], row["subset"])


def marked_task(task, entry):
    """The marked task name of an entry of results.json."""
    metrics = entry["policies"]["base"]["metrics"]
    return marked(task, metrics["protocol"]["split"], metrics["subset"])


def published_rows(results):
    """The published numbers, `{task, policy, score, source, n, value, low, high, …}` by the headline extractor.

    `policy` is "base" or the claim's arm; the keys from `n` on are those of `reasoning.published.distance`. Tasks are
    marked as in the table.
    """
    alone = results.get("baselines", {})
    for task, numbers in results.get("published", {}).items():
        metrics = alone[task]["metrics"] if task in alone else results["tasks"][task]["policies"]["base"]["metrics"]
        for kind, number in numbers.items():
            yield {
                "task": marked(task, metrics["protocol"]["split"], metrics["subset"]),
                "policy": "base" if kind == "base" else arm_of(results["policy"]),
                **{key: number[key] for key in ("score", "source")},
                **number["distances"][results["headline"]],
            }


COLUMNS = (
    "task policy extractor n correct value low high difference difference_low difference_high mcnemar_p "
    "p_adjusted won lost format_rate truncation_rate mean_completion_tokens split subset"
).split()


def rows(results):
    """The table, one row per task, policy and extractor; the base model's rows have no differences."""
    for task, entry in results["tasks"].items():
        for policy, value in entry["policies"].items():
            metrics, comparison = value["metrics"], value["comparison"]
            for name in extractors_in_order(metrics["scores"]):
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
                    "p_adjusted": value.get("p_adjusted", {}).get(name),
                    "won": change.get("won"),
                    "lost": change.get("lost"),
                    "format_rate": metrics["format"]["value"],
                    "truncation_rate": metrics["truncated"]["value"],
                    "mean_completion_tokens": metrics["completion_tokens"]["mean"],
                    "split": metrics["protocol"]["split"],
                    "subset": metrics["subset"],
                }
