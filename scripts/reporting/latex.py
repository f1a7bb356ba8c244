"""A run's numbers for a paper: LaTeX macros, a table, and the workflow's BibTeX entry."""

import re

from reasoning.protocol import extractors_in_order
from reasoning.rows import marked_row, rows

from reporting.words import percent, points


def macros(results):
    """LaTeX macros for every score, such as \\numGsmEightKBaseStrict, and for every arm over its seeds."""
    lines = ["% Generated; every number is also in results.json."]
    for row in rows(results):
        name = macro(row["task"], row["policy"], row["extractor"])
        lines.append(rf"\newcommand{{{name}}}{{{percent(row['value'])}}}")
        if row["difference"] is not None:
            lines.append(rf"\newcommand{{{name}Gain}}{{{points(row['difference'])}}}")
    for task, entry in results["tasks"].items():
        for arm, of_arm in entry["arms"].items():
            for extractor in extractors_in_order(of_arm):
                name, value = macro(task, arm, extractor), of_arm[extractor]
                lines.append(rf"\newcommand{{{name}Mean}}{{{percent(value['mean'])}}}")
                lines.append(rf"\newcommand{{{name}MeanGain}}{{{points(value['difference'])}}}")
                if value["sd"] is not None:
                    lines.append(rf"\newcommand{{{name}Sd}}{{{percent(value['sd'])}}}")
    return "\n".join(lines) + "\n"


def macro(*words):
    """A LaTeX macro's name: letters only, so digits are spelt out."""
    digits = dict(zip("0123456789", "Zero One Two Three Four Five Six Seven Eight Nine".split(), strict=True))
    spelt = re.sub(r"\d", lambda m: f" {digits[m[0]]} ", " ".join(words))
    return r"\num" + "".join(word.capitalize() for word in re.split(r"[^A-Za-z]+", spelt))


def latex_table(results):
    """A booktabs table: one row per task, policy and extractor."""
    lines = [r"\begin{tabular}{lllrrr}", r"\toprule"]
    lines += [r"Task & Policy & Extractor & $n$ & \% [95\,\% interval] & Change \\", r"\midrule"]
    for row in rows(results):
        change = "" if row["difference"] is None else f"${points(row['difference'])}$"
        cells = [marked_row(row), row["policy"], row["extractor"], str(row["n"])]
        score = f"{percent(row['value'])} [{percent(row['low'])}, {percent(row['high'])}]"
        lines.append(" & ".join([*(cell.replace("_", r"\_") for cell in cells), score, change]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def bibtex(citation):
    """The BibTeX entry for a CITATION.cff, which is given as parsed YAML."""
    authors = " and ".join(f"{{{author['name']}}}" for author in citation["authors"])
    fields = {
        "title": f"{{{citation['title']}}}",
        "author": authors,
        "version": citation["version"],
        "year": str(citation["date-released"])[:4],
    }
    return "@software{build_reasoning_model,\n" + "".join(f"  {k} = {{{v}}},\n" for k, v in fields.items()) + "}"
