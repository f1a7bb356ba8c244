"""A user's own files, of rewards and of tasks' modules: their names in a config, and errors in them as one line.

The rules read this file too, so it imports nothing of the package.
"""

import traceback


def name_files(config, found):
    """Name the user's files as `found(key, path, needed)` does; changes `config`.

    `path` is as the config file has it, and the file has to define one name of each tuple in `needed`.
    """
    swept = [value for axis in config.get("sweep", {}).values() for value in axis.values()]
    for place in (config, *config["arms"].values(), *config["controls"]["arms"].values(), *swept):
        for name in [name for name in place.get("rewards", {}) if ".py:" in name]:
            path, _, function = name.rpartition(":")
            own = found(f"rewards.{name}", path, [(function,)])
            place["rewards"][f"{own}:{function}"] = place["rewards"].pop(name)
    for name, task in config["tasks"].items():
        if task.get("module", "").endswith(".py"):
            task["module"] = found(f"tasks.{name}.module", task["module"], [("problem",), ("ANSWER", "judge")])


def failure(what, path, error):
    """The SystemExit for an error that a user's file at `path` raised: what failed, in which line, and why."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    line = lines[-1] if lines else getattr(error, "lineno", None)
    where = f"{what}, line {line}" if line else what
    return SystemExit(f"error: {where}: {type(error).__name__}: {error}: correct the file")
