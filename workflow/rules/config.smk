# The config: the package's defaults overridden by the user's settings, validated, as values that Snakemake can compare.
import copy
import json
import runpy
from pathlib import Path

import jsonschema
import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config, validate


def read_yaml(path):
    """A YAML file of the package."""
    return yaml.safe_load(Path(ROOT, path).read_text(encoding="utf-8"))


def completed(given):
    """The package's defaults, overridden by the settings of the user, an overlay or an importing workflow."""
    values = read_yaml("config/config.yaml")
    update_config(values, copy.deepcopy(given))
    return values


def explain(error):
    """A schema violation as one line that says what to change."""
    where = ".".join(map(str, error.absolute_path)) or "the top level"
    if error.validator == "additionalProperties":
        known = set(error.schema["properties"])
        unknown = ", ".join(sorted(set(error.instance) - known))
        return f"config: {where} has no key {unknown}; it has {', '.join(sorted(known))}"
    return f"config: {where}: {error.schema.get('hint', error.message)} (given: {json.dumps(error.instance)})"


def trained_policies(scope=""):
    """The policies that the run trains; in scope "controls/", including its controls."""
    names = runpy.run_path(f"{ROOT}scripts/reasoning/policies.py")
    return names["trained_policies"](config, controls=bool(scope))


def check_config():
    """Stop with one line, before any job, if the config is invalid."""
    schema = read_yaml("workflow/schemas/config.schema.yaml")
    validator = jsonschema.Draft202012Validator(schema)
    if error := jsonschema.exceptions.best_match(validator.iter_errors(config)):
        raise WorkflowError(explain(error))
    for task in sorted({config["task"], *config["evaluate_on"]} - set(config["tasks"])):
        raise WorkflowError(f"config: there is no task {task}; tasks has {', '.join(config['tasks'])}")
    repo_id, count = config["hub"]["repo_id"], len(trained_policies())
    if repo_id and count > 1 and "{policy}" not in repo_id:
        raise WorkflowError(f"config: hub.repo_id names one repository for {count} policies: add {{policy}} to it")
    validate(config, str(Path(ROOT, "workflow/schemas/config.schema.yaml").resolve()))


config = completed(config)
check_config()


def settings(*keys):
    """A section of the config, or all of it, as one JSON text, because Snakemake compares params by value.

    It is a function of the wildcards, because in a plain string, Snakemake would take the braces of a regular
    expression or of hub.repo_id for wildcards.
    """
    value = config
    for key in keys:
        value = value[key]
    text = json.dumps(value, sort_keys=True)
    return lambda wildcards: text


def task_settings(wildcards):
    """The settings of the task in the path."""
    return settings("tasks", wildcards.task)(wildcards)


def arm_settings(section):
    """A section with the overrides of the arm in the path, as a function of the wildcards."""

    def merged(wildcards):
        value = copy.deepcopy(config[section])
        arms = config["arms"] | config["controls"]["arms"]
        update_config(value, arms[wildcards.arm].get(section, {}))
        return json.dumps(value, sort_keys=True)

    return merged


def receipts():
    """The receipts of the requested uploads: none without hub.repo_id."""
    return collect("<results>/hub/{policy}.json", policy=trained_policies()) if config["hub"]["repo_id"] else []


def of_policies(pattern, *others):
    """An input function: the files of `pattern` for every task and every policy of the scope in the path."""

    def files(wildcards):
        return collect(pattern, task=config["evaluate_on"], policy=[*others, *trained_policies(wildcards.scope)])

    return files


def kept(model):
    """Mark a merged model to be deleted after its last use, if the config says so."""
    return model if config["keep"]["merged_models"] else temp(model)


def overlays():
    """The overlays that come with the package."""
    return sorted(set(map(str, Path(ROOT, "config").glob("*.yaml"))) - {f"{ROOT}config/config.yaml"})


def command(*targets):
    """The command that reproduces this run in a clean clone; overlays are named after their run."""
    overlay = f"config/{config['run']}.yaml"
    return " ".join(
        [
            "snakemake --cores 1",
            *([f"--configfile {overlay} --"] if Path(ROOT, overlay).exists() else []),
            *targets,
        ]
    )
