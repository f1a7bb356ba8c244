"""Numbers in words: phrases, and sentences that claim no more than the intervals support."""

from reasoning.statistics import fractional


def percent(value):
    """A proportion in percent: 0.4213 -> "42.1"."""
    return f"{100 * value:.1f}"


def points(value):
    """A difference of proportions in points: 0.17 -> "+17.0"."""
    return f"{100 * value:+.1f}"


def change_in_words(change):
    """A change in points with its interval: +17.0 [+11.3, +23.0]."""
    return f"{points(change['difference'])} [{points(change['low'])}, {points(change['high'])}]"


def arm_in_words(arm):
    """The scores of an arm over its seeds, in one phrase."""
    return (
        f"{percent(arm['mean'])} ± {percent(arm['sd'])} % over {arm['seeds']} seeds, "
        f"change {change_in_words(arm)} over seeds and problems"
    )


def base_in_words(model):
    """What the base model is, by the config section `model`: where it is from, and whether that is a quantised file."""
    scheme, _, address = model["source"].partition("://")
    where = address.partition("#")[0].partition("@")[0] if address else scheme
    if where.endswith(".gguf"):
        return f"{where.rpartition('/')[2].removesuffix('.gguf')}, a quantised file, dequantised"
    return where


def measure(score):
    """What a score is called: "exact match", or "mean score" if answers have scores from 0 to 1."""
    return "mean score" if fractional([score["correct"]]) else "exact match"


def verdict(change):
    """ "higher" or "lower" only if the interval excludes 0 and the exact test, if there is one, agrees."""
    sure = change.get("p", 0) < 0.05
    if sure and change["low"] > 0:
        return "higher than"
    return "lower than" if sure and change["high"] < 0 else "not distinguishable from"


def claim(task, policy, change):
    """One sentence that compares a policy with the base model."""
    return (
        f"On {change['n']} problems of {task}, {policy} is {verdict(change)} the base model: "
        f"{points(change['difference'])} points, 95 % interval [{points(change['low'])}, "
        f"{points(change['high'])}], exact p = {change['p']:.2g}, "
        f"{change['won']} problems won and {change['lost']} lost."
    )


def claim_over_seeds(arm, other, change):
    """One sentence that compares an arm with another arm or the base model; both are given as phrases."""
    return f"{arm} is {verdict(change)} {other}: {change_in_words(change)} points."


def score_in_words(arm):
    """The mean score of an arm, with its standard deviation if it has several seeds: 47.9 ± 9.1 % over 3 seeds."""
    if arm["sd"] is None:
        return f"{percent(arm['mean'])} % with one seed"
    return f"{percent(arm['mean'])} ± {percent(arm['sd'])} % over {arm['seeds']} seeds"


def verdicts(task, entry, headline):
    """What a task's results say first: the first arm over its seeds against the base model, and the best other arm.

    `task` is its marked name, `entry` its part of results.json. If another arm is better, it is said as plainly.
    """
    arms = {arm: value[headline] for arm, value in entry["arms"].items()}
    (first, of_first), base = next(iter(arms.items())), entry["policies"]["base"]["metrics"]["scores"][headline]
    said = [
        f"On {of_first['n']} problems of {task}, {first} ({score_in_words(of_first)}) is {verdict(of_first)} the base "
        f"model ({percent(base['value'])} %): {change_in_words(of_first)} points."
    ]
    if entry["leads"]:
        best = max(entry["leads"], key=lambda arm: arms[arm]["mean"])
        lead = entry["leads"][best][headline]
        said.append(
            f"{first} is {verdict(lead)} {best}, the best of the other arms ({score_in_words(arms[best])}): "
            f"{change_in_words(lead)} points."
        )
    return said


def claims_over_seeds(arms, leads, headline):
    """Sentences that compare a task's arms over their seeds with the base model, and the first arm with the others."""
    named = {
        arm: f"{arm} over {value[headline]['seeds']} seed{'s' * (value[headline]['seeds'] > 1)}"
        for arm, value in arms.items()
    }
    first = next(iter(named.values()))
    return [
        *(claim_over_seeds(named[arm], "the base model", value[headline]) for arm, value in arms.items()),
        *(claim_over_seeds(first, named[arm], value[headline]) for arm, value in leads.items()),
    ]


def merge_in_words(merge):
    """What an arm's adapter is made of, by its section `merge_of`."""
    parts = " and ".join(f"{arm} (weight {weight:g})" for arm, weight in sorted(merge["adapters"].items()))
    kept = f", density {merge['density']:g}" if "density" in merge else ""
    return f"with the adapters of {parts} merged by {merge['method']}{kept}"


def rewards_in_words(config, arm):
    """The rewards of an arm with their weights; None if it is not trained by rewards."""
    of = (config["arms"] | config["controls"]["arms"])[arm]
    if "merge_of" in of or (config["train"] | of.get("train", {}))["trainer"] != "grpo":
        return None
    weights = config["rewards"] | of.get("rewards", {})
    return " and ".join(f"{name} (weight {weight:g})" for name, weight in sorted(weights.items()) if weight)


def beside_published(row):
    """One sentence that holds a measured score to a published one; `row` is one of `reasoning.rows.published_rows`."""
    who = "the base model" if row["policy"] == "base" else f"arm {row['policy']}"
    change = {"difference": "difference", "low": "difference_low", "high": "difference_high"}
    change = {key: row[name] for key, name in change.items()}
    return (
        f"On {row['n']} problems of {row['task']}, {who} scores {percent(row['value'])} %, {verdict(change)} the "
        f"published {percent(row['score'])} %: {change_in_words(change)} points. Published: {row['source']}"
    )


def environment_in_words(environment):
    """A stage's environment in one line; `environment` is None if the stage did not record it."""
    if environment is None:
        return "not stated"
    packages = ", ".join(f"{name} {version}" for name, version in environment["packages"].items())
    locks = ", ".join(f"{path} {digest[:12]}" for path, digest in environment["lock_files"].items())
    image = f"image {environment['image']}; " if environment["image"] else ""
    on = ", ".join(value for value in environment.get("processor", {}).values() if value)
    parts = [f"{image}Python {environment['python']}", locks or "not that of a lock file", packages, on]
    return "; ".join(filter(None, parts))


def several_environments(environments):
    """A warning if the stages of a run ran in different environments, else None."""
    if len(environments) < 2:
        return None
    return (
        f"These numbers come from stages that ran in {len(environments)} different environments, which the report "
        "lists. To make all of them in this one: snakemake --forceall."
    )
