"""Sources of models and data: one module per scheme, the word before `://`; a source without a scheme is a path."""

from importlib import import_module
from pathlib import Path


def fetch(source, folder, kind):
    """Fetch the files of `source` into the empty `folder`; `kind` is "model" or "dataset"."""
    scheme, _, address = source.rpartition("://")
    scheme = scheme or "path"
    known = sorted(p.stem for p in Path(__file__).parent.glob("[a-z]*.py"))
    if scheme not in known:
        raise SystemExit(f"error: {source}: no source is called {scheme}: use one of {', '.join(known)}")
    import_module(f"sources.{scheme}").fetch(address, folder, kind)
