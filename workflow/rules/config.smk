# The config: the package's defaults overridden by the user's settings, validated, as values Snakemake can compare.
import copy
import hashlib
import itertools
import json
import math
import os
import re
import runpy
import shlex
import sys
from pathlib import Path

import jsonschema
import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config, validate


def read_yaml(path):
    """A YAML file of the package."""
    return yaml.safe_load(Path(ROOT, path).read_text(encoding="utf-8"))


def require_given_once():
    """Stop if --configfile or --config is on the command line twice: Snakemake would forget the first of them."""
    words = [word.partition("=")[0] for word in itertools.takewhile(lambda word: word != "--", sys.argv[1:])]
    for names, form in (
        (("--configfile", "--configfiles"), "--configfile a.yaml b.yaml"),
        (("--config", "-C"), "--config a=1 b=2"),
    ):
        if sum(word in names for word in words) > 1:
            raise WorkflowError(f"{names[0]} is given twice, and Snakemake keeps the last: write {form}")


def once(path):
    """A function that makes a dict of a JSON object's pairs; a key that is there twice stops the run."""

    def unique(pairs):
        names = [name for name, _ in pairs]
        for name in names:
            if names.count(name) > 1:
                raise WorkflowError(f"{path}: {name} is there twice: keep one of them")
        return dict(pairs)

    return unique


# What YAML 1.1 makes of words that were hardly meant so, by its tag: dates, octal and sexagesimal numbers, `no`.
BENT = {
    "timestamp": (r".*", "a date"),
    "int": (r"[-+]?(0\d.*|0[xb].*|.*[_:].*)", "a number of another form"),
    "float": (r".*[_:].*|.*(inf|nan)", "a number of another form"),
    "bool": (r"(?!(true|false)$).*", "true or false"),
}


