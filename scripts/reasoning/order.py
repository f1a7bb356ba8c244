"""The order in which tables and pages show tasks and arms.

The rules read this file too, so it imports nothing of the package.
"""


def shown(config, controls=False):
    """`{"tasks", "arms", "controls", "start"}`: what is shown, the run's own task and the claim's arm first.

    With `controls` the arms include the run's controls, which come last; `start` is the arm that the claim's arm goes
    on from, None if that is the base model.
    """
    arm, of_controls = config["arm"], [*config["controls"]["arms"]] if controls else []
    return {
        "tasks": sorted(config["evaluate_on"], key=lambda task: task != config["task"]),
        "arms": [arm, *(other for other in config["arms"] if other != arm), *of_controls],
        "controls": of_controls,
        "start": (config["train"] | config["arms"][arm].get("train", {})).get("start"),
    }
