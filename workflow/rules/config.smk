# The settings: the package's defaults completed by what the user gives, checked, as values that Snakemake can compare.
import copy
import json
import re
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
    """The package's defaults, and over them what the user, an overlay or an importing workflow gives."""
    values = read_yaml("config/config.yaml")
    update_config(values, copy.deepcopy(given))
    return values


def explain(error):
    """One line that says what to change, for a schema violation."""
    where = ".".join(map(str, error.absolute_path)) or "the top level"
    if error.validator == "additionalProperties":
        known = set(error.schema["properties"])
        unknown = ", ".join(sorted(set(error.instance) - known))
        return f"config: {where} has no key {unknown}; it has {', '.join(sorted(known))}"
    return f"config: {where}: {error.schema.get('hint', error.message)} (given: {json.dumps(error.instance)})"


def trained_policies(scope=""):
    """The policies that the run trains; in scope "controls/", those of the run and its controls."""
    names = runpy.run_path(f"{ROOT}scripts/reasoning/policies.py")
    return names["trained_policies"](config, controls=bool(scope))


def check_patterns():
    """Stop on a pattern of the prompt that Python cannot compile, or that does not say which part is the answer."""
    for key in ("answer", "format"):
        try:
            groups = re.compile(config["prompt"][key], re.DOTALL).groups
        except re.error as error:
            raise WorkflowError(f"config: prompt.{key} is not a regular expression: {error}: correct it, or quote it")
        if key == "answer" and groups != 1:
            raise WorkflowError(
                f"config: prompt.answer has {groups} groups: put the answer, and nothing else, in (…), and write (?:…) "
                "for other brackets"
            )


def check_config():
    """Stop on a config that cannot run, in one line and before anything is made."""
    schema = read_yaml("workflow/schemas/config.schema.yaml")
    validator = jsonschema.Draft202012Validator(schema)
    if error := jsonschema.exceptions.best_match(validator.iter_errors(config)):
        raise WorkflowError(explain(error))
    check_patterns()
    for task in sorted({config["task"], *config["evaluate_on"]} - set(config["tasks"])):
        raise WorkflowError(f"config: there is no task {task}; tasks has {', '.join(config['tasks'])}")
    repo_id, count = config["hub"]["repo_id"], len(trained_policies())
    if repo_id and count > 1 and "{policy}" not in repo_id:
        raise WorkflowError(f"config: hub.repo_id names one repository for {count} policies: put {{policy}} into it")
    validate(config, str(Path(ROOT, "workflow/schemas/config.schema.yaml").resolve()))


config = completed(config)
check_config()


def settings(*keys):
    """A section of the config, or all of it, as one JSON value: of params, Snakemake compares values and not names.

    As a function of the wildcards, because in a plain text Snakemake would take braces for wildcards: those of a
    regular expression, or of hub.repo_id.
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
    """A section as the arm in the path overrides it, as a function of the wildcards."""

    def merged(wildcards):
        value = copy.deepcopy(config[section])
        arms = config["arms"] | config["controls"]["arms"]
        update_config(value, arms[wildcards.arm].get(section, {}))
        return json.dumps(value, sort_keys=True)

    return merged


def receipts():
    """The receipts of the uploads that the config asks for: none without hub.repo_id."""
    return collect("<results>/hub/{policy}.json", policy=trained_policies()) if config["hub"]["repo_id"] else []


def of_policies(pattern, *others):
    """The files of `pattern` for every task and every policy of the scope in the path, as an input function."""

    def files(wildcards):
        return collect(pattern, task=config["evaluate_on"], policy=[*others, *trained_policies(wildcards.scope)])

    return files


def kept(model):
    """A merged model, which Snakemake deletes after its last use if the config says so."""
    return model if config["keep"]["merged_models"] else temp(model)


def overlays():
    """The overlays that the package comes with."""
    return sorted(set(map(str, Path(ROOT, "config").glob("*.yaml"))) - {f"{ROOT}config/config.yaml"})


def command(*targets):
    """What to type in a clean clone to make this run: overlays are named after their run."""
    overlay = f"config/{config['run']}.yaml"
    return " ".join(
        [
            "snakemake --cores 1",
            *([f"--configfile {overlay} --"] if Path(ROOT, overlay).exists() else []),
            *targets,
        ]
    )
