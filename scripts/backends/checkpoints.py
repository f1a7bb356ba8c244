"""Checkpoints of a training, from which the same command resumes after an interruption.

They lie beside the declared outputs, in a folder named by the digest of everything that the training depends on, so
that a change never resumes an old one. On a CPU a resumed training ends in the same bytes as an uninterrupted one: a
checkpoint has the weights, optimizer, scheduler, generators and the log.
"""

import json
import re
import time
from pathlib import Path

from stage.files import read_json, remove, sha256, write_json

COMPLETE = "complete.json"  # written last: the sha256 of every file of the checkpoint
KEPT = 2  # so that there is one before a damaged one


def checkpoints(folder):
    """The checkpoints in a folder, by step, the latest first."""
    found = [path for path in folder.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", path.name)]
    return sorted(found, key=lambda path: int(path.name.partition("-")[2]), reverse=True)


def contents(checkpoint):
    """`{file: sha256}` of a checkpoint."""
    files = [path for path in checkpoint.rglob("*") if path.is_file() and path.name != COMPLETE]
    return {str(path.relative_to(checkpoint)): sha256(path) for path in sorted(files)}


def latest(folder):
    """The latest undamaged checkpoint in a folder, None if there is none."""
    for checkpoint in checkpoints(Path(folder)):
        mark = checkpoint / COMPLETE
        try:
            if mark.exists() and read_json(mark) == contents(checkpoint):
                return checkpoint
        except ValueError:
            continue
    return None


def keep_checkpoints(trainer, steps, minutes):
    """Let a trainer save a checkpoint every `steps` steps and every `minutes` minutes; 0 is never.

    Of a GRPOTrainer only after the last step on a batch of rollouts: those are not part of a checkpoint.
    """
    from transformers import TrainerCallback

    arguments = trainer.args
    uses = getattr(arguments, "steps_per_generation", 1) * getattr(arguments, "num_iterations", 1)
    rollouts = max(1, uses // arguments.gradient_accumulation_steps)

    class KeepCheckpoints(TrainerCallback):
        saved, waiting = time.monotonic(), False

        def on_step_end(self, args, state, control, **_):
            elapsed = minutes and time.monotonic() - self.saved >= 60 * minutes
            self.waiting |= bool(elapsed or (steps and state.global_step % steps == 0))
            if self.waiting and state.global_step % rollouts == 0 and state.global_step < state.max_steps:
                control.should_save, self.saved, self.waiting = True, time.monotonic(), False

        def on_save(self, args, state, control, **_):
            trainer.accelerator.wait_for_everyone()  # each of several processes writes files of its own
            if state.is_world_process_zero:
                folder = Path(args.output_dir)
                checkpoint = folder / f"checkpoint-{state.global_step}"
                write_json(checkpoint / COMPLETE, contents(checkpoint))
                for old in checkpoints(folder)[KEPT:]:
                    remove(old)

    trainer.add_callback(KeepCheckpoints())


def keep_log(trainer):
    """Let a trainer write what it logs beside its checkpoints, a line a step, for who watches it (scripts/watch.py)."""
    from transformers import TrainerCallback

    class KeepLog(TrainerCallback):
        def write(self, args, state, mode, rows):
            if state.is_world_process_zero:
                path = Path(args.output_dir, "log.jsonl")
                path.parent.mkdir(parents=True, exist_ok=True)
                with open(path, mode, encoding="utf-8") as file:
                    file.writelines(f"{json.dumps(row)}\n" for row in rows)

        def on_train_begin(self, args, state, control, **_):
            self.write(args, state, "w", state.log_history)

        def on_log(self, args, state, control, **_):
            self.write(args, state, "a", state.log_history[-1:])

    trainer.add_callback(KeepLog())
