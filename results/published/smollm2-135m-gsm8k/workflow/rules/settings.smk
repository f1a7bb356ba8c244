# What the rules are given of the config, as values that Snakemake can compare, and the command that repeats a run.
import gc
import hashlib
import os
import shlex
import sys
from functools import cache

from snakemake.persistence import PersistenceBase

LONGEST = 2**14  # Snakemake gives a whole command to the shell as one argument, and Linux takes 2**17 bytes in one


def compare_without_pandas():
    """Let Snakemake compare params without importing pandas: nothing is one of its tables if nobody has imported it.

    For Snakemake 9.27, where that is a good part of a call with nothing to do.
    """
    original = getattr(PersistenceBase, "_serialize_param_pandas", None)
    if original is None:
        raise WorkflowError(
            "error: this Snakemake has no PersistenceBase._serialize_param_pandas, which workflow/rules/settings.smk "
            "replaces: use the locked Snakemake, or remove compare_without_pandas"
        )

    def serialised(self, value):
        return original(self, value) if "pandas" in sys.modules else self._serialize_param_builtin(value)

    PersistenceBase._serialize_param_pandas = serialised


compare_without_pandas()
gc.set_threshold(100_000)  # a plan's objects stay to its end: by default, a sixth of its time is a search for garbage


def argument(value):
    """A JSON value as an argument: its text, or `@<file>` if that is too long for a command line.

    The file is named after its content, so that Snakemake still compares values.
    """
    return in_file([json.dumps(value, sort_keys=True)])[0]


def in_file(words):
    """Arguments as they are, or one `@<file>` with one a line if they are too long for a command line."""
    text = "\n".join(words)
    if len(text) <= LONGEST:
        return words
    path = Path(".snakemake/settings", f"{hashlib.sha256(text.encode()).hexdigest()}.json")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(f".{os.getpid()}")
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    return [f"@{path}"]


def listed(name):
    """A param function: the paths of an input, or `@<file>` with them if they are too long for a command line."""

    def paths(wildcards, input):
        return in_file([input[name]] if isinstance(input[name], str) else list(input[name]))

    return paths


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


def settings_of_run():
    """The config without what only `controls` reads, so that more controls change no package."""
    text = argument(definitions("scripts/reasoning/policies.py")["without_controls"](config))
    return lambda wildcards: text


def task_settings(wildcards):
    """The settings of the task in the path that its jobs are given."""
    return argument(definitions("scripts/reasoning/overrides.py")["own_settings"](RUN["tasks"][wildcards.task]))


def numbers():
    """The numbers that tasks state as published."""
    return definitions("scripts/reasoning/policies.py")["published_numbers"](config)


def modules_of_tasks():
    """The module of each task that policies are evaluated on."""
    return {task: config["tasks"][task].get("module", "gsm8k") for task in config["evaluate_on"]}


def of_task(section, task):
    """Section `prompt` or `eval` as a task overrides it."""
    return definitions("scripts/reasoning/overrides.py")["of_task"](RUN, section, task)


def section_of_task(section, task=None):
    """The same as one JSON value, of a task or of the task in the path, as a function of the wildcards."""
    return lambda wildcards: argument(of_task(section, task or wildcards.task))


def measured_split(wildcards):
    """The problems that the task in the path is evaluated on."""
    return f"<results>/data/{wildcards.task}/{of_task('eval', wildcards.task)['split']}.jsonl"


def eval_threads(wildcards):
    """The CPU threads that the task in the path is evaluated with."""
    return of_task("eval", wildcards.task)["threads"]


def reward_files(wildcards):
    """The user's own files that the rewards of the arm in the path are in."""
    weights = settings_of(wildcards.arm, "rewards")
    return [flag(name.rpartition(":")[0], PATH_MODIFIER_FLAG) for name in weights if ".py:" in name and weights[name]]


def shards(wildcards):
    """The shares of an evaluation that other jobs complete, in order; none if it is one job."""
    n = config["shards"]
    folder = f"<results>/shards/{wildcards.task}/{wildcards.policy}"
    return [f"{folder}/{i}-of-{n}" for i in range(1, n + 1)] if n > 1 else []


def receipts():
    """The receipts of the requested uploads: none without hub.repo_id."""
    return collect("<results>/hub/{policy}.json", policy=packaged_policies()) if config["hub"]["repo_id"] else []


def of_policies(pattern, *others):
    """An input function: the files of `pattern` for every task and every policy of the scope in the path."""

    def files(wildcards):
        if "{task}" not in pattern:
            return collect(pattern, policy=[*others, *trained_policies(wildcards.scope)])
        found = {task: [*others, *policies_on(task, wildcards.scope)] for task in config["evaluate_on"]}
        return [path for task, policies in found.items() for path in collect(pattern, task=task, policy=policies)]

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


@cache
def short_names():
    """What makes this config without its whole file: None, for nothing, or the preset of the run's name."""
    preset = f"config/{config['run']}.yaml"
    ways = {None: {}} | ({preset: read_yaml(preset)} if f"{ROOT}{preset}" in overlays() else {})
    return [name for name, given in ways.items() if completed(given) == config]


def command(file, *targets):
    """What to type in a clean clone to make this run; `file` holds its whole config, for who has no shorter way.

    A preset is named by its own file, and the default run by none.
    """
    named = next(iter(short_names()), file)
    profile = ["--profile profiles/apptainer"] if IMAGED else []
    overlay = [f"--configfile {shlex.quote(named)}", *(["--"] if targets else [])] if named else []
    return " ".join(["snakemake --cores 1", *profile, *overlay, *targets])
