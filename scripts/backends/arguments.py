"""The arguments of TRL's trainers, built from the config section `train`."""

import dataclasses


def original(config):
    """TRL's own GRPOConfig or SFTConfig; `config` may be a class that Unsloth derived from it and put in its place."""
    return [c for c in config.__mro__ if c.__name__.endswith(("GRPOConfig", "SFTConfig"))][-1]


def stated(config, settings):
    """`settings` and the class's default for every other field, so that no library fills in defaults of its own."""

    def default(field):
        return field.default if field.default is not dataclasses.MISSING else field.default_factory()

    known = {f.name: default(f) for f in dataclasses.fields(config) if f.init}
    return known | settings


def asked(config, fields):
    """The training arguments that TRL builds from `fields`, as a dict; SystemExit for fields that it refuses."""
    try:
        return original(config)(**fields).to_dict()
    except ValueError as error:
        raise SystemExit(f"error: TRL does not take these settings: {error} Change them under train") from None
