# The functions that the rules share: settings and code as values that Snakemake can compare.
import ast
import copy
import hashlib
import json
import shutil
from pathlib import Path

import jsonschema
import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config, validate


def explain(error):
    """One line that says what to change, for a schema violation."""
    where = ".".join(map(str, error.absolute_path)) or "the top level"
    if error.validator == "additionalProperties":
        known = set(error.schema["properties"])
        unknown = ", ".join(sorted(set(error.instance) - known))
        return f"config: {where} has no key {unknown}; it has {', '.join(sorted(known))}"
    return f"config: {where}: {error.schema.get('hint', error.message)} (given: {json.dumps(error.instance)})"


def policies(scope=""):
    """The tuned policies: of the run, every arm with every seed; in scope "controls/", of the run and its controls."""
    arms, seeds = (config["arms"], config["seeds"])
    if scope:
        arms, seeds = (arms | config["controls"]["arms"], config["controls"]["seeds"])
    return [f"{arm}-seed{seed}" for arm in arms for seed in seeds]


def check_config():
    """Stop on a config that cannot run, in one line and before anything is made."""
    schema = Path(workflow.current_basedir, "../schemas/config.schema.yaml").resolve()
    validator = jsonschema.Draft202012Validator(yaml.safe_load(schema.read_text()))
    if error := jsonschema.exceptions.best_match(validator.iter_errors(config)):
        raise WorkflowError(explain(error))
    for task in sorted({config["task"], *config["evaluate_on"]} - set(config["tasks"])):
        raise WorkflowError(f"config: there is no task {task}; tasks has {', '.join(config['tasks'])}")
    repo_id, count = config["hub"]["repo_id"], len(policies())
    if repo_id and count > 1 and "{policy}" not in repo_id:
        raise WorkflowError(f"config: hub.repo_id names one repository for {count} policies: put {{policy}} into it")
    validate(config, str(schema))


check_config()

# Every stage that loads a model runs under this: it asks the Hub for nothing, and gets its memory in large pages, which
# glibc reads only when a process starts (other C libraries ignore it).
MODEL_ENV = "HF_HUB_OFFLINE=1 GLIBC_TUNABLES=glibc.malloc.hugetlb=1"

# The lists that the environment is made from, whose digests a report names, and its image, which is named after all that
# it is made of: where that changes, what ran in it runs again.
LOCKS = sorted(map(str, Path("envs").glob(f"{config['container']}*.txt")))
IMAGES, DEFINITION = "containers/images.yaml", "containers/Containerfile"
PARTS = yaml.safe_load(Path(IMAGES).read_text())[config["container"]]


def image():
    """containers/<name>-<digest>.sif"""
    content = [json.dumps(PARTS, sort_keys=True), *(Path(p).read_text() for p in (DEFINITION, "Makefile", *LOCKS))]
    digest = hashlib.sha256("\0".join(content).encode()).hexdigest()
    return f"containers/{config['container']}-{digest[:12]}.sif"


IMAGE = image()


def launch(processes):
    """What starts a training script: Python, or torchrun with one process to a GPU, which TRL's accelerate joins."""
    return f"torchrun --standalone --nproc-per-node={processes}" if processes > 1 else "python"


def code(*scripts):
    """The scripts and every local module that they import: a rule reruns when one of them changes.

    Absolute imports are followed, wherever they stand; what is imported by a name made at run time (backends,
    sources) is not, and is given as a script of its own.
    """
    found, queue = set(), [Path(script) for script in scripts]
    while queue:
        path = queue.pop()
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                names = [
                    node.module,
                    *(f"{node.module}.{alias.name}" for alias in node.names),
                ]
            for name in names:
                stem = Path("scripts", *name.split("."))
                candidates = {stem.with_suffix(".py"), stem / "__init__.py"}
                queue += [path for path in candidates - found if path.exists()]
    return sorted(map(str, found))


def backend(kind):
    """The script of the backend that config section `kind` selects."""
    return f"scripts/backends/{kind}_{config[kind]['backend']}.py"


def source(address):
    """The script that serves a source: `hf://…` is served by scripts/sources/hf.py, a path by path.py."""
    scheme, separator, _ = address.partition("://")
    return f"scripts/sources/{scheme if separator else 'path'}.py"


def require_gpu():
    """Stop before the first download where training is to run on this machine's GPU and there is none."""
    trains = any(job.rule.name == "train_grpo" for job in workflow.dag.needrun_jobs())
    if trains and workflow.local_exec and not config["train"]["grpo"]["use_cpu"] and not shutil.which("nvidia-smi"):
        raise WorkflowError(
            f"this machine has no NVIDIA GPU (no nvidia-smi on the PATH), and run {config['run']} needs one: use a "
            "machine that has, or the default run, which needs none"
        )


def require_image():
    """Stop before the first job where jobs are to run in an image that has not been built."""
    if any(job.container_img for job in workflow.dag.needrun_jobs()) and not Path(IMAGE).exists():
        raise WorkflowError(
            f"there is no image {IMAGE}: build it with snakemake --cores 1 build_image, without the profile and with "
            "the same --configfile"
        )


def settings(*keys):
    """A section of the config, or all of it, as one JSON value: Snakemake compares the values of params, not their names.

    As a function of the wildcards, for in a plain text Snakemake would take braces for wildcards: those of a regular
    expression, or of hub.repo_id.
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
    return collect("<results>/hub/{policy}.json", policy=policies()) if config["hub"]["repo_id"] else []


def of_policies(pattern, *others):
    """The files of `pattern` for every task and every policy of the scope in the path, as an input function."""

    def files(wildcards):
        return collect(pattern, task=config["evaluate_on"], policy=[*others, *policies(wildcards.scope)])

    return files


def command(*targets):
    """What to type in a clean clone to make this run: overlays are named after their run."""
    overlay = f"config/{config['run']}.yaml"
    return " ".join(
        [
            "snakemake --cores 1",
            *([f"--configfile {overlay} --"] if Path(overlay).exists() else []),
            *targets,
        ]
    )


def show_table():
    """Print the run's table and where its report is, if this call of Snakemake was to make them."""
    results = Path("results", config["run"])
    if (results / "table.txt").exists() and (results / "report.html").exists():
        print(f"\n{(results / 'table.txt').read_text()}\nreport: {results / 'report.html'}")
