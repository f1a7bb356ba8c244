# What an arm is: its settings, the model that it starts from, and the teacher that it imitates.
import copy
import graphlib

from snakemake.utils import update_config


def settings_of(arm, section):
    """A section of the config with the overrides of an arm."""
    value = copy.deepcopy(config[section])
    update_config(value, copy.deepcopy(ARMS[arm].get(section, {})))
    return value


def arm_settings(section):
    """The same as one JSON value, of the arm in the path; of `train` what the arm's trainer reads."""

    def of_arm(wildcards):
        value = settings_of(wildcards.arm, section)
        if section == "train":
            value = definitions("scripts/reasoning/training.py")["of_trainer"](value)
        return argument(value)

    return of_arm


def trainer(wildcards):
    """The file of the trainer of the arm in the path."""
    return f"scripts/trainers/{settings_of(wildcards.arm, 'train')['trainer']}.py"


def start_of(wildcards):
    """The name of the model that the policy in the path starts from: a base model, or a policy of the same seed."""
    start = settings_of(wildcards.arm, "train")["start"]
    return f"{start}-seed{wildcards.seed}" if start else base_of(wildcards.arm)


def start(wildcards):
    """The folder of that model."""
    return f"<results>/models/{start_of(wildcards)}"


def start_source(wildcards):
    """What an adapter's config names as its base model: a source, or, for a policy of this run, its folder here."""
    return BASES[start_of(wildcards)]["source"] if start_of(wildcards) in BASES else f"models/{start_of(wildcards)}"


def demonstrations(wildcards):
    """The completions that the arm in the path imitates: those of its teacher, none if it has no teacher."""
    train = settings_of(wildcards.arm, "train")
    if train["trainer"] != "sft" or not train["teacher"]:
        return []
    teacher = train["teacher"] if train["teacher"] == "base" else f"{train['teacher']}-seed{wildcards.seed}"
    return f"<results>/eval/{config['task']}_train/{teacher}/samples.jsonl"


def check_arms():
    """Stop on an arm that starts from or imitates what is not there or itself, or if there is none for the claims."""
    if config["arm"] not in config["arms"]:
        raise WorkflowError(
            f"config: arm is {config['arm']}, and arms has {', '.join(config['arms'])}: name one of them"
        )
    needs = {}
    for arm in ARMS:
        train = settings_of(arm, "train")
        for key, known in (("start", [*ARMS]), ("teacher", ["base", *ARMS])):
            if train[key] not in (None, *known):
                raise WorkflowError(
                    f"config: arm {arm}: train.{key} names {train[key]}, and may name {', '.join(known)}, or be null"
                )
        if train["teacher"] and train["trainer"] != "sft":
            raise WorkflowError(
                f"config: arm {arm}: train.teacher is for train.trainer sft: set the one, or not the other"
            )
        if train["select"] != config["train"]["select"]:
            raise WorkflowError(f"config: arm {arm}: train.select is the same for all arms: state it outside arms")
        needs[arm] = {train["start"], train["teacher"]} - {None, "base"}
        if needs[arm] and SWEEP:
            raise WorkflowError(
                f"config: arm {arm} starts from or imitates another arm, which no sweep can: leave one out"
            )
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        raise WorkflowError(f"config: arms that start from or imitate themselves: {' <- '.join(error.args[1])}")
