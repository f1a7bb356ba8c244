"""Write the run's report: one self-contained HTML page, and the same numbers as LaTeX macros and table."""

import argparse
import csv
import io
import json
import re
from pathlib import Path

from gsm8k.answer import EXTRACTORS
from gsm8k.records import read_json, read_jsonl, replacing
from tabulate_results import percent, rows

# Column of history.csv -> what the figure calls it. Quantities that a run did not log are left out.
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


def curves(histories):
    """An SVG of the training curves, one line a policy. `histories` is `{policy: rows of history.csv}`."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {
        "svg.hashsalt": "curves",
        "font.size": 8,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    from matplotlib import pyplot

    logged = [key for key in CURVES if any(row.get(key) for history in histories.values() for row in history)]
    figure, axes = pyplot.subplots(-(-len(logged) // 2), 2, figsize=(8, 1.7 * -(-len(logged) // 2)), squeeze=False)
    for axis, key in zip(axes.flat, logged, strict=False):
        for policy, history in histories.items():
            points = [(int(row["step"]), float(row[key])) for row in history if row.get(key)]
            axis.plot(*zip(*points, strict=True), label=policy, marker=".", linewidth=1)
        axis.set_title(CURVES[key], fontsize=8, loc="left")
    for axis in axes.flat[len(logged) :]:
        axis.axis("off")
    axes.flat[0].legend(frameon=False, fontsize=7)
    figure.tight_layout()
    svg = io.StringIO()
    figure.savefig(svg, format="svg", metadata={"Date": None})
    return svg.getvalue()[svg.getvalue().index("<svg") :]


def claim(task, policy, change):
    """One sentence about one comparison; it says "higher" or "lower" only where the interval excludes 0."""
    word = "higher than" if change["low"] > 0 else "lower than" if change["high"] < 0 else "not distinguishable from"
    return (
        f"On {change['n']} problems of {task}, {policy} is {word} the base model: "
        f"{100 * change['difference']:+.1f} points, 95 % interval [{100 * change['low']:+.1f}, "
        f"{100 * change['high']:+.1f}], exact McNemar p = {change['p']:.2g}, "
        f"{change['won']} problems won and {change['lost']} lost."
    )


def examples(base, policy, count=3):
    """The first problems that the policy won and lost by the strict extractor, with both completions."""
    pairs = list(zip(base, policy, strict=True))
    won = [(b, p) for b, p in pairs if p["correct"]["strict"] and not b["correct"]["strict"]]
    lost = [(b, p) for b, p in pairs if b["correct"]["strict"] and not p["correct"]["strict"]]
    return {"won": won[:count], "lost": lost[:count]}


def macros(results):
    """LaTeX macros of every score, such as \\numGsmEightKBaseStrict: names hold letters only, so digits are spelt."""
    digits = dict(zip("0123456789", "Zero One Two Three Four Five Six Seven Eight Nine".split(), strict=True))
    lines = ["% Generated; every number is also in results.json."]
    for row in rows(results):
        words = re.sub(r"\d", lambda m: f" {digits[m[0]]} ", f"{row['task']} {row['policy']} {row['extractor']}")
        name = "".join(word.capitalize() for word in re.split(r"[^A-Za-z]+", words))
        lines.append(rf"\newcommand{{\num{name}}}{{{percent(row['value'])}}}")
        if row["difference"] is not None:
            lines.append(rf"\newcommand{{\num{name}Gain}}{{{100 * row['difference']:+.1f}}}")
    return "\n".join(lines) + "\n"


def latex_table(results):
    """A booktabs table: one row a task, policy and extractor."""
    lines = [r"\begin{tabular}{lllrrr}", r"\toprule"]
    lines += [r"Task & Policy & Extractor & $n$ & \% [95\,\% interval] & Change \\", r"\midrule"]
    for row in rows(results):
        change = "" if row["difference"] is None else f"${100 * row['difference']:+.1f}$"
        cells = [row["task"], row["policy"], row["extractor"], str(row["n"])]
        score = f"{percent(row['value'])} [{percent(row['low'])}, {percent(row['high'])}]"
        lines.append(" & ".join([*(cell.replace("_", r"\_") for cell in cells), score, change]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def main(args):
    import jinja2

    results, config = read_json(args.results), json.loads(args.config)
    samples = {(p.parent.parent.name, p.parent.name): read_jsonl(p) for p in args.samples}
    histories = {p.name: list(csv.DictReader((p / "history.csv").open())) for p in args.adapters}
    claims, shown = [], {}
    for task, entry in results["tasks"].items():
        for policy, value in entry["policies"].items():
            if comparison := value["comparison"]:
                claims.append(claim(task, policy, comparison["extractors"][results["headline"]]))
                shown[task, policy] = examples(samples[task, "base"], samples[task, policy])
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(args.template.parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["percent"] = percent
    page = environment.get_template(args.template.name).render(
        results=results,
        config=config,
        command=args.command,
        rows=list(rows(results)),
        claims=claims,
        examples=shown,
        curves=curves(histories),
        extractors=EXTRACTORS,
    )
    for path, text in ((args.numbers, macros(results)), (args.table, latex_table(results)), (args.html, page)):
        with replacing(path) as partial:
            partial.write_text(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the whole config, as JSON")
    parser.add_argument("--command", required=True, help="what to type in a clean clone to get these numbers")
    parser.add_argument("--template", required=True, type=Path, help="Jinja2 template of the page")
    parser.add_argument("--results", required=True, type=Path, help="results.json of tabulate_results")
    parser.add_argument("--adapters", required=True, type=Path, nargs="+", help="directories of the adapters")
    parser.add_argument("--samples", required=True, type=Path, nargs="+", help="eval/<task>/<policy>/samples.jsonl")
    parser.add_argument("--html", required=True, type=Path, help="page to write")
    parser.add_argument("--numbers", required=True, type=Path, help="LaTeX macros to write")
    parser.add_argument("--table", required=True, type=Path, help="LaTeX table to write")
    main(parser.parse_args())
