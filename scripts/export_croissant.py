"""Describe a task's formatted problems in Croissant 1.0, the metadata format that dataset search and loaders read.

    snakemake --cores 1 results/smollm2-135m-words/croissant/word_problems.json

Format: https://docs.mlcommons.org/croissant/docs/croissant-spec.html. File paths are relative to the description.
"""

import argparse
import json
import os
from pathlib import Path

from stage.checksums import require_intact
from stage.files import sha256, write_json
from stage.screen import run

SPLITS = ("train", "dev", "test")

# Croissant's own terms; all others are schema.org's.
TERMS = (
    "dataType extract field fileObject fileProperty isLiveDataset key md5 recordSet references repeated source column"
)
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    **{term: f"cr:{term}" for term in TERMS.split()},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
}
FIELDS = {
    "id": "the problem's id",
    "answer": "the gold answer, canonical",
    "family": "the family that the problem is scored in",
}


def describe(task, source, files, folder):
    """The description as a dict; `files` is `{split: path}`, written relative to `folder`."""
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": task,
        "description": f"Problems of the task {task}, from {source}: chat prompts and gold answers.",
        "version": "1.0.0",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": f"{split}.jsonl",
                "name": f"{split}.jsonl",
                "contentUrl": os.path.relpath(path, folder),
                "encodingFormat": "application/jsonlines",
                "sha256": sha256(path),
            }
            for split, path in files.items()
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": split,
                "name": split,
                "field": [
                    {
                        "@type": "cr:Field",
                        "@id": f"{split}/{name}",
                        "name": name,
                        "description": description,
                        "dataType": "sc:Text",
                        "source": {"fileObject": {"@id": f"{split}.jsonl"}, "extract": {"column": name}},
                    }
                    for name, description in FIELDS.items()
                ],
            }
            for split in files
        ],
    }


def main(args):
    files = {split: getattr(args, split) for split in SPLITS}
    for path in files.values():
        require_intact(path, "format_task")
    write_json(args.json, describe(args.task, json.loads(args.task_config)["source"], files, args.json.parent))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", required=True, help="the task's name")
    parser.add_argument("--task-config", required=True, help="the config section `tasks.<task>`, as JSON")
    for split in SPLITS:
        parser.add_argument(f"--{split}", required=True, type=Path, help="formatted problems, JSONL")
    parser.add_argument("--json", required=True, type=Path, help="description to write")
    run(main, parser)
