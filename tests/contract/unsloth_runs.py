"""Run trainings of scripts/train.py with Unsloth's own code: python tests/contract/unsloth_runs.py RUNS FOUND

RUNS is a JSON list of runs, in this process one after another: `arguments` of train, and `only_construct` to stop
once the trainer is there. FOUND gets a JSON list of what happened in each: `error`, the `calls` of the engine if there
was one, the `rollouts` of each step, the adapter's matrices A `at_first`.
"""

import json
import runpy
import sys
from pathlib import Path

import fake_gpu
import torch

ENGINES, ROLLOUTS, BEGINNINGS = [], [], []


class Constructed(Exception):
    """The trainer is there."""


def watch(only_construct):
    """Note what the trainer is given, and what it begins with; returns a function that ends that."""
    from trl import GRPOTrainer

    train = GRPOTrainer.train

    def watched(trainer, *arguments, **options):
        matrices = {name: p.float().sum().item() for name, p in trainer.model.named_parameters() if "lora_A" in name}
        BEGINNINGS.append(matrices)
        if only_construct:
            raise Constructed
        return train(trainer, *arguments, **options)

    GRPOTrainer.train = watched

    def end():
        GRPOTrainer.train = train

    return end


def main():
    runs, found = json.loads(Path(sys.argv[1]).read_text()), []
    patched = False
    import backends.train_unsloth as backend
    import reasoning.rewards as rewards

    load, reward_functions = backend.load, rewards.reward_functions

    def patched_load(model, chats, settings, prompt, folder):
        import os

        nonlocal patched
        os.environ |= backend.environment(settings, folder)
        folder.mkdir(parents=True, exist_ok=True)
        if not patched:  # once, as on import
            fake_gpu.patch_unsloth(ENGINES)
            patched = True
        loaded = load(model, chats, settings, prompt, folder)
        ends.append(watch(run.get("only_construct")))
        return loaded

    def kept_rewards(weights, prompt, seed, rollouts, kind):
        functions, values = reward_functions(weights, prompt, seed, rollouts, kind)

        def noted(*arguments, **options):
            given = functions[0](*arguments, **options)
            ROLLOUTS.append([rollouts[-1][0], [list(map(int, ids)) for ids in rollouts[-1][1]]])
            return given

        noted.__name__ = functions[0].__name__
        return [noted, *functions[1:]], values

    backend.load, rewards.reward_functions = patched_load, kept_rewards
    for run in runs:
        ENGINES.clear(), ROLLOUTS.clear(), BEGINNINGS.clear()
        ends, error = [], None
        program = runpy.run_path("scripts/train.py")
        arguments = argparse_namespace(run["arguments"])
        try:
            program["main"](arguments)
        except Constructed:
            pass
        except SystemExit as stopped:
            error = str(stopped)
        for end in ends:
            end()
        found.append(
            {
                "error": error,
                "calls": [call for engine in ENGINES for call in engine.calls],
                "rollouts": list(ROLLOUTS),
                "at_first": BEGINNINGS[0] if BEGINNINGS else None,
                "seed": torch.initial_seed(),
            }
        )
        Path(sys.argv[2]).write_text(json.dumps(found))


PATHS = "model data adapter history arguments environment gpu_memory checkpoints reports".split()


def argparse_namespace(given):
    """The arguments of train as its parser would make them."""
    import argparse

    values = {name: Path(value) if name in PATHS else value for name, value in given.items()}
    return argparse.Namespace(
        **values | {"code": [Path("scripts/train.py")], "demonstrations": [], "task_module": "gsm8k"}
    )


main()
