"""A run's numbers for a paper: LaTeX macros, a table, and the workflow's BibTeX entry."""

import re

from reasoning.protocol import extractors_in_order
from reasoning.rows import marked_task, rows

from reporting.words import change_in_words, percent, points


def macros(results):
    """LaTeX macros for every arm over its seeds, then for every score, such as \\numGsmEightKBaseStrict."""
    found = {}
    for task, entry in results["tasks"].items():
        for arm, of_arm in entry["arms"].items():
            for extractor in extractors_in_order(of_arm):
                name, value = macro(task, arm, extractor), of_arm[extractor]
                found |= {f"{name}Mean": percent(value["mean"])} | change(f"{name}MeanGain", value)
                found |= {f"{name}Sd": percent(value["sd"])} if value["sd"] is not None else {}
                if arm in entry["leads"]:
                    found |= change(f"{name}Lead", entry["leads"][arm][extractor])
    for row in rows(results):
        name = macro(row["task"], row["policy"], row["extractor"])
        found[name] = percent(row["value"])
        found |= {f"{name}Gain": points(row["difference"])} if row["difference"] is not None else {}
    lines = [rf"\newcommand{{{name}}}{{{value}}}" for name, value in found.items()]
    said = "% Generated; every number is also in results.json. A lead is the first arm's over the arm."
    return "\n".join([said, *lines]) + "\n"


def change(name, value):
    """The macros of a change in points and of its interval."""
    parts = {"": "difference", "Low": "low", "High": "high"}
    return {f"{name}{part}": points(value[key]) for part, key in parts.items()}


def macro(*words):
    """A LaTeX macro's name: letters only, so digits are spelt out."""
    digits = dict(zip("0123456789", "Zero One Two Three Four Five Six Seven Eight Nine".split(), strict=True))
    spelt = re.sub(r"\d", lambda m: f" {digits[m[0]]} ", " ".join(words))
    return r"\num" + "".join(word.capitalize() for word in re.split(r"[^A-Za-z]+", spelt))


def latex_table(results):
    """A booktabs table by the headline extractor: the base model, and a row for each arm over its seeds."""
    name, lines = results["headline"], [r"\begin{tabular}{llrrll}", r"\toprule"]
    lines += [r"Task & Arm & Seeds & \% & Change [95\,\% interval] & Lead over the arm \\", r"\midrule"]
    for task, entry in results["tasks"].items():
        base = entry["policies"]["base"]["metrics"]["scores"][name]
        rows = [["base", "", percent(base["value"]), "", ""]]
        for arm, value in entry["arms"].items():
            of_arm, lead = value[name], entry["leads"].get(arm)
            score = percent(of_arm["mean"]) + ("" if of_arm["sd"] is None else rf" $\pm$ {percent(of_arm['sd'])}")
            changes = [change_in_words(of_arm), change_in_words(lead[name]) if lead else ""]
            rows.append([arm, str(of_arm["seeds"]), score, *changes])
        shown = marked_task(task, entry)
        lines += [" & ".join(cell.replace("_", r"\_") for cell in [shown, *row]) + r" \\" for row in rows]
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
