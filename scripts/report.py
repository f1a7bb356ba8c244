"""Write the run's report: one self-contained HTML page, and for papers LaTeX macros, a table and figures."""

import argparse
import csv
import json
import re
from pathlib import Path

from gsm8k.answer import EXTRACTORS
from gsm8k.records import read_jsonl, replacing, sha256
from tabulate_results import change_in_words, marked, marked_row, percent, read_results, rows


def word(change):
    """ "higher" or "lower" only where the interval excludes 0 and McNemar's test, where there is one, agrees."""
    sure = change.get("p", 0) < 0.05
    if sure and change["low"] > 0:
        return "higher than"
    return "lower than" if sure and change["high"] < 0 else "not distinguishable from"


def claim(task, policy, change):
    """One sentence about one comparison with the base model."""
    return (
        f"On {change['n']} problems of {task}, {policy} is {word(change)} the base model: "
        f"{100 * change['difference']:+.1f} points, 95 % interval [{100 * change['low']:+.1f}, "
        f"{100 * change['high']:+.1f}], exact McNemar p = {change['p']:.2g}, "
        f"{change['won']} problems won and {change['lost']} lost."
    )


def claim_over_seeds(arm, other, change):
    """One sentence about an arm, a phrase, and what it is compared with."""
    return f"{arm} is {word(change)} {other}: {change_in_words(change)} points."


def claims_over_seeds(arms, margins, headline):
    """What is said of a task's arms over their seeds, against the base model and against the controls."""
    named = {
        arm: f"{arm} over {value[headline]['seeds']} seed{'s' * (value[headline]['seeds'] > 1)}"
        for arm, value in arms.items()
    }
    lead = next(iter(named.values()))
    return [
        *(claim_over_seeds(named[arm], "the base model", value[headline]) for arm, value in arms.items()),
        *(claim_over_seeds(lead, named[arm], value[headline]) for arm, value in margins.items()),
    ]


def examples(base, policy, count=3):
    """The first problems that the policy won and lost by the strict extractor, with both completions."""
    pairs = list(zip(base, policy, strict=True))
    won = [(b, p) for b, p in pairs if p["correct"]["strict"] and not b["correct"]["strict"]]
    lost = [(b, p) for b, p in pairs if b["correct"]["strict"] and not p["correct"]["strict"]]
    return {"won": won[:count], "lost": lost[:count]}


def macros(results):
    """LaTeX macros of every score, such as \\numGsmEightKBaseStrict, and of every arm over its seeds."""
    lines = ["% Generated; every number is also in results.json."]
    for row in rows(results):
        name = macro(row["task"], row["policy"], row["extractor"])
        lines.append(rf"\newcommand{{{name}}}{{{percent(row['value'])}}}")
        if row["difference"] is not None:
            lines.append(rf"\newcommand{{{name}Gain}}{{{100 * row['difference']:+.1f}}}")
    for task, entry in results["tasks"].items():
        for arm, of_arm in entry["arms"].items():
            for extractor in EXTRACTORS:
                name, value = macro(task, arm, extractor), of_arm[extractor]
                lines.append(rf"\newcommand{{{name}Mean}}{{{percent(value['mean'])}}}")
                lines.append(rf"\newcommand{{{name}MeanGain}}{{{100 * value['difference']:+.1f}}}")
                if value["sd"] is not None:
                    lines.append(rf"\newcommand{{{name}Sd}}{{{percent(value['sd'])}}}")
    return "\n".join(lines) + "\n"


def macro(*words):
    """The name of a LaTeX macro: letters only, so digits are spelt."""
    digits = dict(zip("0123456789", "Zero One Two Three Four Five Six Seven Eight Nine".split(), strict=True))
    spelt = re.sub(r"\d", lambda m: f" {digits[m[0]]} ", " ".join(words))
    return r"\num" + "".join(word.capitalize() for word in re.split(r"[^A-Za-z]+", spelt))


