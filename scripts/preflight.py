"""Check what a training needs besides the model, before anything is downloaded: its packages and its settings."""

import argparse
import json
import tempfile
from importlib.util import find_spec

from backends.arguments import asked, original, stated
from backends.quantisation import quantised
from reasoning.training import arguments
from stage.screen import run


def require_packages(settings, backend):
    """Stop if what the backends are made of is not installed."""
    wanted = {name for name in (settings["backend"], backend) if name in ("unsloth", "vllm")}
    wanted |= {"vllm"} if settings["grpo"].get("use_vllm") else set()
    if missing := sorted(name for name in wanted if find_spec(name) is None):
        raise SystemExit(
            f"error: {', '.join(missing)} is not installed here: use the environment that the config names (make gpu, "
            "or --profile profiles/apptainer), or backends that need none"
        )


def main(args):
    for text in args.train_configs:
        settings = json.loads(text)
        require_packages(settings, args.eval_backend)
        quantised(settings)

        import trl

        config, given = getattr(trl, f"{settings['trainer'].upper()}Config"), arguments(settings)
        # TRL counts the processes that train together, and here is one: its batch is all of theirs.
        batch = given.get("per_device_train_batch_size", original(config).per_device_train_batch_size)
        whole = {"per_device_train_batch_size": batch * settings["processes"], "output_dir": tempfile.gettempdir()}
        asked(config, stated(original(config), given | whole))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train-configs", required=True, nargs="+", help="the section `train` of every arm, as JSON")
    parser.add_argument("--eval-backend", required=True, help="the config's `eval.backend`")
    run(main, parser)
