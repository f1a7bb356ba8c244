"""Source `hf://<owner>/<name>@<40 hex digits>[/<folder>]`: a model or dataset on the Hugging Face Hub at one commit.

Files go through the Hub client's cache (HF_HOME), which runs share and HF_HUB_OFFLINE=1 relies on. Interrupted
downloads resume: within a file after a lost connection, at the next missing file after a restart. The cache names large
files by their sha256, which is checked.
"""

import re
import shutil
from pathlib import Path

from hub.errors import one_line
from stage.files import link_or_copy, read_json, sha256

ADDRESS = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)@(?P<revision>[0-9a-f]{40})(?:/(?P<folder>[\w./-]+))?")
SHA256 = re.compile(r"[0-9a-f]{64}")
# Safetensors only, and no .py files: pickled weights and a repository's code could execute anything.
FILES = {
    "model": ["*.safetensors", "*.json", "*.jinja", "*.model", "merges.txt", "vocab.txt", "LICENSE*", "USE_POLICY*"],
    "dataset": ["*.parquet", "*.jsonl"],
}


def parse(address):
    """The parts of an address: `repo`, `revision`, `folder` or None."""
    match = ADDRESS.fullmatch(address)
    if match is None:
        raise SystemExit(
            f"error: hf://{address}: write hf://<owner>/<name>@<revision> with the revision as 40 hex digits"
        )
    return match


def place(cached, target):
    """Put a cached file into a folder; if the cache names it by its sha256, check that first.

    Such large files are hard-linked, so that tens of GB are not stored twice.
    """
    blob = cached.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    if not SHA256.fullmatch(blob.name):
        shutil.copyfile(blob, target)
        return
    if sha256(blob) != blob.name:
        blob.unlink()
        raise SystemExit(
            f"error: {cached.name} arrived damaged: its sha256 is not the Hub's. It was removed from "
            "the cache: run again"
        )
    print(f"{blob.name}  {cached.name}", flush=True)
    link_or_copy(blob, target)


def require_shards(folder):
    """Stop if a file is missing that the index of a sharded model names."""
    for index in folder.glob("*.safetensors.index.json"):
        shards = set(read_json(index)["weight_map"].values())
        if missing := {name for name in shards if not (folder / name).exists()}:
            raise SystemExit(f"error: {', '.join(sorted(missing))} did not arrive: run again")


def fetch(address, folder, kind):
    """Fetch the files of a `kind` ("model" or "dataset") into `folder`, without subfolders."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import filter_repo_objects

    source = parse(address)
    under = f"{source['folder']}/" if source["folder"] else ""
    wanted = {"allow_patterns": [under + name for name in FILES[kind]], "ignore_patterns": [f"{under}*/*"]}
    with one_line(f"{kind} {source['repo']} at {source['revision']}"):
        snapshot = Path(
            snapshot_download(source["repo"], repo_type=kind, revision=source["revision"], max_workers=2, **wanted)
        )
    # The cache may hold other files of this commit, from another run.
    present = sorted(p.relative_to(snapshot).as_posix() for p in snapshot.rglob("*") if p.is_file())
    for name in filter_repo_objects(present, **wanted):
        place(snapshot / name, Path(folder, name.removeprefix(under)))
    require_shards(Path(folder))