def latex_table(results):
    """A booktabs table: one row a task, policy and extractor."""
    lines = [r"\begin{tabular}{lllrrr}", r"\toprule"]
    lines += [r"Task & Policy & Extractor & $n$ & \% [95\,\% interval] & Change \\", r"\midrule"]
    for row in rows(results):
        change = "" if row["difference"] is None else f"${100 * row['difference']:+.1f}$"
        cells = [marked_row(row), row["policy"], row["extractor"], str(row["n"])]
        score = f"{percent(row['value'])} [{percent(row['low'])}, {percent(row['high'])}]"
        lines.append(" & ".join([*(cell.replace("_", r"\_") for cell in cells), score, change]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def bibtex(citation):
    """The BibTeX entry of a CITATION.cff, given as its parsed YAML."""
    authors = " and ".join(f"{{{author['name']}}}" for author in citation["authors"])
    fields = {
        "title": f"{{{citation['title']}}}",
        "author": authors,
        "version": citation["version"],
        "year": str(citation["date-released"])[:4],
    }
    return "@software{build_reasoning_model,\n" + "".join(f"  {k} = {{{v}}},\n" for k, v in fields.items()) + "}"


def marked_task(task, entry):
    """A task's name in results.json, marked as its scores have to be."""
    metrics = entry["policies"]["base"]["metrics"]
    return marked(task, metrics["protocol"]["split"], metrics["subset"])


def page(template, config, command, results, samples, figures, citation, locks, image, provenance=None):
    """The report as HTML. `samples` is `{(task, policy): samples}`, `figures` `{name: SVG}`, `locks` `{path: sha256}`.

    `image` is the base, by digest, of the container image of the environment.

    `provenance` says where and when a published record was made; without it the page speaks of no machine and has the
    same bytes wherever the same numbers come out.
    """
    import jinja2

    claims, shown, headline = [], {}, results["headline"]
    of_seeds = {
        task: claims_over_seeds(entry["arms"], entry["margins"], headline) for task, entry in results["tasks"].items()
    }
    for task, entry in results["tasks"].items():
        for policy, value in entry["policies"].items():
            if comparison := value["comparison"]:
                claims.append(claim(marked_task(task, entry), policy, comparison["extractors"][headline]))
                shown[task, policy] = examples(samples[task, "base"], samples[task, policy])
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"percent": percent, "points": lambda value: f"{100 * value:+.1f}"}
    environment.filters |= {"change": change_in_words, "marked": marked_row}
    return environment.get_template(template.name).render(
        results=results,
        config=config,
        command=command,
        rows=list(rows(results)),
        claims=claims,
        of_seeds=of_seeds,
        marked={task: marked_task(task, entry) for task, entry in results["tasks"].items()},
        examples=shown,
        figures=figures,
        bibtex=bibtex(citation),
        locks=locks,
        image=image,
        provenance=provenance,
    )


def main(args):
    import yaml
    from figures import FIGURES, pdf, svg

    results = read_results(args.results)
    samples = {(p.parent.parent.name, p.parent.name): read_jsonl(p) for p in args.samples}
    histories = {p.name: list(csv.DictReader((p / "history.csv").open())) for p in args.adapters}
    drawn = {name: draw(results, histories) for name, draw in FIGURES.items()}
    html = page(
        args.template,
        json.loads(args.config),
        args.command,
        results,
        samples,
        {name: svg(figure) for name, figure in drawn.items()},
        yaml.safe_load(args.citation.read_text()),
        {str(path): sha256(path) for path in args.locks},
        args.image,
    )
    for path in args.figures:
        with replacing(path) as partial:
            partial.write_bytes(pdf(drawn[path.stem]))
    for path, text in ((args.numbers, macros(results)), (args.table, latex_table(results)), (args.html, html)):
        with replacing(path) as partial:
            partial.write_text(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the whole config, as JSON")
    parser.add_argument("--command", required=True, help="what to type in a clean clone to get these numbers")
    parser.add_argument("--template", required=True, type=Path, help="Jinja2 template of the page")
    parser.add_argument("--citation", required=True, type=Path, help="CITATION.cff")
    parser.add_argument("--locks", required=True, type=Path, nargs="+", help="the lists of the environment")
    parser.add_argument("--image", required=True, help="base of the environment's image, by digest")
    parser.add_argument("--results", required=True, type=Path, help="results.json of tabulate_results")
    parser.add_argument("--adapters", required=True, type=Path, nargs="+", help="directories of the adapters")
    parser.add_argument("--samples", required=True, type=Path, nargs="+", help="eval/<task>/<policy>/samples.jsonl")
    parser.add_argument("--html", required=True, type=Path, help="page to write")
    parser.add_argument(
        "--figures", required=True, type=Path, nargs="+", help="PDF files to write, named as in figures.py"
    )
    parser.add_argument("--numbers", required=True, type=Path, help="LaTeX macros to write")
    parser.add_argument("--table", required=True, type=Path, help="LaTeX table to write")
    main(parser.parse_args())
