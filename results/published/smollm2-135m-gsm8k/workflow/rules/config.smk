# The config: the package's defaults overridden by the user's settings, and validated.
import copy
import symtable

import jsonschema
from snakemake.utils import update_config, validate


def completed(given):
    """The package's defaults, overridden by the settings of the user, an overlay or an importing workflow."""
    values = read_yaml("config/config.yaml")
    update_config(values, copy.deepcopy(given))
    return definitions("scripts/reasoning/overrides.py")["with_arms_of"](copy.deepcopy(given), values)


def explain(error):
    """A schema violation as one line that says what to change."""
    where = ".".join(map(str, error.absolute_path)) or "the top level"
    if error.validator == "additionalProperties":
        known = set(error.schema["properties"])
        patterns = error.schema.get("patternProperties", {})
        others = [key for key in error.instance if not any(re.search(pattern, key) for pattern in patterns)]
        unknown = ", ".join(sorted(set(others) - known))
        forms = ", ".join([*sorted(known), *error.schema.get("forms", [])])
        return f"config: {where} has no key {unknown}; it has {forms}"
    given = "" if isinstance(error.instance, dict) else f" (given: {json.dumps(error.instance)})"
    return f"config: {where}: {error.schema.get('hint', error.message)}{given}"


def trained_policies(scope=""):
    """The policies that the run trains; in scope "controls/", including its controls."""
    return definitions("scripts/reasoning/policies.py")["trained_policies"](config, controls=bool(scope))


def packaged_policies():
    """The policies that the run packages for the Hub, and uploads if it is told to."""
    return definitions("scripts/reasoning/policies.py")["packaged_policies"](config)


def told_to_arms(scope=""):
    """What the arms of a scope were told of their training problems."""
    sections = {arm: {key: settings_of(arm, key) for key in ("train", "rewards")} for arm in ARMS}
    sections = {arm: of | {"merge_of": ARMS[arm].get("merge_of")} for arm, of in sections.items()}
    told = definitions("scripts/reasoning/supervision.py")["told"]
    arms = config["arms"] | (config["controls"]["arms"] if scope else {})
    return {arm: told(config["tasks"][config["task"]], sections, arm) for arm in arms}


def shown(scope=""):
    """What tables and pages of a scope show, in this order."""
    return definitions("scripts/reasoning/order.py")["shown"](config, controls=bool(scope))


def policies_on(task, scope=""):
    """The policies of a scope that are evaluated on a task, without the base model."""
    return definitions("scripts/reasoning/policies.py")["policies_on"](config, task, controls=bool(scope))


def check_only(task):
    """Stop if the policies that a task has `only` lack the claim's own arm or its seeds: tables begin with it."""
    only, known = config["tasks"][task].get("only", {}), {*config["arms"], *config["controls"]["arms"]}
    if unknown := sorted({*only.get("arms", [])} - known):
        raise WorkflowError(f"config: tasks.{task}.only: there is no arm {', '.join(unknown)}: {', '.join(known)}")
    if trained_policies()[0] not in policies_on(task):
        raise WorkflowError(
            f"config: tasks.{task}.only leaves out {trained_policies()[0]}, which the claims are about: add its arm "
            "and seed"
        )


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


def found_file(key, path, needed):
    """The path of a user's file relative to the working directory; the config names it relative to its own file.

    Stop if there is none, or if it does not define one name of each tuple in `needed`.
    """
    files = [*reversed(workflow.config_settings.configfiles), *workflow.configfiles]
    folders = [*(Path(file).parent for file in files), Path()]
    found = next((os.path.relpath(folder / path) for folder in folders if (folder / path).is_file()), None)
    if found is None:
        raise WorkflowError(f"config: {key}: there is no file {path} beside the config file")
    try:
        text = Path(found).read_bytes()
        symbols = symtable.symtable(text, os.path.basename(found), "exec").get_symbols()
    except (SyntaxError, ValueError) as error:
        raise WorkflowError(f"config: {key}: {found}: {error}: correct the file")
    there = {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}
    missing = [names for names in needed if not there & {*names}]
    if missing and b"import *" not in text:  # which may define anything
        raise WorkflowError(f"config: {key}: {found} does not define {' or '.join(missing[0])}: add it")
    return found


def measured_tasks():
    """The tasks on which the base model is measured."""
    return definitions("scripts/reasoning/policies.py")["measured_tasks"](config)


