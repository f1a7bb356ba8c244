"""The names of policies, and the number of problems that each is asked, as the config has them."""


def arms_and_seeds(config, controls=False):
    """`(arms, seeds)` of the run; with `controls`, of the run and its controls."""
    if not controls:
        return config["arms"], config["seeds"]
    return config["arms"] | config["controls"]["arms"], config["controls"]["seeds"]


def trained_policies(config, controls=False):
    """The policies that the config trains: every arm with every seed, `<arm>-seed<seed>`."""
    arms, seeds = arms_and_seeds(config, controls)
    return [f"{arm}-seed{seed}" for arm in arms for seed in seeds]


def arm_of(policy):
    """The arm of a policy: grpo-seed0 -> grpo, base -> base."""
    return policy.partition("-seed")[0]


def seed_of(policy):
    """The seed of a policy as a number, 0 for the base model: 10 comes after 2."""
    return int(policy.partition("-seed")[2] or 0)


def problem_count(task, split):
    """`(n, subset)`: how many problems a split has by the config section of its task, and if that is a subset."""
    limit = task["limit"].get(split)
    return limit or (task["size"] | {"dev": task["dev"]})[split], limit is not None
