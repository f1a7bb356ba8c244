# What an arm is: its settings, the model that it starts from, and the teacher that it imitates.
import copy
import graphlib
from functools import cache

from snakemake.utils import update_config


@cache
def settings_of(arm, section):
    """A section of the config with the overrides of an arm, which nobody changes."""
    value = copy.deepcopy(config[section])
    arm = definitions("scripts/reasoning/policies.py")["settings_arm"](ARMS, arm)
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


def that_merge(arms, merge=True):
    """A pattern for the names of the arms that merge adapters of others, or of those that are trained."""
    return "|".join(arm for arm in arms if ("merge_of" in arms[arm]) == merge) or "(?!)"


def merged_adapters(wildcards):
    """The adapters that the arm in the path merges, of its own seed, in the order of their names."""
    arms = sorted(ARMS[wildcards.arm]["merge_of"]["adapters"])
    return collect("<results>/adapters/{arm}-seed{seed}", arm=arms, seed=wildcards.seed)


def check_merge_of(arm):
    """Stop on an arm that merges adapters which do not go together; the arms that it needs are there."""
    merge = ARMS[arm]["merge_of"]
    if ARMS[arm].keys() - {"seeds"} != {"merge_of"}:
        raise WorkflowError(f"config: arm {arm} merges adapters and trains none: remove its train and rewards")
    if ("density" in merge) == (merge["method"] in ("linear", "svd", "cat")):
        raise WorkflowError(
            f"config: arm {arm}: merge_of.density is the share of weights that ties, dare and magnitude_prune keep: "
            "state it for these, and for no other method"
        )
    parts = {name: settings_of(name, "train") for name in sorted(merge["adapters"])}
    first, *others = parts
    free = {"r", "lora_alpha"} if merge["method"] == "cat" or merge["method"].endswith("svd") else {"lora_alpha"}
    for other in others:
        both = f"config: arm {arm} merges {first} and {other}, "
        if parts[other]["start"] != parts[first]["start"]:
            raise WorkflowError(f"{both}which start from different models: make their train.start equal")
        lora = [parts[name]["lora"] for name in (first, other)]
        keys = (lora[0].keys() | lora[1].keys()) - free
        if apart := sorted(key for key in keys if lora[0].get(key) != lora[1].get(key)):
            cure = ", or take svd or cat" if apart == ["r"] else ""
            raise WorkflowError(f"{both}whose train.lora differs in {', '.join(apart)}: make it equal{cure}")
    if unfit := [key for key in ("use_dora", "use_rslora") if parts[first]["lora"].get(key)]:
        raise WorkflowError(f"config: arm {arm}: PEFT merges adapters without {unfit[0]} only: set it to false")


# Of section `train`, what the rules read before they know the arm.
OF_ALL_ARMS = ("backend", "grpo.use_cpu", "processes", "select", "threads")


def check_arms():
    """Stop on an arm that starts from, imitates or merges what is not there or itself."""
    merges = {arm: {*ARMS[arm]["merge_of"]["adapters"]} for arm in ARMS if "merge_of" in ARMS[arm]}
    for arm, parts in merges.items():
        if unknown := sorted(parts - ARMS.keys()):
            raise WorkflowError(
                f"config: arm {arm}: merge_of.adapters names {', '.join(unknown)}, and may name {', '.join(ARMS)}"
            )
    require_order(merges)
    needs = {}
    for arm in ARMS:
        if arm in merges and SWEEP:
            raise WorkflowError(
                f"config: arm {arm} merges other arms, which no sweep can: state arms without it, or no sweep"
            )
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
        if train["teacher"] and train["problems"]["wrong_answers"]:
            raise WorkflowError(
                f"config: arm {arm}: train.problems.wrong_answers makes a teacher's right completions wrong: set the "
                "one, or not the other"
            )
        shown = definitions("scripts/reasoning/overrides.py")["of_task"](config, "prompt", config["task"])["examples"]
        if (examples := train["problems"]["examples"]) and examples["least"] > len(shown):
            raise WorkflowError(
                f"config: arm {arm}: train.problems.examples.least is {examples['least']}, and prompt.examples has "
                f"{len(shown)}: lower it, or add examples"
            )
        of_arm, of_run = ({"grpo.use_cpu": of["grpo"]["use_cpu"]} | of for of in (train, config["train"]))
        if own := [key for key in OF_ALL_ARMS if of_arm[key] != of_run[key]]:
            raise WorkflowError(
                f"config: {arm}: train.{own[0]} is the same for all arms: state it outside arms and sweep"
            )
        needs[arm] = merges.get(arm) or {train["start"], train["teacher"]} - {None, "base"}
        if needs[arm] and SWEEP:
            raise WorkflowError(
                f"config: arm {arm} starts from or imitates another arm, which no sweep can: state arms without it, "
                "such as arms: {grpo: {}}, or no sweep"
            )
    require_order(needs)
    for arm in merges:
        check_merge_of(arm)


def require_order(needs):
    """Stop if an arm needs itself; `needs` is `{arm: other arms}`."""
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        raise WorkflowError(f"config: arms that start from, imitate or merge themselves: {' <- '.join(error.args[1])}")
