"""The record's RO-Crate: it passes the profile's own validator and describes what really ran."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

RECORD = "results/published/tiny"
RECORDS = [RECORD, *sorted(str(sums.parent.absolute()) for sums in Path("results/published").glob("*/SHA256SUMS"))]
VALIDATOR = shutil.which("rocrate-validator") or shutil.which(".venv/tools/bin/rocrate-validator")

# The validator reads RO-Crate's JSON-LD context from w3id.org or from its cache. This puts rocrate's own copy into the
# cache; 1.1 differs from it only in the address of Bioschemas' terms.
PRIME = """
import io, pathlib, sys
import requests_cache, urllib3
from requests.adapters import HTTPAdapter

class Stored(HTTPAdapter):
    def send(self, request, **_):
        text = pathlib.Path(sys.argv[2]).read_text().replace("bioschemas.org/terms/", "bioschemas.org/")
        body, headers = io.BytesIO(text.encode()), {"Content-Type": "application/ld+json"}
        raw = urllib3.HTTPResponse(body, headers, 200, preload_content=False, request_url=request.url)
        return self.build_response(request, raw)

session = requests_cache.CachedSession(cache_name=sys.argv[1], backend="sqlite", expire_after=-1)
session.mount("https://", Stored())
session.get("https://w3id.org/ro/crate/1.1/context")
"""


def entities(record):
    graph = json.loads((record / "ro-crate-metadata.json").read_text())["@graph"]
    return {entity["@id"]: entity for entity in graph}


def test_every_job_is_an_action(published):
    found = entities(published.folder / RECORD)
    actions = [e for e in found.values() if e["@type"] == "CreateAction" and e["@id"] != "#run"]
    trained = [e for e in actions if e["instrument"]["@id"] == "scripts/train.py"]
    assert len(trained) == 3 and all("python scripts/train.py" in e["description"] for e in trained)
    assert all(e["startTime"] <= e["endTime"] for e in actions)
    (made,) = [e for e in actions if {"@id": "results.json"} in e["result"]]
    assert {"@id": "eval/word_problems/grpo-seed0/samples.jsonl.gz"} in made["object"]
    (weights,) = [e for i, e in found.items() if i == "#results/tiny/adapters/grpo-seed0"]
    provenance = json.loads((published.folder / RECORD / "provenance.json").read_text())
    assert weights["sha256"] == provenance["weights"]["adapters/grpo-seed0/adapter_model.safetensors"]


@pytest.mark.parametrize("record", RECORDS)
def test_every_file_of_the_record_is_in_its_crate(published, record):
    record = published.folder / record
    found = entities(record)
    for path in record.rglob("*"):
        name = path.relative_to(record)
        own = name.parts[0] == "workflow" or str(name) in ("SHA256SUMS", "ro-crate-metadata.json")
        if path.is_file() and not own:
            assert found[str(name)]["sha256"], name


@pytest.mark.skipif(VALIDATOR is None, reason="rocrate-validator is missing: .ci/run installs it in .venv/tools")
@pytest.mark.parametrize("profile", ["workflow-run-crate-0.5", "provenance-run-crate-0.5"])
@pytest.mark.parametrize("record", RECORDS)
def test_valid(published, tmp_path, record, profile):
    import rocrate

    context = Path(rocrate.__file__).with_name("data") / "ro-crate.jsonld"
    python = Path(VALIDATOR).with_name("python")
    subprocess.run([python, "-c", PRIME, tmp_path / "cache", context], check=True)
    options = [
        "--offline",
        "--cache-path",
        tmp_path / "cache",
        "--no-paging",
        "-f",
        "json",
        "-o",
        tmp_path / "found.json",
    ]
    subprocess.run(
        [VALIDATOR, "--no-interactive", "validate", *options, "-p", profile, published.folder / record],
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
    )
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["passed"], [issue["message"] for issue in found["issues"]]
