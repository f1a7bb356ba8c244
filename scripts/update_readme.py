"""Write a published record's numbers into README.md, between its two marks, and draw README's figure from it.

python scripts/update_readme.py results/published/smollm2-135m-words
"""

import argparse
from pathlib import Path

from record.attestations import read, unchecked
from record.readme import BLOCK, block, scores_of
from stage.files import read_text, write_text
from stage.screen import run


def main(args):
    from reporting.figures import arms, svg

    text = read_text(args.readme)
    if not BLOCK.search(text):
        raise SystemExit(f"error: {args.readme} lacks the marks '<!-- numbers: … -->' and '<!-- end of numbers -->'")
    if unchecked(args.record, args.attestations):
        raise SystemExit(f"error: {args.attestations} has signed statements: install ssh-keygen, which checks them")
    tasks = scores_of(args.record)
    numbers = block(args.record, args.template, tasks, read(args.record, args.attestations)[2]).strip()
    write_text(args.figure, svg(arms(tasks)))
    write_text(args.readme, BLOCK.sub(lambda m: f"{m[1]}{numbers}\n{m[2]}", text))


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
    parser.add_argument("--figure", type=Path, default=Path("images/results.svg"), help="figure to draw")
    run(main, parser)
