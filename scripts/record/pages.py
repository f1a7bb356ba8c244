"""The pages and figures of a record, made from its own data: `publish` writes one, `check` compares all."""

import math
import re
import zlib
from pathlib import Path

from reasoning.rows import read_results, trained_in_order
from reporting.page import page
from stage.environment import versions
from stage.files import read_json, read_text

from record.attestations import read
from record.crate import crate_of
from record.layout import JOBS, SCOPES, read_samples
from record.readme import BLOCK, block, scores_of
from record.trainings import histories

# What draws figures: another version may place a label elsewhere.
DRAWS = "matplotlib"
NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")
NAMED = re.compile(r'(?<=id=")[\w-]+|(?<=#)[\w-]+')  # SVG names its parts after digests of what they look like
SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)
STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
NEAR = 0.02  # points of 1/72 inch


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


def near(first, second):
    """Whether two texts are the same but for numbers that differ by rounding."""
    first, second = (NAMED.sub("", text) for text in (first, second))
    if NUMBER.sub("", first) != NUMBER.sub("", second):
        return False
    pairs = zip(NUMBER.findall(first), NUMBER.findall(second), strict=True)
    return all(a == b or math.isclose(float(a), float(b), abs_tol=NEAR) for a, b in pairs)


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


def check_readme(record, readme, template, image, attestations=Path("attestations")):
    """Where README's block about a record, if it has one, or its figure is not what the record makes of it.

    `attestations` is the folder of others' statements, which the block counts.
    """
    from reporting.figures import arms, svg

    found = BLOCK.search(read_text(readme)) if readme.exists() else None
    if found is None or f"{record}" not in found[0]:
        return
    tasks = scores_of(record)
    numbers = block(record, template, tasks, read(record, attestations)[2]).strip()
    if found[0] != f"{found[1]}{numbers}\n{found[2]}":
        yield f"{readme}: its numbers are not those of {record}: run python scripts/update_readme.py {record}"
    if not image.exists() or not near(read_text(image), svg(arms(tasks))):
        yield f"{image}: does not show {record}: run python scripts/update_readme.py {record}"


def check(record, config, results):
    """`(wrong, said)`: pages, figures, crate or README that do not follow from the record's data by the code here."""
    from matplotlib import pyplot

    provenance = read_json(record / "provenance.json")
    version, here = provenance["machine"]["packages"].get(DRAWS), versions([DRAWS])[DRAWS]
    wrong = [
        *check_pages(record, provenance, version == here),
        *check_crate(record, provenance, config["model"]["license"]),
        *check_readme(record, Path("README.md"), Path("workflow/report/readme.md.j2"), Path("images/results.svg")),
    ]
    pyplot.close("all")
    if version != here:
        return wrong, [f"figures NOT compared: the record has {DRAWS} {version}, and here is {here}"]
    return wrong, ["pages and figures made again"]
