"""The errors of the Hub and its client, each as one line that says what to do."""

from contextlib import contextmanager

ADVICE = {
    401: "HF_TOKEN is not set, wrong or expired: create a token on the Hub and set HF_TOKEN to it",
    402: "the account's storage or plan is used up: free some space, or use another account",
    403: "HF_TOKEN may not do this, or the account's storage is full: see the Hub's answer",
    409: "the repository has changed in the meantime: look at it, then run again",
    412: "the repository has changed since this began, and nothing was committed: look at it, then run again",
    413: "a file is larger than the Hub accepts, or the account's storage is full: upload less, or free some space",
    429: "too many requests: wait a few minutes, then run again",
}


def advice(error):
    """What an exception of the Hub's client means and what to do about it; None if it is not about the Hub.

    Quotes only the Hub's answer, never a header, because headers hold the token.
    """
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils import httpx

    if isinstance(error, GatedRepoError):
        return "it is gated: accept its licence on its Hub page, then set HF_TOKEN to a token of that account"
    if isinstance(error, RevisionNotFoundError):
        return "the Hub has no such revision: check the pinned revision"
    if isinstance(error, RepositoryNotFoundError):
        return "the Hub has no such repository, or HF_TOKEN may not see it: check the name and the token"
    if isinstance(error, HfHubHTTPError):
        status, said = error.response.status_code, " ".join((error.server_message or "no reason given").split())
        todo = ADVICE.get(status, "the Hub has a problem: run again later to resume")
        return f"the Hub answered {status} ({said}): {todo}"
    if isinstance(error, LocalEntryNotFoundError | OfflineModeIsEnabled):
        return (
            "not all of it is in the local cache, and the Hub cannot be reached: check the network, HF_ENDPOINT and "
            "HF_HUB_OFFLINE, then run again; or set the source to a folder that holds the files"
        )
    if isinstance(error, httpx.HTTPError | ConnectionError | TimeoutError):
        return (
            f"the Hub did not answer ({type(error).__name__}): check the network, HF_ENDPOINT and HF_HUB_OFFLINE, then "
            "run again to resume"
        )
    # Uploads of several files wrap the error of one of them.
    return advice(error.__cause__) if error.__cause__ else None


@contextmanager
def one_line(what):
    """Turn an exception of the Hub's client in the block into a one-line SystemExit that begins with `what`."""
    try:
        yield
    except Exception as error:
        if (line := advice(error)) is None:
            raise
        raise SystemExit(f"error: {what}: {line}") from None
