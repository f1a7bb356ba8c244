"""Numbers in words: phrases, and sentences that claim no more than the intervals support."""

from reasoning.overrides import merged
from reasoning.statistics import fractional
from reasoning.supervision import distinct, gives


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


def against_base(task, entry, arm, headline):
    """One sentence that compares an arm over its seeds with the base model; `task` is the task's marked name."""
    of, base = entry["arms"][arm][headline], entry["policies"]["base"]["metrics"]["scores"][headline]
    return (
        f"On {of['n']} problems of {task}, {arm} ({score_in_words(of)}) is {verdict(of)} the base model "
        f"({percent(base['value'])} %): {change_in_words(of)} points."
    )


def rivals(entry, headline, shown):
    """`{arm: what it is}` of the arms that the first arm is held to, in the order of what they are.

    These are the arm that it goes on from, the best of the other arms, the best control, and every other that leads it.
    `shown` is that of results.json.
    """

    def best(arms):
        return max(arms, key=lambda arm: entry["arms"][arm][headline]["mean"], default=None)

    leads, found = entry["leads"], {}
    others = [arm for arm in leads if arm not in (shown["start"], *shown["controls"])]
    found |= {shown["start"]: "which it goes on from"} if shown["start"] in leads else {}
    found |= {best(others): "the best of the other arms" if len(others) > 1 else None}
    found |= {best([arm for arm in leads if arm in shown["controls"]]): "the best of the controls"}
    found |= {arm: None for arm in leads if arm not in found and verdict(leads[arm][headline]) == "lower than"}
    return {arm: what for arm, what in found.items() if arm}


def verdicts(task, entry, headline, shown):
    """What a task's results say first: the first arm over its seeds against the base model, and against its rivals.

    `task` is its marked name, `entry` its part of results.json. If another arm is better, it is said as plainly.
    """
    first = next(iter(entry["arms"]))
    said = [against_base(task, entry, first, headline)]
    for arm, what in rivals(entry, headline, shown).items():
        lead, named = entry["leads"][arm][headline], f"{arm}, {what}" if what else arm
        score = score_in_words(entry["arms"][arm][headline])
        said.append(f"{first} is {verdict(lead)} {named} ({score}): {change_in_words(lead)} points.")
    for mark, of in entry["marked"].items():
        value, base = of["arms"][first][headline], of["base"][headline]
        said.append(
            f"On the {value['n']} of these that are {mark}, {first} ({score_in_words(value)}) is {verdict(value)} "
            f"the base model ({percent(base['value'])} %): {change_in_words(value)} points."
        )
        if shown["start"] in of["leads"]:
            lead = of["leads"][shown["start"]][headline]
            said.append(f"There it is {verdict(lead)} {shown['start']}: {change_in_words(lead)} points.")
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


# What a trainer does, and what a reward that is no quality of a completion is.
METHODS = {"grpo": "GRPO", "sft": "supervised fine-tuning"}
COIN = {"random": "a coin toss"}


def training_in_words(config, arm):
    """How an arm is trained, in one phrase: from where, by what, for how long, and on how many problems."""
    of, task = (config["arms"] | config["controls"]["arms"])[arm], config["tasks"][config["task"]]
    if "merge_of" in of:
        return f"not trained: the model at the start {merge_in_words(of['merge_of'])}"
    train, weights = merged(config["train"], of.get("train", {})), merged(config["rewards"], of.get("rewards", {}))
    problems, steps, n = train["problems"], train[train["trainer"]]["max_steps"], distinct(task, train)
    said = f"{METHODS[train['trainer']]} from {train['start'] or 'the base model'}, {steps} steps on "
    if train["trainer"] == "sft":
        if train["teacher"]:
            return f"{said}those of {train['teacher']}'s completions of {n} problems that are right"
        what = "worked solutions" if gives(task, "solution") else "the answers"
        return f"{said}{what} of {n} problems" + ", each with another one's answer" * problems["wrong_answers"]
    rewards = [f"{COIN.get(name, name)} (weight {weight:g})" for name, weight in sorted(weights.items()) if weight]
    said += f"{n} problems, rewarded by {' and '.join(rewards)}"
    said += ", each held to another one's answer" * problems["wrong_answers"]
    return said + ", with some of the prompt's worked examples, drawn at random" * bool(problems["examples"])


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
