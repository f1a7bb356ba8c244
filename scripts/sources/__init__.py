"""Where models and data come from: one module a scheme, chosen by the word before `://`; no scheme means a path."""

from importlib import import_module
from pathlib import Path


def fetch(source, folder, kind):
    """Put the files that `source` names into the empty `folder`; `kind` is "model" or "dataset"."""
    scheme, _, address = source.rpartition("://")
    scheme = scheme or "path"
    known = sorted(p.stem for p in Path(__file__).parent.glob("[a-z]*.py"))
    if scheme not in known:
        raise SystemExit(f"error: {source}: no source is called {scheme}; known are {', '.join(known)}")
    import_module(f"sources.{scheme}").fetch(address, folder, kind)
