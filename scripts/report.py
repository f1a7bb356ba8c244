"""Write the run's report: one self-contained HTML page, plus LaTeX macros, a table and figures for papers."""

import argparse
import csv
import json
from pathlib import Path

from reasoning.rows import read_results, trained_in_order
from reporting.latex import latex_table, macros
from reporting.page import page
from stage.files import read_jsonl, read_text, replacing, write_json, write_text
from stage.screen import run


def main(args):
    import yaml
    from reporting.figures import FIGURES, pdf, svg

    results = read_results(args.results)
    logged = {p.parent.name: list(csv.DictReader(p.open(encoding="utf-8"))) for p in args.histories}
    histories = {policy: logged[policy] for policy in trained_in_order(results)}
    drawn = {name: draw(results, histories) for name, draw in FIGURES.items()}
    html = page(
        args.template,
        json.loads(args.config),
        args.command,
        results,
        samples={(p.parent.parent.name, p.parent.name): read_jsonl(p) for p in args.samples},
        histories=histories,
        figures={name: svg(figure) for name, figure in drawn.items()},
        citation=yaml.safe_load(read_text(args.citation)),
    )
    for path in args.figures:
        with replacing(path) as partial:
            partial.write_bytes(pdf(drawn[path.stem]))
    write_text(args.numbers, macros(results))
    write_text(args.table, latex_table(results))
    write_json(args.config_file, json.loads(args.config))
    write_text(args.html, html)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the whole config, as JSON")
    parser.add_argument("--command", required=True, help="the command that reproduces these numbers in a clean clone")
    parser.add_argument("--template", required=True, type=Path, help="Jinja2 template of the page")
    parser.add_argument("--citation", required=True, type=Path, help="CITATION.cff")
    parser.add_argument("--results", required=True, type=Path, help="results.json of tabulate_results")
    parser.add_argument("--histories", required=True, type=Path, nargs="+", help="training/<policy>/history.csv")
    parser.add_argument("--samples", required=True, type=Path, nargs="+", help="eval/<task>/<policy>/samples.jsonl")
    parser.add_argument("--config-file", required=True, type=Path, help="JSON to write, the whole config")
    parser.add_argument("--html", required=True, type=Path, help="page to write")
    parser.add_argument(
        "--figures", required=True, type=Path, nargs="+", help="PDF files to write, named as in reporting/figures.py"
    )
    parser.add_argument("--numbers", required=True, type=Path, help="LaTeX macros to write")
    parser.add_argument("--table", required=True, type=Path, help="LaTeX table to write")
    run(main, parser)
