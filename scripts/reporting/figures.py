"""The figures of a run: SVG for the report, PDF for papers; the same numbers always give the same bytes."""

import io

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot  # noqa: E402
from reasoning.policies import arm_of  # noqa: E402

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

# Column of history.csv -> title of its plot. Quantities that a run did not log are left out.
CURVES = {
    "rewards/accuracy/mean": "accuracy reward",
    "rewards/format/mean": "format reward",
    "completions/mean_length": "completion length (tokens)",
    "entropy": "entropy (nats per token)",
    "kl": "KL to the base model (nats per token)",
    "clip_ratio/region_mean": "clipped tokens (share)",
    "frac_reward_zero_std": "groups without signal (share)",
    "loss": "loss",
}


def curves(results, histories):
    """Training curves, one line per policy. `histories` is `{policy: rows of history.csv}`."""
    logged = [key for key in CURVES if any(row.get(key) for history in histories.values() for row in history)]
    rows = -(-len(logged) // 2)
    figure, axes = pyplot.subplots(rows, 2, figsize=(7, 1.5 * rows), squeeze=False)
    colours = {arm: f"C{i}" for i, arm in enumerate(dict.fromkeys(map(arm_of, histories)))}
    for axis, key in zip(axes.flat, logged, strict=False):
        for policy, history in histories.items():
            points = [(int(row["step"]), float(row[key])) for row in history if row.get(key)]
            if points:
                axis.plot(*zip(*points, strict=True), color=colours[arm_of(policy)], linewidth=1)
        axis.set_title(CURVES[key])
    for axis in axes.flat[len(logged) :]:
        axis.axis("off")
    lines = [pyplot.Line2D([], [], color=colour, label=arm) for arm, colour in colours.items()]
    figure.legend(handles=lines, loc="outside upper right", ncols=len(lines), fontsize=7)
    return figure


def families(results, histories):
    """Scores of each family by the headline extractor, before and after training, with Wilson 95 % intervals."""
    name = results["headline"]
    shown = {
        task: [entry["policies"][policy]["metrics"]["families"] for policy in ("base", results["policy"])]
        for task, entry in results["tasks"].items()
    }
    heights = [len(before) for before, _ in shown.values()]
    figure, axes = pyplot.subplots(
        len(shown), 1, figsize=(6, 0.6 + 0.28 * sum(heights)), height_ratios=heights, squeeze=False
    )
    for axis, (task, pair) in zip(axes.flat, shown.items(), strict=True):
        kinds = list(pair[0])
        for of_policy, label, shift in zip(pair, ("base", results["policy"]), (-0.13, 0.13), strict=True):
            interval(axis, [of_policy[kind][name] for kind in kinds], shift, label)
        axis.set_yticks(range(len(kinds)), kinds)
        axis.set_ylim(len(kinds) - 0.5, -0.5)
        axis.set_title(f"{task}, {name}: % correct with 95 % interval")
        axis.set_xlim(-2, 102)
        axis.legend(fontsize=7)
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


FIGURES = {"changes": changes, "families": families, "curves": curves}


def svg(figure):
    """The figure as an SVG element for a page."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()[out.getvalue().index("<svg") :]


def pdf(figure):
    """The figure as a PDF file's bytes."""
    out = io.BytesIO()
    figure.savefig(out, format="pdf", metadata={"CreationDate": None})
    return out.getvalue()
