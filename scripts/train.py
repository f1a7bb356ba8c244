"""Train a LoRA adapter with GRPO (Shao et al. 2024, arXiv:2402.03300, section 4.1) by TRL's GRPOTrainer."""

import argparse
import csv
import json
import os
import shutil
from collections import deque
from pathlib import Path
from tempfile import TemporaryDirectory

from backends import backend
from backends.arguments import asked, original, stated
from backends.chat_template import require_plain_template
from backends.checkpoints import keep_checkpoints, latest
from backends.decoding import inherit_nothing, stop_tokens
from backends.determinism import fix
from backends.gpu_memory import KL_POSITIONS, KL_ROLLOUTS, longest, peak
from backends.limits import stop_at_limits
from backends.tokenizer import load_tokenizer, token_ids
from reasoning.rewards import reward_functions
from stage.checksums import require_intact, seal
from stage.environment import environment
from stage.files import read_json, read_jsonl, remove, replacing, write_json
from stage.resume import fingerprint
from stage.screen import Progress, run, say

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
    """Write what TRL logged, one row a step: loss, rewards, lengths, entropy, kl, clipping."""
    rows = [{k: v for k, v in row.items() if k not in CLOCK} for row in logs if "reward" in row]
    columns = sorted({key for row in rows for key in row} - {"step"})
    with replacing(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["step", *columns], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def save_adapter(policy, folder, source):
    """Save the adapter; its config names the base model's source rather than a path on this machine."""
    policy.save_pretrained(folder)
    remove(folder / "README.md")  # PEFT's blank model card
    config = read_json(folder / "adapter_config.json")
    # PEFT keeps the module names in a set, whose order differs between processes.
    fixed = {"base_model_name_or_path": source, "target_modules": sorted(config["target_modules"])}
    write_json(folder / "adapter_config.json", config | fixed)


def adapter_values(policy):
    """A copy of LoRA's B matrices, `{name: tensor}`: they move with the first gradient."""
    return {name: p.detach().clone() for name, p in policy.named_parameters() if "lora_B" in name}


def moved(before, after):
    """Whether a matrix is another one than before, up to rounding and a factor, which is what weight decay leaves."""
    before, after = before.float(), after.float()
    if not before.any():
        return bool(after.any())
    factor = (before * after).sum() / (before * before).sum()
    return bool((after - factor * before).abs().max() > 1e-5 * before.abs().max())


def require_learning(policy, before):
    """Stop if training left the adapter as it was; `before` are its values before it."""
    if not any(moved(before[name], value) for name, value in adapter_values(policy).items()):
        raise SystemExit(
            "error: training changed nothing: no group of completions had different rewards. Read the completions "
            "in the log, then raise train.grpo.temperature, change the prompt, or use easier problems"
        )


def require_same_prompts(trainer, tokenizer, chats):
    """Stop if the trainer would give the model other tokens than evaluation does, with `tokenizer`.

    The method that tells is private to TRL, in 1.15 and 1.16.
    """
    if not callable(getattr(trainer, "_tokenize_prompts", None)):
        raise SystemExit(
            "error: TRL's GRPOTrainer has no _tokenize_prompts, which says what the model will read: use the locked "
            "TRL, or change require_same_prompts in scripts/train.py"
        )
    if trainer._tokenize_prompts(chats)[0] != token_ids(tokenizer, chats):
        raise SystemExit(
            "error: the trainer's prompts are not those of evaluation, token for token: set train.backend to trl, and "
            "use the locked TRL"
        )


def log_kl(trainer, tokenizer, rollouts):
    """Add `kl` to every step's log: KL(policy || base) in nats per sampled token, exact over the vocabulary.

    TRL computes it only if it is part of the loss (beta > 0), and then for every rollout; here, the step's first few
    are enough. `rollouts` holds the latest `(prompts, completion_ids)` that the rewards received.
    """
    import torch
    from transformers import TrainerCallback

    def logits(ids, mask, length):
        # On the right there is no padding, which Unsloth would silently count as tokens.
        return trainer.model(ids, attention_mask=mask, logits_to_keep=length + 1).logits[:, :-1]

    def divergence(policy, base):
        policy, base = policy.float().log_softmax(-1), base.float().log_softmax(-1)
        return (policy.exp() * (policy - base)).sum(-1)

    @torch.no_grad()
    def kl():
        pairs = list(zip(*rollouts[-1], strict=True))[:KL_ROLLOUTS]
        chats = token_ids(tokenizer, [prompt for prompt, _ in pairs])
        rows = [[*chat, *completion] for chat, (_, completion) in zip(chats, pairs, strict=True)]
        width, length = max(map(len, rows)), max(len(completion) for _, completion in pairs)
        ids = torch.tensor([[tokenizer.pad_token_id] * (width - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        sampled = torch.tensor([[0] * (length - len(tokens)) + [1] * len(tokens) for _, tokens in pairs])
        ids, mask, sampled = (value.to(trainer.model.device) for value in (ids, mask, sampled))
        policy = logits(ids, mask, length)
        with trainer.model.disable_adapter():
            base = logits(ids, mask, length)
        # In chunks: of a large vocabulary's values in float32, all positions would need gigabytes.
        pairs = zip(policy.split(KL_POSITIONS, 1), base.split(KL_POSITIONS, 1), strict=True)
        return ((torch.cat([divergence(*pair) for pair in pairs], 1) * sampled).sum() / sampled.sum()).item()

    class LogKL(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **_):
            if "reward" in logs and not args.beta:
                state.log_history[-1]["kl"] = kl()

    trainer.add_callback(LogKL())


def show_progress(trainer, label):
    """Show the trainer's steps on the screen."""
    from transformers import TrainerCallback

    class ShowProgress(TrainerCallback):
        def on_train_begin(self, args, state, control, **_):
            self.shown = Progress(label, state.max_steps, "steps", done=state.global_step)

        def on_step_end(self, args, state, control, **_):
            if state.is_world_process_zero:
                self.shown.update()

    trainer.add_callback(ShowProgress())


def checkpoint_folder(args):
    """The folder for the checkpoints of exactly this training."""
    settings = [args.train_config, args.rewards_config, args.prompt_config, args.seed, environment()]
    return args.checkpoints / fingerprint(settings, [args.data, *args.code, *args.model.glob("*.safetensors")])


def main(args):
    settings, prompt = json.loads(args.train_config), json.loads(args.prompt_config)
    fix(args.seed, settings["threads"])
    require_intact(args.model, "download_model")
    require_intact(args.data, "format_gsm8k")
    problems = [{key: problem[key] for key in ("prompt", "answer", "steps")} for problem in read_jsonl(args.data)]
    chats = [problem["prompt"] for problem in problems]
    working = checkpoint_folder(args)
    # Of several processes, only the first writes; torchrun sets RANK.
    writes = os.environ.get("RANK", "0") == "0"
    with replacing(args.adapter) if writes else TemporaryDirectory() as folder:
        folder = Path(folder)
        load = backend("train", settings["backend"]).load
        policy, tokenizer, extra = load(args.model, chats, settings, prompt["prefill"], folder)
        require_plain_template(tokenizer, chats, prompt)
        policy = inherit_nothing(policy, eos_token_id=stop_tokens(args.model, tokenizer))

        from accelerate.utils import set_seed
        from datasets import Dataset  # after the backend: some must be imported before TRL
        from trl import GRPOConfig, GRPOTrainer

        rollouts = deque(maxlen=1)
        functions, weights = reward_functions(json.loads(args.rewards_config), prompt, rollouts)
        own = dict(
            output_dir=str(working),
            seed=args.seed,
            data_seed=args.seed,
            reward_weights=weights,
            logging_steps=1,
            log_completions=True,
            num_completions_to_print=2,
            report_to=[],
            save_strategy="no",
        )
        if settings["grpo"].get("use_vllm"):  # else vLLM reserves room for the longest text that the model could read
            own["vllm_max_model_length"] = longest(tokenizer, chats) + settings["grpo"]["max_completion_length"]
        fields = stated(original(GRPOConfig), own | settings["grpo"])
        wanted = asked(GRPOConfig, fields)
        trainer = GRPOTrainer(
            model=policy,
            processing_class=tokenizer,
            reward_funcs=functions,
            args=GRPOConfig(**fields),
            train_dataset=Dataset.from_list(problems),
            **extra,
        )
        require_requested(wanted, trainer.args.to_dict())
        require_same_prompts(trainer, load_tokenizer(args.model, prompt["prefill"]), chats)
        log_kl(trainer, tokenizer, rollouts)
        show_progress(trainer, f"train {args.adapter.name}")
        stop_at_limits(trainer, settings["limits"], sum(weights))
        keep_checkpoints(trainer, args.checkpoint_steps, args.checkpoint_minutes)
        if (checkpoint := latest(working)) and writes:
            exact = "" if settings["grpo"]["use_cpu"] else "; on a GPU, bits may differ from an uninterrupted run"
            say(f"  train {args.adapter.name}: resumes from {checkpoint.name}{exact}")
        before = adapter_values(trainer.model)
        set_seed(args.seed, device_specific=True)  # as TRL did; vLLM's engine has since seeded the process with its own
        trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))
        require_learning(trainer.model, before)
        save_adapter(trainer.model, folder, args.source)
        if writes:
            shutil.copytree(working / "completions", folder / "completions")
            seal(folder)
            write_json(args.environment, environment())
            write_history(args.history, trainer.state.log_history)
            write_json(args.arguments, {k: v for k, v in trainer.args.to_dict().items() if k != "output_dir"})
            write_json(args.gpu_memory, peak())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train-config", required=True, help="the config section `train` of the arm, as JSON")
    parser.add_argument("--rewards-config", required=True, help="the config section `rewards` of the arm, as JSON")
    parser.add_argument("--prompt-config", required=True, help="the config section `prompt`, as JSON")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--source", required=True, help="the base model's name in the adapter: `model.source`")
    parser.add_argument("--model", required=True, type=Path, help="directory of the base model")
    parser.add_argument("--data", required=True, type=Path, help="formatted training problems, JSONL")
    parser.add_argument("--adapter", required=True, type=Path, help="directory to write")
    parser.add_argument("--history", required=True, type=Path, help="CSV to write, one row a step")
    parser.add_argument("--arguments", required=True, type=Path, help="JSON to write, the whole GRPOConfig")
    parser.add_argument("--environment", required=True, type=Path, help="JSON to write, the training's environment")
    parser.add_argument("--gpu-memory", required=True, type=Path, help="JSON to write, the peak GPU memory")
    parser.add_argument(
        "--code", required=True, type=Path, nargs="+", help="the files whose change makes checkpoints old"
    )
    parser.add_argument("--checkpoints", required=True, type=Path, help="directory for checkpoints")
    parser.add_argument("--checkpoint-steps", required=True, type=int, help="save one every so many steps, 0 for never")
    parser.add_argument("--checkpoint-minutes", required=True, type=int, help="save one every so many minutes, or 0")
    run(main, parser)
