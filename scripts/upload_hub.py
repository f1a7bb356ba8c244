"""Upload a packaged model to the Hub: one commit on the expected parent, compared with the package, then tagged.

The tag is derived from the package's checksums and is set last, once the commit is known to hold exactly the package.
A failed upload leaves no tag. Running again completes it, and changes nothing if it was complete.
The token is read from HF_TOKEN and sent with the requests only.
"""

import argparse
import json
import os
from pathlib import Path

from hub.errors import one_line
from stage.files import read_json, sha256, write_json
from stage.screen import run, say

MANIFEST = "SHA256SUMS"
MADE_BY_THE_HUB = {".gitattributes"}
TIMESTAMP = ".snakemake_timestamp"  # Snakemake puts one into every output directory


def token():
    """The access token; raises SystemExit if there is none."""
    if not os.environ.get("HF_TOKEN"):
        raise SystemExit("error: HF_TOKEN is not set: set it to a token with write access on the Hub, then run again")
    return os.environ["HF_TOKEN"]


def files_of(folder):
    """The files of a package, `{path in the repository: local path}`."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != TIMESTAMP)
    return {p.relative_to(folder).as_posix(): p for p in paths}


def unequal_files(api, repo_id, commit, package):
    """The paths whose content differs between commit and package, by the Hub's own checksums."""
    found = api.verify_repo_checksums(repo_id, revision=commit, local_dir=package)
    paths = {mismatch["path"] for mismatch in found.mismatches} | {*found.missing_paths, *found.extra_paths}
    return sorted(paths - MADE_BY_THE_HUB - {TIMESTAMP})


def require_expected(head, files, expected, repo_id):
    """Stop if the head is neither the last upload nor the config's `hub.parent`: somebody else committed it."""
    if expected is None and set(files) <= MADE_BY_THE_HUB:
        return  # a new repository
    if head != expected:
        raise SystemExit(
            f"error: {repo_id} is at {head}, and {expected or 'an empty repository'} was expected: somebody else "
            f"has changed it. Look at it, then set hub.parent to {head} to build on it, or choose another hub.repo_id"
        )


def commit_package(api, repo_id, head, package, there, message):
    """Replace the repository's content with the package in one commit on `head`; returns the commit's id."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    here = files_of(package)
    stale = set(there) - set(here) - MADE_BY_THE_HUB
    operations = [CommitOperationAdd(path, here[path]) for path in here]
    operations += [CommitOperationDelete(path, is_folder=False) for path in sorted(stale)]
    return api.create_commit(repo_id, operations, commit_message=message, parent_commit=head).oid


def main(args):
    from huggingface_hub import HfApi

    settings = json.loads(args.hub_config)
    repo_id = settings["repo_id"].replace("{policy}", args.policy)
    api = HfApi(token=token())
    digest = sha256(args.package / MANIFEST)
    tag = f"{args.policy}-{digest[:12]}"
    before = read_json(args.receipt)["commit"] if args.receipt.exists() else None
    with one_line(f"upload to {repo_id}"):
        api.create_repo(repo_id, private=settings["private"], exist_ok=True)
        info = api.model_info(repo_id)
        if settings["private"] and not info.private:
            raise SystemExit(f"error: {repo_id} is public: set hub.private to false, or choose another hub.repo_id")
        oid, there = info.sha, [sibling.rfilename for sibling in info.siblings]
        if unequal_files(api, repo_id, oid, args.package):
            require_expected(oid, there, settings["parent"] or before, repo_id)
            oid = commit_package(api, repo_id, oid, args.package, there, f"{args.policy}, {MANIFEST} {digest[:12]}")
            if paths := unequal_files(api, repo_id, oid, args.package):
                raise SystemExit(f"error: {repo_id} does not hold what was uploaded ({', '.join(paths)}): run again")
        api.create_tag(repo_id, tag=tag, revision=oid, exist_ok=True)
        (tagged,) = (ref.target_commit for ref in api.list_repo_refs(repo_id).tags if ref.name == tag)
        if tagged != oid and unequal_files(api, repo_id, tagged, args.package):
            raise SystemExit(f"error: {repo_id} has a tag {tag} on {tagged}, which is not this package: delete the tag")
    receipt = {"repo_id": repo_id, "commit": oid, "tag": tag, "private": settings["private"], MANIFEST: digest}
    write_json(args.receipt, receipt | {"files": {path: sha256(p) for path, p in files_of(args.package).items()}})
    say(f"{repo_id} holds the package at commit {oid}, tag {tag}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hub-config", required=True, help="the config section `hub`, as JSON")
    parser.add_argument("--policy", required=True, help="the policy's name, such as cold_start_grpo-seed0")
    parser.add_argument("--package", required=True, type=Path, help="directory of package_model")
    parser.add_argument("--receipt", required=True, type=Path, help="JSON to write")
    run(main, parser)
