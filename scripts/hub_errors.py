"""What can go wrong at the Hub, each in one line that says what to do."""

from contextlib import contextmanager

ADVICE = {
    401: "HF_TOKEN is not set, wrong or expired: make a token on the Hub and set it in the environment",
    402: "the account's storage or plan is used up: free some space there, or use another account",
    403: "HF_TOKEN may not do this, or the account's storage is full: see the Hub's words",
    409: "what is on the Hub has changed meanwhile: look there, then run again",
    412: "the repository has changed since this began, and nothing was committed: look there, then run again",
    413: "a file is larger than the Hub takes, or the account's storage is full",
    429: "too many requests: wait some minutes, then run again",
}


def explain(error):
    """What an exception of the Hub's client means and what to do; None for one that is not about the Hub.

    Only the Hub's own words are repeated, never a header, in which the token would stand.
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
        return "the Hub has no such revision: check the pin"
    if isinstance(error, RepositoryNotFoundError):
        return "the Hub has no such repository, or HF_TOKEN may not see it"
    if isinstance(error, HfHubHTTPError):
        status, said = error.response.status_code, " ".join((error.server_message or "no reason given").split())
        advice = ADVICE.get(status, "the Hub has a problem: run again later, what has arrived is kept")
        return f"the Hub answered {status} ({said}): {advice}"
    if isinstance(error, LocalEntryNotFoundError | OfflineModeIsEnabled):
        return (
            "not all of it is in the local cache, and the Hub cannot be reached: check the network, HF_ENDPOINT and "
            "HF_HUB_OFFLINE, then run again; or give a folder that holds the files as the source"
        )
    if isinstance(error, httpx.HTTPError | ConnectionError | TimeoutError):
        return (
            f"the Hub did not answer ({type(error).__name__}): check the network, HF_ENDPOINT and HF_HUB_OFFLINE, then "
            "run again; what has arrived is kept"
        )
    # An upload of several files wraps what happened to one of them.
    return explain(error.__cause__) if error.__cause__ else None


@contextmanager
def one_line(what):
    """Turn what the Hub's client raises inside the block into one line of SystemExit that begins with `what`."""
    try:
        yield
    except Exception as error:
        if (line := explain(error)) is None:
            raise
        raise SystemExit(f"error: {what}: {line}") from None
