# What a sweep stands for: an arm for each setting, and the base models that settings choose.
import copy
import itertools
import json

from snakemake.utils import update_config


def sweep():
    """The sweep's settings by the name of their arm, `{<arm>_<value>_…: {values, settings, base, policies}}`.

    Every arm with one value of every axis, none without axes: `values` names them, `settings` is what they override,
    `base` is the base model, named after the values that choose it, and `policies` are those of the arm's seeds, or
    the run's.
    """
    found = {}
    for arm, *chosen in itertools.product(config["arms"], *config["sweep"].values()) if config["sweep"] else ():
        values = dict(zip(config["sweep"], chosen, strict=True))
        settings, base = copy.deepcopy(config["arms"][arm]), "base"
        for axis, value in values.items():
            update_config(settings, copy.deepcopy(config["sweep"][axis][value]))
            base += f"_{value}" if "model" in config["sweep"][axis][value] else ""
        name = "_".join([arm, *chosen])
        policies = [f"{name}-seed{seed}" for seed in settings.get("seeds") or config["seeds"]]
        found[name] = {"values": {"arm": arm} | values, "settings": settings, "base": base, "policies": policies}
    return found


def base_models():
    """The section `model` of each base model, by its name: `base`, and those of the sweep."""
    found = {"base": config["model"]}
    for each in SWEEP.values():
        found[each["base"]] = copy.deepcopy(config["model"])
        update_config(found[each["base"]], each["settings"].get("model", {}))
    return found


def base_of(arm):
    """The name of the base model that an arm trains."""
    return SWEEP[arm]["base"] if arm in SWEEP else "base"


def swept(pattern):
    """The files of `pattern` on dev, of all settings, seeds and base models."""
    policies = [policy for each in SWEEP.values() for policy in each["policies"]]
    return collect(pattern, task=DEV_TASK, policy=[*dict.fromkeys(each["base"] for each in SWEEP.values()), *policies])


def chosen(pattern):
    """An input function: the files of `pattern` on the run's task, of the chosen setting's base model and policies."""

    def files(wildcards):
        name = json.loads(Path(checkpoints.choose_setting.get().output.choice).read_text(encoding="utf-8"))["chosen"]
        return collect(pattern, task=config["task"], policy=[SWEEP[name]["base"], *SWEEP[name]["policies"]])

    return files


def sweep_table(wildcards):
    """The sweep's table, if the config has axes of settings."""
    if not SWEEP:
        raise WorkflowError("config: sweep has no axes: name the settings to choose from (config/README.md)")
    return "<results>/sweep/table.csv"
