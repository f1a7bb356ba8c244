"""Sections of the config as a task overrides them: another prompt or decoding is a task of its own."""

OVERRIDABLE = ("prompt", "eval")


def merged(value, changes):
    """`value` with `changes` over it, key by key; a list replaces the whole list."""
    if not (isinstance(value, dict) and isinstance(changes, dict)):
        return changes
    return value | {key: merged(value.get(key), change) for key, change in changes.items()}


def of_task(config, section, task):
    """The config section `prompt` or `eval` for a task, with what `tasks.<task>` says of it."""
    return merged(config[section], config["tasks"][task].get(section, {}))
