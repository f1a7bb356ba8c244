"""Write the numbers of a published record into README.md, between its two marks: nobody types a number there.

python scripts/readme.py results/published/smollm2-135m-cpu
"""

import argparse
import re
from pathlib import Path

from gsm8k.records import read_json, replacing
from report import marked_task
from tabulate_results import change_in_words, percent, read_results

BLOCK = re.compile(r"(<!-- numbers: .* -->\n).*(<!-- end of numbers -->)", re.DOTALL)


def block(record, template):
    """The block as Markdown."""
    import jinja2

    results, provenance = read_results(record / "results.json"), read_json(record / "provenance.json")
    policy = results["policy"]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "points": lambda v: f"{100 * v:+.1f}", "change": change_in_words}
    return environment.get_template(template.name).render(
        results=results,
        controls=read_results(record / "controls" / "results.json"),
        policy=policy,
        marked={task: marked_task(task, entry) for task, entry in results["tasks"].items()},
        commands=provenance["commands"],
        machine=provenance["machine"],
        training=provenance["stages"][f"train_grpo/{policy}"],
        record=record,
    )


def main(args):
    text = args.readme.read_text()
    if not BLOCK.search(text):
        raise SystemExit(f"error: {args.readme} has no marks '<!-- numbers: … -->' and '<!-- end of numbers -->'")
    with replacing(args.readme) as partial:
        partial.write_text(BLOCK.sub(lambda m: f"{m[1]}{block(args.record, args.template).strip()}\n{m[2]}", text))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path, help="directory results/published/<run>")
    parser.add_argument("--template", type=Path, default=Path("workflow/report/readme.md.j2"), help="of the block")
    parser.add_argument("--readme", type=Path, default=Path("README.md"), help="file to write into")
    main(parser.parse_args())
