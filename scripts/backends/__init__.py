"""Loading, training and sampling models: one module per backend, `train_<name>.py` or `eval_<name>.py`."""

from importlib import import_module
from pathlib import Path


def backend(kind, name):
    """The module of a backend; `kind` is "train" or "eval". Raises SystemExit if there is none."""
    known = sorted(p.stem.removeprefix(f"{kind}_") for p in Path(__file__).parent.glob(f"{kind}_*.py"))
    if name not in known:
        raise SystemExit(f"error: there is no {kind}.backend {name!r}: choose one of {', '.join(known)}")
    return import_module(f"backends.{kind}_{name}")
