"""Completions without weight in GRPO's loss, logged as `masked`: a step that leaves most of them out teaches little."""


def unweighted(batch, arguments):
    """Which completions have no weight in the loss, a boolean tensor of shape (completions,).

    `batch` is what GRPOTrainer makes of rollouts: `completion_mask` of shape (completions, tokens), and with vLLM the
    log-probabilities of the sampled tokens by the trainer and by vLLM. `arguments` are the trainer's. Left out are
    truncated completions with `mask_truncated_completions`, and those that the policy would have sampled too rarely
    or too often, by the bounds of TRL's importance sampling; in a mode that only truncates the weights, there are none.
    """
    mask = batch["completion_mask"].bool()
    out = ~mask.any(1)
    policy, engine = batch.get("old_per_token_logps"), batch.get("sampling_per_token_logps")
    if policy is None or engine is None or not arguments.vllm_importance_sampling_mode.endswith("_mask"):
        return out
    ratio = ((policy - engine) * mask).nan_to_num(0.0)  # of tokens that vLLM could not score, 1
    if arguments.vllm_importance_sampling_mode == "sequence_mask":
        ratio = ratio.sum(1, keepdim=True)
    ratio = ratio.exp()
    low, high = arguments.vllm_importance_sampling_clip_min, arguments.vllm_importance_sampling_clip_max
    outside = (ratio < (0.0 if low is None else low)) | (ratio > (float("inf") if high is None else high))
    return out | (outside | ~mask).all(1)


def log_masked(trainer):
    """Add `masked` to every step's log: the share of completions without weight in the loss.

    The method that makes the batches is private to TRL, in 1.15 and 1.16.
    """
    score = getattr(trainer, "_generate_and_score_completions", None)
    if not callable(score):
        raise SystemExit(
            "error: TRL's GRPOTrainer has no _generate_and_score_completions, which makes its batches: use the locked "
            "TRL, or change log_masked in scripts/backends/masked.py"
        )

    def scored(inputs):
        batch = score(inputs)
        share = trainer.accelerator.gather(unweighted(batch, trainer.args).float()).mean()
        trainer._metrics["train"]["masked"].append(share.item())
        return batch

    trainer._generate_and_score_completions = scored
