"""Train a LoRA adapter, with the trainer that the config names."""

import argparse
import csv
import json
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from backends import backend
from backends.adapters import save_adapter, whole
from backends.chat_template import require_plain_template
from backends.checkpoints import keep_checkpoints, keep_log, latest
from backends.decoding import inherit_nothing, stop_tokens
from backends.determinism import fix
from backends.gpu_memory import peak
from backends.reports import report_to
from reasoning.training import right_completions, training_problems, worked_solutions
from stage.checksums import model_rule, require_intact, seal
from stage.environment import environment
from stage.files import read_jsonl, replacing, write_json
from stage.resume import fingerprint
from stage.screen import Progress, run, say
from tasks import load as load_task
from trainers import Training
from trainers import trainer as trainer_module

# TRL's timings, which would make the history differ from run to run.
CLOCK = {"step_time", "train_runtime", "train_samples_per_second", "train_steps_per_second", "total_flos"}


# Arguments that a trainer may set by itself, because they are of evaluation during training, of which there is none.
UNUSED = {"bf16_full_eval", "fp16_full_eval"}


def require_requested(wanted, used):
    """Stop if the training arguments `used` are not those `wanted`, which TRL made of the settings."""
    if changed := [key for key in wanted.keys() - UNUSED if used.get(key) != wanted[key]]:
        found = ", ".join(f"{key} from {wanted[key]!r} to {used.get(key)!r}" for key in sorted(changed))
        raise SystemExit(
            f"error: the backend changes the training settings, {found}: set the value you want under train.grpo, or "
            "set train.backend to trl"
        )


