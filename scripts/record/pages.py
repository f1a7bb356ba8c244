"""The pages and figures of a record, made from its own data: `publish` writes one, `check` compares all."""

import re
import zlib
from pathlib import Path

from reasoning.rows import read_results, trained_in_order
from reporting.page import page
from stage.environment import versions
from stage.files import read_json, read_text

from record.compared import near
from record.crate import crate_of
from record.layout import JOBS, SCOPES, read_samples
from record.trainings import histories

# What draws figures: another version may place a label elsewhere.
DRAWS = "matplotlib"
SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)
STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)


def drawn(record, results):
    """The figures of a results.json as matplotlib's, `{name: figure}`."""
    from reporting.figures import FIGURES

    rows = histories(record, trained_in_order(results))
    return {name: draw(results, rows) for name, draw in FIGURES.items()}


def page_of(record, scope, command, provenance=None):
    """The report of a scope as HTML, and its figures; with `provenance`, the record's own page."""
    import yaml
    from reporting.figures import svg

    config, results = read_json(record / "config.json"), read_results(record / scope / "results.json")
    figures = drawn(record, results)
    text = page(
        record / "workflow/report/report.html.j2",
        config,
        command,
        results,
        samples={
            (task, policy): read_samples(record, task, policy)
            for task, entry in results["tasks"].items()
            for policy in entry["policies"]
        },
        histories=histories(record, trained_in_order(results)),
        figures={name: svg(figure) for name, figure in figures.items()},
        citation=yaml.safe_load(read_text(record / "CITATION.cff")),
        provenance=provenance,
    )
    return text, figures


def strokes(pdf):
    """What a PDF draws, as the text of its operators; its fonts and its bookkeeping are left out."""
    found = []
    for stream in STREAM.findall(pdf):
        try:
            text = zlib.decompress(stream)
        except zlib.error:
            continue
        if text.isascii():
            found.append(text.decode())
    return "\n".join(found)


def check_pages(record, provenance, alike):
    """Pages and figures that the record's data do not make, one line each; `alike`: figures are drawn alike here."""
    from reporting.figures import pdf

    pages = {Path("record.html"): page_of(record, SCOPES[-1], None, provenance)[0]}
    for scope, command in zip(SCOPES, provenance["commands"], strict=True):
        # A run's page names the config beside it, the record's commands the record's copy.
        command = command.replace(f"{provenance['record']}/config.json", f"{provenance['folder']}/config.json")
        pages[scope / "report.html"], figures = page_of(record, scope, command)
        for name, made in figures.items():
            path = scope / "figures" / f"{name}.pdf"
            if alike and not near(strokes((record / path).read_bytes()), strokes(pdf(made))):
                yield f"{path}: does not show the record's data"
    for path, made in pages.items():
        text = read_text(record / path)
        if SVG.sub("", text) != SVG.sub("", made):
            yield f"{path}: does not follow from the record's data"
        elif alike and not all(map(near, SVG.findall(text), SVG.findall(made))):
            yield f"{path}: a figure does not show the record's data"


def check_crate(record, provenance, license):
    """Where ro-crate-metadata.json is not what the record's files and notes make of it, as at most one line."""
    published = read_json(record / "ro-crate-metadata.json")
    made = crate_of(record, Path(provenance["folder"]), read_json(record / JOBS), provenance, license)

    def entities(crate):  # the one date is that of the writing
        return {e["@id"]: {key: v for key, v in e.items() if key != "datePublished"} for e in crate["@graph"]}

    a, b = entities(published), entities(made)
    if differing := sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key)):
        yield f"ro-crate-metadata.json: {differing[0]} does not follow from the record's files and jobs"


def check(record, config, results):
    """`(wrong, said)`: pages, figures or crate that do not follow from the record's data by the code here."""
    from matplotlib import pyplot

    provenance = read_json(record / "provenance.json")
    version, here = provenance["machine"]["packages"].get(DRAWS), versions([DRAWS])[DRAWS]
    wrong = [
        *check_pages(record, provenance, version == here),
        *check_crate(record, provenance, config["model"]["license"]),
    ]
    pyplot.close("all")
    if version != here:
        return wrong, [f"figures NOT compared: the record has {DRAWS} {version}, and here is {here}"]
    return wrong, ["pages and figures made again"]
