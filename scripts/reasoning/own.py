"""Errors in a user's own file, as one line."""

import traceback


def failure(what, path, error):
    """The SystemExit for an error that a user's file at `path` raised: what failed, in which line, and why."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    line = lines[-1] if lines else getattr(error, "lineno", "?")
    return SystemExit(f"error: {what}, line {line}: {type(error).__name__}: {error}: correct the file")