def write_history(path, logs):
    """Write what TRL logged, one row a step: loss, and as the trainer has them rewards, lengths, entropy, kl."""
    rows = [{k: v for k, v in row.items() if k not in CLOCK} for row in logs if "loss" in row]
    columns = sorted({key for row in rows for key in row} - {"step"})
    with replacing(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["step", *columns], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def writing(path, first):
    """A context with the folder to write `path` into: of several processes, only the first one's is kept."""
    return replacing(path) if first else TemporaryDirectory()


def adapter_values(policy):
    """A copy of LoRA's B matrices, `{name: tensor}`: they move with the first gradient."""
    return {name: whole(p.detach()).clone() for name, p in policy.named_parameters() if "lora_B" in name}


def moved(before, after):
    """Whether a matrix is another one than before, up to rounding and a factor, which is what weight decay leaves."""
    before, after = before.float(), after.float()
    if not before.any():
        return bool(after.any())
    factor = (before * after).sum() / (before * before).sum()
    return bool((after - factor * before).abs().max() > 1e-5 * before.abs().max())


def require_learning(policy, before, reason):
    """Stop if training left the adapter as it was; `before` are its values before it, `reason` is why that may be."""
    if not any(moved(before[name], value) for name, value in adapter_values(policy).items()):
        raise SystemExit(f"error: training changed nothing: {reason}")


def show_progress(trainer, label, job):
    """Show the trainer's steps on the screen."""
    from transformers import TrainerCallback

    class ShowProgress(TrainerCallback):
        def on_train_begin(self, args, state, control, **_):
            self.shown = Progress(label, state.max_steps, "steps", done=state.global_step, job=job)

        def on_step_end(self, args, state, control, **_):
            if state.is_world_process_zero:
                self.shown.update()

    trainer.add_callback(ShowProgress())


def keep_candidates(trainer, every, folder, source):
    """Let a trainer save the adapter of every `every` steps and of the last into `folder`, as step<n>."""
    from transformers import TrainerCallback

    class KeepCandidates(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            due = state.global_step % every == 0 or state.global_step == state.max_steps
            if due:
                with writing(folder / f"step{state.global_step}", state.is_world_process_zero) as candidate:
                    save_adapter(trainer.model, candidate, source)
                    seal(candidate)

    trainer.add_callback(KeepCandidates())


def checkpoint_folder(args):
    """The folder for the checkpoints of exactly this training."""
    settings = [args.train_config, args.rewards_config, args.prompt_config, args.seed, environment()]
    files = [args.data, *args.demonstrations, *args.code, *args.model.glob("*.safetensors")]
    return args.checkpoints / fingerprint(settings, files)


def training_of(args, working):
    """What the training is made of, read from the stage's arguments and input files."""
    settings, prompt = json.loads(args.train_config), json.loads(args.prompt_config)
    problems = training_problems(read_jsonl(args.data), settings["problems"], args.seed)
    demonstrations = None
    if args.demonstrations:
        demonstrations = right_completions(problems, read_jsonl(*args.demonstrations))
    elif settings["trainer"] == "sft":
        demonstrations = worked_solutions(problems, settings["solution"])
    own = dict(
        output_dir=str(working),
        seed=args.seed,
        data_seed=args.seed,
        logging_steps=1,
        report_to=report_to(args.report_to, args.reports),
        save_strategy="no",
    )
    rewards, answer = json.loads(args.rewards_config), load_task({"module": args.task_module}).answer
    return Training(settings, prompt, rewards, args.seed, problems, demonstrations, args.model, own, answer)


def main(args):
    require_intact(args.model, model_rule(args.model))
    require_intact(args.data, "format_task")
    working = checkpoint_folder(args)
    training = training_of(args, working)
    settings, prompt = training.settings, training.prompt
    fix(args.seed, settings["threads"])
    method, chats = trainer_module(settings["trainer"]), [problem["prompt"] for problem in training.problems]
    # Of several processes, only the first writes; torchrun sets RANK.
    writes = os.environ.get("RANK", "0") == "0"
    with writing(args.adapter, writes) as folder:
        folder = Path(folder)
        load = backend("train", settings["backend"]).load
        policy, tokenizer, extra = load(args.model, chats, method.for_backend(training), prompt, folder)
        require_plain_template(tokenizer, chats, prompt)
        policy = inherit_nothing(policy, eos_token_id=stop_tokens(args.model, tokenizer))

        from accelerate.utils import set_seed

        trainer, wanted = method.make(policy, tokenizer, training, extra)
        require_requested(wanted, trainer.args.to_dict())
        show_progress(trainer, f"train {args.adapter.name}", f"train/{args.adapter.name}")
        keep_log(trainer)
        keep_checkpoints(trainer, args.checkpoint_steps, args.checkpoint_minutes)
        if every := settings["select"]["every"]:
            keep_candidates(trainer, every, working / "candidates", args.source)
        if (checkpoint := latest(working)) and writes:
            exact = "" if settings["grpo"]["use_cpu"] else "; on a GPU, bits may differ from an uninterrupted run"
            say(f"  train {args.adapter.name}: resumes from {checkpoint.name}{exact}")
        before = adapter_values(trainer.model)
        set_seed(args.seed, device_specific=True)  # as TRL did; vLLM's engine has since seeded the process with its own
        trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))
        require_learning(trainer.model, before, method.NOTHING_LEARNED)
        save_adapter(trainer.model, folder, args.source)
        if writes:
            method.keep_texts(training, working, folder)
            if every:
                shutil.copytree(working / "candidates", folder, dirs_exist_ok=True)
            seal(folder)
            write_json(args.environment, environment())
            write_history(args.history, trainer.state.log_history)
            used = trainer.args.to_dict() | {"report_to": []}  # which changes nothing, like where the output goes
            write_json(args.arguments, {k: v for k, v in used.items() if k != "output_dir"})
            write_json(args.gpu_memory, peak())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train-config", required=True, help="the config section `train` of the arm, as JSON")
    parser.add_argument("--rewards-config", required=True, help="the config section `rewards` of the arm, as JSON")
    parser.add_argument("--prompt-config", required=True, help="the config section `prompt`, as JSON")
    parser.add_argument("--task-module", default="gsm8k", help="what judges answers: a module of tasks/, or a file")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--source", required=True, help="the base model's name in the adapter: `model.source`")
    parser.add_argument("--model", required=True, type=Path, help="directory of the base model")
    parser.add_argument("--data", required=True, type=Path, help="formatted training problems, JSONL")
    parser.add_argument("--demonstrations", type=Path, nargs="*", default=[], help="a teacher's samples.jsonl")
    parser.add_argument("--adapter", required=True, type=Path, help="directory to write")
    parser.add_argument("--history", required=True, type=Path, help="CSV to write, one row a step")
    parser.add_argument("--arguments", required=True, type=Path, help="JSON to write, all of the trainer's arguments")
    parser.add_argument("--environment", required=True, type=Path, help="JSON to write, the training's environment")
    parser.add_argument("--gpu-memory", required=True, type=Path, help="JSON to write, the peak GPU memory")
    parser.add_argument(
        "--code", required=True, type=Path, nargs="+", help="the files whose change makes checkpoints old"
    )
    parser.add_argument("--checkpoints", required=True, type=Path, help="directory for checkpoints")
    parser.add_argument("--checkpoint-steps", required=True, type=int, help="save one every so many steps, 0 for never")
    parser.add_argument("--checkpoint-minutes", required=True, type=int, help="save one every so many minutes, or 0")
    parser.add_argument("--report-to", nargs="*", default=[], help="programs that show the log")
    parser.add_argument("--reports", type=Path, default=Path("reports"), help="directory for what they write")
    run(main, parser)
