"""Source `hf://<owner>/<name>@<40 hex digits>[/<folder>]`: a model or dataset of the Hugging Face Hub at one commit."""

import re

ADDRESS = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)@(?P<revision>[0-9a-f]{40})(?:/(?P<folder>[\w./-]+))?")
# Safetensors only: pickled weights can run code, and so can the .py files of a repository.
FILES = {
    "model": ["*.safetensors", "*.safetensors.index.json", "*.json", "*.jinja", "*.model", "merges.txt", "vocab.txt"],
    "dataset": ["*.parquet", "*.jsonl"],
}


def fetch(address, folder, kind):
    """Download the files that a `kind` ("model" or "dataset") consists of into `folder`."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils import httpx

    match = ADDRESS.fullmatch(address)
    if match is None:
        raise SystemExit(f"error: hf://{address}: write hf://<owner>/<name>@<revision>, the revision as 40 hex digits")
    repo, revision, under = match["repo"], match["revision"], match["folder"]
    patterns = [f"{under}/{pattern}" if under else pattern for pattern in FILES[kind]]
    try:
        snapshot_download(repo, repo_type=kind, revision=revision, allow_patterns=patterns, local_dir=folder)
    except GatedRepoError:
        raise SystemExit(
            f"error: {repo} is gated: accept its licence on its Hub page, then set HF_TOKEN to a token of that account"
        ) from None
    except RevisionNotFoundError:
        raise SystemExit(f"error: {repo} has no revision {revision} on the Hub: check the pin in the config") from None
    except RepositoryNotFoundError:
        raise SystemExit(f"error: the Hub has no {kind} {repo}, or HF_TOKEN may not see it") from None
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, httpx.HTTPError, OSError) as error:
        raise SystemExit(
            f"error: the Hub did not deliver {repo} ({type(error).__name__}): check the network, HF_ENDPOINT and "
            "HF_HUB_OFFLINE, then run again; or give a folder that holds the files as the source"
        ) from None
