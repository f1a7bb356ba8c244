"""The config as overlays and tasks override it: another prompt, decoding or split is a task of its own."""

OVERRIDABLE = ("prompt", "eval")


def merged(value, changes):
    """`value` with `changes` over it, key by key; a list replaces the whole list."""
    if not (isinstance(value, dict) and isinstance(changes, dict)):
        return changes
    return value | {key: merged(value.get(key), change) for key, change in changes.items()}


def with_arms_of(overlay, config):
    """The config that an overlay was merged into, without others' arms and controls if the overlay states arms.

    The claims are then about the first of its arms, unless it names another as `arm`.
    """
    arms, controls = overlay.get("arms"), config.get("controls", {})
    if not (isinstance(arms, dict) and isinstance(controls, dict)):
        return config  # an overlay without arms, or something that the schema refuses
    controls = controls | {"arms": overlay.get("controls", {}).get("arms", {})}
    return config | {"arms": arms, "arm": overlay.get("arm", next(iter(arms), None)), "controls": controls}


def own_settings(task):
    """A task's settings as its jobs are given them: without overrides, and without what says nothing of problems."""
    return {key: value for key, value in task.items() if key not in (*OVERRIDABLE, "published", "only", "license")}


def of_task(config, section, task):
    """The config section `prompt` or `eval` for a task, with what `tasks.<task>` says of it."""
    return merged(config[section], config["tasks"][task].get(section, {}))


def implied_tasks(config):
    """The tasks that a config needs and does not state: its own one on other splits, `{name: settings}`.

    `<task>_dev` is what settings and checkpoints are chosen on, `<task>_train` what teachers answer.
    """
    name, arms = config["task"], config["arms"] | config["controls"]["arms"]
    splits = {}
    if config["sweep"] or config["train"]["select"]["every"]:
        splits["dev"] = {"split": "dev"}
    if any((config["train"] | arm.get("train", {}))["teacher"] for arm in arms.values()):
        sampling = of_task(config, "eval", name)["sampling"]
        draws = sampling | {"do_sample": True, "temperature": config["teachers"]["temperature"]}
        splits["train"] = {"split": "train", "draws": {"n": config["teachers"]["n"], "sampling": draws}}
    task = config["tasks"][name]
    return {f"{name}_{split}": task | {"eval": merged(task.get("eval", {}), own)} for split, own in splits.items()}


def with_implied_tasks(config):
    """The config with all its tasks."""
    return config | {"tasks": config["tasks"] | implied_tasks(config)}
