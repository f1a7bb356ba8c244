"""The figures of a run: SVG for the report, PDF for papers; the same numbers always give the same bytes."""

import io

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot  # noqa: E402
from reasoning.policies import arm_of  # noqa: E402

from reporting.summaries import side_by_side  # noqa: E402
from reporting.training import logged_curves  # noqa: E402
from reporting.words import measure  # noqa: E402

matplotlib.rcParams |= {
    "svg.hashsalt": "figures",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def of_arms(histories):
    """`{arm: [rows of history.csv of each seed]}`."""
    found = {}
    for policy, rows in histories.items():
        found.setdefault(arm_of(policy), []).append(rows)
    return found


def coloured(arms):
    """`{arm: colour}`, the same in every figure."""
    return {arm: f"C{place}" for place, arm in enumerate(arms)}


def curves(results, histories):
    """Training curves: the mean over an arm's seeds, and a band from the lowest to the highest."""
    arms, colours = of_arms(histories), coloured(results["shown"]["arms"])
    logged = logged_curves(histories)
    rows = -(-len(logged) // 2)
    figure, axes = pyplot.subplots(rows, 2, figsize=(7, 1.7 * rows), squeeze=False)
    for axis, key in zip(axes.flat, logged, strict=False):
        for arm, seeds in arms.items():
            of_step = {}
            for row in (row for rows in seeds for row in rows if row.get(key)):
                of_step.setdefault(int(row["step"]), []).append(float(row[key]))
            steps = sorted(of_step)
            means = [sum(of_step[step]) / len(of_step[step]) for step in steps]
            axis.plot(steps, means, color=colours[arm], linewidth=1)
            if len(seeds) > 1:
                ends = ([end(of_step[step]) for step in steps] for end in (min, max))
                axis.fill_between(steps, *ends, color=colours[arm], alpha=0.2, linewidth=0)
        title, unit = logged[key]
        axis.set_title(title)
        axis.set_ylabel(unit)
        axis.set_xlabel("step")
    for axis in axes.flat[len(logged) :]:
        axis.axis("off")
    lines = [pyplot.Line2D([], [], color=colours[arm], label=arm) for arm in arms]
    figure.legend(handles=lines, loc="outside upper right", ncols=min(len(lines), 5), fontsize=7)
    return figure


def by_arm(results):
    """`{task: {n, base, arms, seeds, guess}}` by the headline extractor, as `arms` draws it."""
    name, found = results["headline"], {}
    for task, entry in results["tasks"].items():
        scores = {policy: value["metrics"]["scores"][name] for policy, value in entry["policies"].items()}
        seeds = {arm: [scores[policy]["value"] for policy in scores if arm_of(policy) == arm] for arm in entry["arms"]}
        of_arm = {arm: value[name] for arm, value in entry["arms"].items()}
        found[task] = {"n": scores["base"]["n"], "base": scores["base"], "arms": of_arm, "seeds": seeds}
        found[task]["guess"] = entry["guess"]
    return found


def arms(tasks):
    """Scores of the base model and of each arm in percent: each seed, the mean, and the interval of the change."""
    heights = [1 + len(entry["arms"]) for entry in tasks.values()]
    figure, axes = pyplot.subplots(len(tasks), 1, figsize=(7, 0.7 + 0.34 * sum(heights)), squeeze=False)
    for axis, (task, entry) in zip(axes.flat, tasks.items(), strict=True):
        base, rows = entry["base"], list(entry["arms"].items())
        axis.axvspan(100 * base["low"], 100 * base["high"], color="0.92", linewidth=0)
        axis.axvline(100 * base["value"], color="0.5", linewidth=0.8)
        axis.plot(100 * base["value"], 0, "s", color="0.35", markersize=5)
        if guess := entry.get("guess"):
            axis.axvline(100 * guess["value"], color="0.6", linewidth=0.8, linestyle=":")
        for place, (arm, value) in enumerate(rows, 1):
            low, high = (100 * max(0, min(1, base["value"] + value[side])) for side in ("low", "high"))
            colour = f"C{place - 1}"
            axis.plot([low, high], [place, place], color=colour, linewidth=1.5)
            seeds = [100 * score for score in entry["seeds"][arm]]
            axis.plot(seeds, [place + 0.22] * len(seeds), "o", color=colour, markersize=2.5, alpha=0.6, linewidth=0)
            axis.plot(100 * value["mean"], place, "D", color=colour, markersize=5)
        axis.set_yticks(range(1 + len(rows)), ["base model", *(arm for arm, _ in rows)])
        axis.set_ylim(len(rows) + 0.5, -0.5)
        axis.set_xlim(0, 100)
        axis.set_xlabel(f"{measure(base)}, % of test problems")
        dotted = "; dotted: commonest answer" if entry.get("guess") else ""
        axis.set_title(f"{task}, n = {entry['n']}: mean, 95 % interval of the change, each seed a dot{dotted}")
    return figure


def supervision(results, histories):
    """Scores against the worked solutions that an arm was told: the mean over seeds, and the interval of the change."""
    figure, axes = pyplot.subplots(len(results["tasks"]), 1, figsize=(6, 2.8 * len(results["tasks"])), squeeze=False)
    for axis, (task, entry) in zip(axes.flat, by_arm(results).items(), strict=True):
        axis.axhline(100 * entry["base"]["value"], color="0.5", linewidth=0.8)
        told = [results["told"][arm]["solutions"] for arm in entry["arms"]]
        apart = max(*told, 1) / 60  # of arms that were told equally many, so that each is seen
        for place, (arm, value) in enumerate(entry["arms"].items()):
            of, mean = results["told"][arm], 100 * value["mean"]
            ends = [[100 * abs(value[side] - value["difference"])] for side in ("low", "high")]
            label = f"{arm}, and {of['answers']} answers" if of["answers"] else arm
            at = of["solutions"] + apart * (told[:place].count(of["solutions"]) - (told.count(of["solutions"]) - 1) / 2)
            axis.errorbar(at, mean, yerr=ends, fmt="o", markersize=4, color=f"C{place}", label=label)
        axis.set_xlabel("worked solutions that the arm was told")
        axis.set_ylabel(f"{measure(entry['base'])}, %")
        axis.set_title(f"{task}: base model as a line, means over seeds, 95 % intervals of the change")
        axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def budgets(results, histories):
    """Scores against the tokens that a completion may take: base model and arms, the mean over seeds."""
    figure, axes = pyplot.subplots(len(results["tasks"]), 1, figsize=(6, 2.4 * len(results["tasks"])), squeeze=False)
    for axis, (task, entry) in zip(axes.flat, results["tasks"].items(), strict=True):
        found = {}
        for policy, value in entry["policies"].items():
            of_budget = {int(tokens): each["value"] for tokens, each in value["metrics"]["within_tokens"].items()}
            found.setdefault(arm_of(policy), []).append(of_budget)
        for place, (arm, seeds) in enumerate(found.items()):
            # A budget that is longer than a seed's longest completion changes nothing for that seed.
            tokens = sorted({budget for of_budget in seeds for budget in of_budget})
            reached = [[max(v for b, v in seed.items() if b <= t or b == min(seed)) for seed in seeds] for t in tokens]
            means = [100 * sum(values) / len(values) for values in reached]
            colour = "0.35" if arm == "base" else f"C{place - 1}"
            axis.plot(tokens, means, marker="o", markersize=3, linewidth=1, color=colour, label=arm)
        axis.set_xscale("log", base=2)
        axis.set_xlabel("tokens that a completion may take")
        axis.set_ylabel(f"{measure(entry['policies']['base']['metrics']['scores']['strict'])}, %")
        axis.set_title(f"{task}: right by strict within the budget")
        axis.legend(fontsize=7)
    return figure


def families(results, histories):
    """Scores of each family of the first task by the headline extractor: the base model, and arms over their seeds."""
    name, beside, colours = results["headline"], side_by_side(results), coloured(results["shown"]["arms"])
    task, entry = next(iter(results["tasks"].items()))
    of = {policy: value["metrics"]["families"] for policy, value in entry["policies"].items()}
    kinds = list(of["base"])
    figure, axis = pyplot.subplots(figsize=(7, 0.8 + (0.2 + 0.11 * len(beside)) * len(kinds)))
    base = [100 * of["base"][kind][name]["value"] for kind in kinds]
    axis.plot(base, range(len(kinds)), "|", color="0.35", markersize=12, label="base model", linewidth=0)
    for row, arm in enumerate(beside):
        seeds = [found for policy, found in of.items() if arm_of(policy) == arm]
        scores = [[100 * found[kind][name]["value"] for found in seeds] for kind in kinds]
        places = [place + 0.7 * ((row + 0.5) / len(beside) - 0.5) for place in range(len(kinds))]
        for place, values in zip(places, scores, strict=True):
            axis.plot([min(values), max(values)], [place, place], color=colours[arm], linewidth=1)
        means = [sum(values) / len(values) for values in scores]
        axis.plot(means, places, "o", color=colours[arm], markersize=3.5, label=arm, linewidth=0)
    axis.set_yticks(range(len(kinds)), kinds)
    axis.set_ylim(len(kinds) - 0.5, -0.5)
    axis.set_title(f"{task}, {name}: % correct, mean over seeds, and from the lowest to the highest seed")
    axis.set_xlim(-2, 102)
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def changes(results, histories):
    """The change of each policy against the base model by the headline extractor, with its paired 95 % interval."""
    name = results["headline"]
    found = [
        (f"{task}, {policy}" if len(results["tasks"]) > 1 else policy, value["comparison"]["extractors"][name])
        for task, entry in results["tasks"].items()
        for policy, value in entry["policies"].items()
        if value["comparison"]
    ]
    figure, axis = pyplot.subplots(figsize=(6, 0.6 + 0.25 * len(found)))
    interval(axis, [change | {"value": change["difference"]} for _, change in found], 0, None)
    axis.axvline(0, color="0.6", linewidth=0.8)
    axis.set_yticks(range(len(found)), [label for label, _ in found])
    axis.set_ylim(len(found) - 0.5, -0.5)
    axis.set_title(f"change against the base model in points, {name}, with paired 95 % interval")
    return figure


def settings(found, headline):
    """The change of each setting of a sweep against the base model on dev, and of the chosen one on the test split.

    `found` are the rows of reporting/sweep.py; intervals are for other seeds and other problems.
    """
    *tried, chosen = found
    figure, axis = pyplot.subplots(figsize=(6, 0.8 + 0.25 * len(tried)))
    for shown, shift in ((tried, -0.13), ([chosen], 0.13)):
        scores = [row | {"value": row["difference"]} for row in shown]
        interval(axis, scores, shift, f"{shown[0]['split']} split")
    axis.axvline(0, color="0.6", linewidth=0.8)
    axis.set_yticks(range(len(tried)), [row["setting"] for row in tried])
    axis.set_ylim(len(tried) - 0.5, -0.5)
    axis.set_title(f"change against the base model in points, {headline}, with 95 % interval over seeds and problems")
    axis.legend(fontsize=7)
    return figure


def interval(axis, scores, shift, label):
    """Points with horizontal intervals, the first score at the top; proportions are drawn in percent."""
    values = [100 * score["value"] for score in scores]
    below = [100 * (score["value"] - score["low"]) for score in scores]
    above = [100 * (score["high"] - score["value"]) for score in scores]
    places = [i + shift for i in range(len(scores))]
    axis.errorbar(values, places, xerr=[below, above], fmt="o", markersize=3.5, linewidth=1, label=label)


def of_every_policy(draw):
    """A figure of the tasks that every policy was evaluated on: the others have their place in the table over tasks."""

    def drawn(results, histories):
        most = max(len(entry["policies"]) for entry in results["tasks"].values())
        kept = {task: entry for task, entry in results["tasks"].items() if len(entry["policies"]) == most}
        return draw(results | {"tasks": kept}, histories)

    return drawn


FIGURES = {draw.__name__: of_every_policy(draw) for draw in (supervision, changes, families, budgets, curves)}
FIGURES["arms"] = of_every_policy(lambda results, histories: arms(by_arm(results)))


def svg(figure):
    """The figure as an SVG element for a page."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    pyplot.close(figure)  # which pyplot would keep; it can still be saved
    return out.getvalue()[out.getvalue().index("<svg") :]


def pdf(figure):
    """The figure as a PDF file's bytes."""
    out = io.BytesIO()
    figure.savefig(out, format="pdf", metadata={"CreationDate": None})
    pyplot.close(figure)
    return out.getvalue()