def task_split(task):
    """The split that a task is evaluated on."""
    return (config["eval"] | config["tasks"][task].get("eval", {}))["split"]


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
    for task in sorted({config["task"], *measured_tasks()} - set(config["tasks"])):
        raise WorkflowError(f"config: there is no task {task}; tasks has {', '.join(config['tasks'])}")
    for name, task in config["tasks"].items():
        if ("train" in task["size"]) != ("dev" in task):
            raise WorkflowError(
                f"config: tasks.{name}: a task with a training split, size.train, states its dev, and a task for "
                "evaluation alone has neither"
            )
    for task, needed in [(config["task"], "train"), *((name, task_split(name)) for name in measured_tasks())]:
        if needed != "test" and "train" not in config["tasks"][task]["size"]:
            raise WorkflowError(
                f"config: task {task} is for evaluation alone and has no {needed} split: state its size.train and dev, "
                "or use another task"
            )
    for section, names in (
        ("tasks", [*config["tasks"]]),
        ("arms, controls.arms and sweep", [*config["arms"], *config["controls"]["arms"], *sweep()]),
    ):
        for name in names:
            if [other.lower() for other in names].count(name.lower()) > 1:
                raise WorkflowError(f"config: {section}: {name} is there twice, or in another case: rename one of them")
    if config["arm"] not in config["arms"]:
        raise WorkflowError(
            f"config: arm is {config['arm']}, and arms has {', '.join(config['arms'])}: name one of them"
        )
    if lacking := [arm for arm, own in config["arms"].items() if not (config["seeds"] or own.get("seeds"))]:
        raise WorkflowError(f"config: arm {lacking[0]} has no seeds: state them there, or as `seeds` for all arms")
    for task in config["evaluate_on"]:
        check_only(task)
    if both := sorted({*config["evaluate_on"]} & {*config["baselines"]}):
        raise WorkflowError(f"config: baselines: {', '.join(both)} is in evaluate_on, which has the base model too")
    if config["seeds"] and trained_policies()[0] not in packaged_policies():
        raise WorkflowError(
            f"config: {trained_policies()[0]}, which the claims are about, is of none of `seeds`, whose policies are "
            "packaged: put its seed there"
        )
    repo_id, count = config["hub"]["repo_id"], len(packaged_policies())
    if repo_id and not count:
        raise WorkflowError("config: hub.repo_id is for the policies of `seeds`, and there are none: state seeds")
    if repo_id and count > 1 and "{policy}" not in repo_id:
        raise WorkflowError(f"config: hub.repo_id names one repository for {count} policies: put {{policy}} into it")


def check_modules():
    """Stop if a task's module is not there, or if the headline is an extractor that a task judged by it lacks."""
    known = sorted(path.stem for path in Path(ROOT, "scripts/tasks").glob("[a-z]*.py"))
    for name, task in config["tasks"].items():
        chosen = task.get("module", "gsm8k")
        if not chosen.endswith(".py") and chosen not in known:
            raise WorkflowError(
                f"config: tasks.{name}.module: there is no module {chosen}: use one of {', '.join(known)}, or a file"
            )
    judged = [*measured_tasks(), *({DEV_TASK} & {*RUN["tasks"]})]
    for name in judged if config["headline"] == "math_verify" else []:
        if packaged("scripts/answers/number.py") not in task_code(name):
            raise WorkflowError(
                f"config: headline: only numbers have the extractor math_verify, and the answers of task {name} are "
                "none: take strict or flexible"
            )


def check_implied_tasks():
    """Stop if a task has the name of one that the run needs on another split."""
    for name in config["tasks"]:
        if config["tasks"][name] != RUN["tasks"][name]:
            raise WorkflowError(f"config: the run needs a task {name} of its own, and there is another one: rename it")


def with_defaults(given):
    """The whole config that `given` stands for: the package's and the schema's defaults, and over them `given`."""
    values = completed(given)
    validate(values, str(Path(ROOT, "workflow/schemas/config.schema.yaml").resolve()))
    return values


overlay = {} if workflow.modifier.namespace else workflow.config_settings.overwrite_config
config = completed(definitions("scripts/reasoning/overrides.py")["with_arms_of"](overlay, config))
check_config()
definitions("scripts/reasoning/own.py")["name_files"](config, found_file)
config = with_defaults(config)
DEV_TASK = f"{config['task']}_dev"
TRAINED = "candidates" if config["train"]["select"]["every"] else "adapters"  # the folder that training writes to
RUN = definitions("scripts/reasoning/overrides.py")["with_implied_tasks"](config)
SWEEP = sweep()
BASES = base_models()
ARMS = config["arms"] | config["controls"]["arms"] | {name: each["settings"] for name, each in SWEEP.items()}
check_arms()
check_modules()
check_implied_tasks()
