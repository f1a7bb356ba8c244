"""Where a training's log also goes while it runs: to programs that TRL knows, which stay on this machine.

They change nothing that is trained, so they are no part of what an adapter depends on.
"""

import os
from importlib.util import find_spec

# The packages of which one has to be installed, by the name that TRL has for the program.
PACKAGES = {
    "tensorboard": ("tensorboard", "tensorboardX"),
    "trackio": ("trackio",),
    "wandb": ("wandb",),
    "mlflow": ("mlflow",),
}


def report_to(names, folder):
    """Let those programs write into a folder, and send nothing, unless the environment says otherwise.

    SystemExit if one is not installed.
    """
    for name in names:
        if not any(find_spec(package) for package in PACKAGES[name]):
            raise SystemExit(f"error: watch.report_to: {name} is not installed here: pip install {PACKAGES[name][0]}")
        (folder / name).mkdir(parents=True, exist_ok=True)
    offline = {
        "TENSORBOARD_LOGGING_DIR": folder / "tensorboard",
        "TRACKIO_DIR": folder / "trackio",
        "WANDB_MODE": "offline",
        "WANDB_DIR": folder / "wandb",
        "MLFLOW_TRACKING_URI": (folder / "mlflow").absolute().as_uri(),
    }
    for name, value in offline.items():
        os.environ.setdefault(name, str(value))
    return list(names)
