"""Copy a run's measurements into the record that is committed with the code: numbers, samples, histories, provenance.

Models and adapters are left out: they can be trained again, and the record holds their digests. `restore.py` puts the
record back in place, `verify.py` recomputes it. Publish on the machine of the run, whose hardware goes into the record.
Only provenance.json, record.html, jobs.json and ro-crate-metadata.json name times and hardware; a run's own outputs do
not. If a run goes on from its own restored record, stages that were not repeated keep their costs, commit and machine.
"""

import argparse
import json
import shutil
from pathlib import Path

from record.checksums import NAME, write_checksums
from record.crate import METADATA, crate_of
from record.jobs import behind, read_notes, stage_of
from record.layout import FORMAT, JOBS, PLAN, SCOPES, pack, record_files
from record.pages import page_of
from record.provenance import carried_over, commit, machine, require_made, stages, weights
from stage.files import replacing, write_json, write_text
from stage.screen import run


def main(args):
    made_at, results, config = commit(), args.results.parent, json.loads(args.config)
    notes = behind(read_notes(results), [str(results / name) for name in record_files(results)])
    made = {stage_of(log) for note in notes.values() for log in note["log"]}
    measured = stages(args.logs, results, made)
    carried, weights_before, origins = carried_over(args.record, notes, measured)
    require_made(results, measured, carried)
    provenance = {
        "format": FORMAT,
        "run": results.name,
        "folder": str(results),
        "record": str(args.record),
        "commands": args.commands,
        "configfiles": args.configfiles,
        "commit": made_at,
        "machine": machine(),
        "stages": dict(sorted((carried | measured).items())),
        "weights": weights(results, weights_before),
        "origins": origins,
    }
    with replacing(args.record) as record:
        for name in record_files(results):
            pack(results / name, record / name)
        shutil.copytree(args.template.parents[1], record / "workflow")
        shutil.copyfile(args.citation, record / args.citation.name)
        for plan in args.plan:
            shutil.copyfile(plan, record / PLAN)
        write_json(record / JOBS, notes)
        write_json(record / "provenance.json", provenance)
        write_text(record / "record.html", page_of(record, SCOPES[-1], None, provenance)[0])
        write_json(record / METADATA, crate_of(record, results, notes, provenance, config["model"]["license"]))
        write_checksums(record)
    shutil.copyfile(args.record / NAME, args.sums)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", required=True, nargs="+", help="the commands that reproduce the run, in order")
    parser.add_argument("--configfiles", required=True, nargs="*", help="the overlays that were given, in order")
    parser.add_argument("--config", required=True, help="the whole config, as JSON")
    parser.add_argument("--template", required=True, type=Path, help="Jinja2 template of the page, in the workflow")
    parser.add_argument("--citation", required=True, type=Path, help="CITATION.cff")
    parser.add_argument(
        "--plan", required=True, type=Path, nargs="*", help="what was fixed before the test split was read, or nothing"
    )
    parser.add_argument("--results", required=True, type=Path, help="results.json of the run")
    parser.add_argument("--logs", required=True, type=Path, help="the run's logs, logs/<run>")
    parser.add_argument("--record", required=True, type=Path, help="results/published/<run>, which is replaced")
    parser.add_argument("--sums", required=True, type=Path, help="a copy of the record's checksums, written last")
    run(main, parser)
