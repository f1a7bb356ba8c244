"""How a policy learns: one module per trainer, each with one of TRL's trainers behind the same function `make`."""

from collections import namedtuple
from importlib import import_module
from pathlib import Path

from backends.arguments import asked, original, stated

# What a trainer is made of. `settings`, `prompt` and `rewards` are config sections, the first as `of_trainer` gives it;
# `problems` are those of `training_problems`, `demonstrations` is None or those to imitate; `model` is the directory of
# the policy's start; `own` are the arguments that are not the user's to choose, `answer` is
# the type of the task's answers.
Training = namedtuple("Training", "settings prompt rewards seed problems demonstrations model own answer")


def trainer(name):
    """The module of a trainer. Raises SystemExit if there is none."""
    known = sorted(p.stem for p in Path(__file__).parent.glob("[!_]*.py"))
    if name not in known:
        raise SystemExit(f"error: there is no train.trainer {name!r}: choose one of {', '.join(known)}")
    return import_module(f"trainers.{name}")


def configured(config, own, settings):
    """`(arguments, wanted)`: an instance of one of TRL's config classes, and all its fields as TRL itself fills them.

    `own` are fields of ours, `settings` those of the user, which have precedence.
    """
    fields = stated(original(config), own | settings)
    return config(**fields), asked(config, fields)
