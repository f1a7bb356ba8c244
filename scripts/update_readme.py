"""Write a published record's numbers into README.md, between its marks, and draw README's figure of it.

python scripts/update_readme.py results/published/smollm2-135m-words
"""

import argparse
from pathlib import Path

from record.attestations import read, unchecked
from record.readme import END, MARK, block, figure, place, scores_of
from stage.files import read_text, write_text
from stage.screen import run


def main(args):
    from reporting.figures import arms, svg

    text = read_text(args.readme)
    if (found := place(text, args.record)) is None:
        marks = f"'{MARK.format(args.record).strip()}' and '{END}'"
        raise SystemExit(f"error: {args.readme} lacks the lines {marks}: put them where the numbers are to be")
    if unchecked(args.record, args.attestations):
        raise SystemExit(f"error: {args.attestations} has signed statements: install ssh-keygen, which checks them")
    tasks = scores_of(args.record)
    numbers = block(args.record, args.template, tasks, read(args.record, args.attestations)[2])
    write_text(args.figure or figure(args.record), svg(arms(tasks)))
    write_text(args.readme, text[: found.start()] + numbers + text[found.end() :])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path, help="directory results/published/<run>")
    parser.add_argument(
        "--template", type=Path, default=Path("workflow/report/readme.md.j2"), help="template of the block"
    )
    parser.add_argument(
        "--attestations", type=Path, default=Path("attestations"), help="signed statements of others, by run"
    )
    parser.add_argument("--readme", type=Path, default=Path("README.md"), help="page to update")
    parser.add_argument("--figure", type=Path, help="figure to draw, by default images/<run>.svg")
    run(main, parser)
