"""GRPO (Shao et al. 2024, arXiv:2402.03300, section 4.1) by TRL's GRPOTrainer."""

import json
import shutil
from collections import deque

from backends.gpu_memory import KL_POSITIONS, KL_ROLLOUTS, longest
from backends.limits import stop_at_limits
from backends.masked import log_masked
from backends.tokenizer import load_tokenizer, token_ids
from reasoning.rewards import reward_functions
from reasoning.training import arguments

from trainers import configured

NOTHING_LEARNED = (
    "no group of completions had different rewards. Read the completions in the log, then raise "
    "train.grpo.temperature, change the prompt, or use easier problems"
)


def require_same_prompts(trainer, tokenizer, chats):
    """Stop if the trainer would give the model other tokens than evaluation does, with `tokenizer`.

    The method that tells is private to TRL, in 1.15 and 1.16.
    """
    if not callable(getattr(trainer, "_tokenize_prompts", None)):
        raise SystemExit(
            "error: TRL's GRPOTrainer has no _tokenize_prompts, which says what the model will read: use the locked "
            "TRL, or change require_same_prompts in scripts/trainers/grpo.py"
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


def require_problems(training):
    """Stop on fewer problems than a batch of completions is about: TRL would leave it out, and train on nothing."""
    grpo = training.settings["grpo"]
    steps = grpo.get("steps_per_generation", grpo["gradient_accumulation_steps"])
    completions = grpo["per_device_train_batch_size"] * training.settings["processes"] * steps
    if len(training.problems) < (asked := completions // grpo["num_generations"]):
        raise SystemExit(
            f"error: there are {len(training.problems)} problems to train on, and a batch is about {asked}: use more "
            "problems, or lower train.grpo.gradient_accumulation_steps or per_device_train_batch_size"
        )


def columns(problem):
    """What the rewards are told of a problem, as a row of the training data.

    Its facts are a text, because the records of a task need not have the same keys, nor all have facts.
    """
    kept = {key: problem[key] for key in ("prompt", "answer", "steps")}
    return kept | {"facts": json.dumps(problem.get("facts"))}


def for_backend(training):
    """The settings as a backend reads them."""
    require_problems(training)
    return training.settings


def make(policy, tokenizer, training, extra):
    """`(trainer, wanted)`: a GRPOTrainer and the arguments that were asked for."""
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    settings, prompt, rollouts = arguments(training.settings), training.prompt, deque(maxlen=1)
    functions, weights = reward_functions(training.rewards, prompt, training.seed, rollouts, training.answer)
    chats = [problem["prompt"] for problem in training.problems]
    own = training.own | {"reward_weights": weights, "log_completions": True, "num_completions_to_print": 2}
    if settings.get("use_vllm"):  # else vLLM reserves room for the longest text that the model could read
        own["vllm_max_model_length"] = longest(tokenizer, chats) + settings["max_completion_length"]
    args, wanted = configured(GRPOConfig, own, settings)
    trainer = GRPOTrainer(
        model=policy,
        processing_class=tokenizer,
        reward_funcs=functions,
        args=args,
        train_dataset=Dataset.from_list(list(map(columns, training.problems))),
        **extra,
    )
    require_same_prompts(trainer, load_tokenizer(training.model, prompt), chats)
    log_kl(trainer, tokenizer, rollouts)
    # Else every completion counts.
    if args.use_vllm or args.mask_truncated_completions or args.off_policy_mask_threshold:
        log_masked(trainer)
    stop_at_limits(trainer, training.settings["limits"])
    return trainer, wanted


def keep_texts(training, working, folder):
    """Keep the completions that TRL logged, in the adapter's folder."""
    shutil.copytree(working / "completions", folder / "completions")