def require_plain(path, node):
    """Stop if a part of a YAML file is not what it looks like: a key twice, or a word with another meaning in YAML."""
    place = f"{path}, line {node.start_mark.line + 1}"
    if isinstance(node, yaml.ScalarNode):
        form, meaning = BENT.get(node.tag.rpartition(":")[2], ("(?!)", ""))
        if re.fullmatch(form, node.value, re.IGNORECASE | re.DOTALL):
            raise WorkflowError(f"{place}: YAML reads {node.value} as {meaning}: put text into quotes")
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            require_plain(path, value)
    elif isinstance(node, yaml.MappingNode):
        names = [key.value for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise WorkflowError(f"{place}: {name} is there twice in this section: keep one of them")
        for key, value in node.value:
            require_plain(path, key)
            require_plain(path, value)


def check_files():
    """Stop on a config file that says one thing and is read as another."""
    for path in dict.fromkeys(map(str, workflow.configfiles)):
        text = Path(path).read_text(encoding="utf-8")
        try:
            json.loads(text, object_pairs_hook=once(path))
        except ValueError:
            if node := yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
                require_plain(path, node)


def require_json(value, place="the top level"):
    """Stop on a value or a name that JSON does not have: a date, a number that is none, a name that is not text."""
    if isinstance(value, dict):
        for name, below in value.items():
            if not isinstance(name, str):
                raise WorkflowError(f"config: {place}: the name {name} is no text for YAML: put it into quotes")
            require_json(below, name if place == "the top level" else f"{place}.{name}")
    elif isinstance(value, (list, tuple)):
        for below in value:
            require_json(below, place)
    elif not isinstance(value, (str, int, float, type(None))) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        raise WorkflowError(f"config: {place}: {value} is no text, number, true, false or null: put text into quotes")


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


def check_patterns():
    """Stop on a pattern that Python cannot compile, or that does not say which part is the answer; also of a task's."""
    prompts = {"prompt": config["prompt"]}
    prompts |= {f"tasks.{name}.prompt": task.get("prompt", {}) for name, task in config["tasks"].items()}
    for place, key in [(place, key) for place in prompts for key in ("answer", "format") if key in prompts[place]]:
        try:
            groups = re.compile(prompts[place][key], re.DOTALL).groups
        except re.error as error:
            raise WorkflowError(f"config: {place}.{key} is not a regular expression: {error}: correct it, or quote it")
        if key == "answer" and groups != 1:
            raise WorkflowError(
                f"config: {place}.answer has {groups} groups: put the answer, and nothing else, in (…), and write "
                "(?:…) for other brackets"
            )


def check_config():
    """Stop on a config that cannot run, in one line and before anything is made."""
    require_given_once()
    check_files()
    require_json(config)
    schema = read_yaml("workflow/schemas/config.schema.yaml")
    validator = jsonschema.Draft202012Validator(schema)
    if error := jsonschema.exceptions.best_match(validator.iter_errors(config)):
        raise WorkflowError(explain(error))
    check_patterns()
    for task in sorted({config["task"], *config["evaluate_on"]} - set(config["tasks"])):
        raise WorkflowError(f"config: there is no task {task}; tasks has {', '.join(config['tasks'])}")
    for section, names in (
        ("tasks", [*config["tasks"]]),
        ("arms and controls.arms", [*config["arms"], *config["controls"]["arms"]]),
    ):
        for name in names:
            if [other.lower() for other in names].count(name.lower()) > 1:
                raise WorkflowError(f"config: {section}: {name} is there twice, or in another case: rename one of them")
    repo_id, count = config["hub"]["repo_id"], len(trained_policies())
    if repo_id and count > 1 and "{policy}" not in repo_id:
        raise WorkflowError(f"config: hub.repo_id names one repository for {count} policies: put {{policy}} into it")


def with_defaults(given):
    """The whole config that `given` stands for: the package's and the schema's defaults, and over them `given`."""
    values = completed(given)
    validate(values, str(Path(ROOT, "workflow/schemas/config.schema.yaml").resolve()))
    return values


config = completed(config)
check_config()
config = with_defaults(config)
LONGEST = 2**14  # Snakemake gives a whole command to the shell as one argument, and Linux takes 2**17 bytes in one


def argument(value):
    """A JSON value as an argument: its text, or `@<file>` if that is too long for a command line.

    The file is named after its content, so that Snakemake still compares values.
    """
    text = json.dumps(value, sort_keys=True)
    if len(text) <= LONGEST:
        return text
    path = Path(".snakemake/settings", f"{hashlib.sha256(text.encode()).hexdigest()}.json")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(f".{os.getpid()}")
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    return f"@{path}"


def settings(*keys):
    """A section of the config, or all of it, as one JSON text, because Snakemake compares params by value.

    It is a function of the wildcards, because in a plain string, Snakemake would take the braces of a regular
    expression or of hub.repo_id for wildcards.
    """
    value = config
    for key in keys:
        value = value[key]
    text = argument(value)
    return lambda wildcards: text


def task_settings(wildcards):
    """The settings of the task in the path, without its overrides of other sections."""
    names = runpy.run_path(f"{ROOT}scripts/reasoning/overrides.py")
    value = {key: value for key, value in config["tasks"][wildcards.task].items() if key not in names["OVERRIDABLE"]}
    return argument(value)


def of_task(section, task):
    """Section `prompt` or `eval` as a task overrides it."""
    return runpy.run_path(f"{ROOT}scripts/reasoning/overrides.py")["of_task"](config, section, task)


def section_of_task(section, task=None):
    """The same as one JSON value, of a task or of the task in the path, as a function of the wildcards."""
    return lambda wildcards: argument(of_task(section, task or wildcards.task))


def measured_split(wildcards):
    """The problems that the task in the path is evaluated on."""
    return f"<results>/data/{wildcards.task}/{of_task('eval', wildcards.task)['split']}.jsonl"


def eval_threads(wildcards):
    """The CPU threads that the task in the path is evaluated with."""
    return of_task("eval", wildcards.task)["threads"]


def arm_settings(section):
    """A section with the overrides of the arm in the path, as a function of the wildcards."""

    def merged(wildcards):
        value = copy.deepcopy(config[section])
        arms = config["arms"] | config["controls"]["arms"]
        update_config(value, arms[wildcards.arm].get(section, {}))
        return argument(value)

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


def overlaid_by():
    """The overlays that this call of Snakemake was given, in order, relative to the working directory."""
    return [os.path.relpath(path) for path in workflow.config_settings.configfiles]


def command(file, *targets):
    """What to type in a clean clone to make this run; `file` holds its whole config, for who has no shorter way.

    A preset is named by its own file, and the default run by none.
    """
    preset = f"config/{config['run']}.yaml"
    ways = {None: {}} | ({preset: read_yaml(preset)} if f"{ROOT}{preset}" in overlays() else {})
    named = next((name for name, given in ways.items() if with_defaults(given) == config), file)
    profile = ["--profile profiles/apptainer"] if IMAGED else []
    overlay = [f"--configfile {shlex.quote(named)}", *(["--"] if targets else [])] if named else []
    return " ".join(["snakemake --cores 1", *profile, *overlay, *targets])
