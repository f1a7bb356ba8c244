"""The names of a config's policies, and the tasks that they are measured on."""


def arms_and_seeds(config, controls=False):
    """`(arms, seeds)` of the run, the arm that the claims are about first; with `controls`, including its controls."""
    arms, seeds = config["arms"], config["seeds"]
    if controls:
        arms, seeds = arms | config["controls"]["arms"], config["controls"]["seeds"]
    return {config["arm"]: arms[config["arm"]]} | arms, seeds


def trained_policies(config, controls=False):
    """The trained policies, `<arm>-seed<seed>`: every arm with its own seeds, or with those of the run or controls."""
    arms, seeds = arms_and_seeds(config, controls)
    return [f"{arm}-seed{seed}" for arm in arms for seed in arms[arm].get("seeds") or seeds]


def packaged_policies(config):
    """The trained policies that are packaged for the Hub: those of the run's own `seeds`."""
    return [policy for policy in trained_policies(config) if seed_of(policy) in config["seeds"]]


def without_controls(config):
    """The config without what only `snakemake controls` reads."""
    return {key: value for key, value in config.items() if key != "controls"}


def policies_on(config, task, controls=False):
    """The trained policies that are evaluated on a task: all, or those of the arms and seeds that it has `only`."""
    only = config["tasks"][task].get("only", {})
    return [
        policy
        for policy in trained_policies(config, controls)
        if arm_of(policy) in only.get("arms", [arm_of(policy)])
        and seed_of(policy) in only.get("seeds", [seed_of(policy)])
    ]


def settings_arm(arms, arm):
    """The arm whose training settings hold for an arm: itself, or, for a merge of adapters, the first that it merges.

    `arms` are the config's, `{arm: overrides}`. All that a merge puts together start from the same model.
    """
    while parts := arms[arm].get("merge_of"):
        arm = min(parts["adapters"])
    return arm


def arm_of(policy):
    """The arm of a policy: grpo-seed0 -> grpo, base -> base."""
    return policy.partition("-seed")[0]


def seed_of(policy):
    """The seed of a policy as an integer, so that 10 sorts after 2; 0 for the base model."""
    return int(policy.partition("-seed")[2].partition("-step")[0] or 0)


def measured_tasks(config):
    """The tasks on which the base model is measured: those of `evaluate_on`, and `baselines`, on which it is alone."""
    return [*config["evaluate_on"], *config.get("baselines", [])]


def published_numbers(config):
    """`{task: {"base" or "trained": {score, source}}}` of the tasks that are measured and state such numbers."""
    tasks = {task: config["tasks"][task].get("published") for task in measured_tasks(config)}
    return {task: numbers for task, numbers in tasks.items() if numbers}
