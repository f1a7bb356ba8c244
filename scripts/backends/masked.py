"""Completions without weight in GRPO's loss, logged as `masked`: a step that leaves most of them out teaches little."""


def unweighted(batch, arguments):
    """Which completions have no weight in the loss, a boolean tensor of shape (completions,).

    `batch` is what GRPOTrainer makes of rollouts: `completion_mask` of shape (completions, tokens), and with vLLM the
    log-probabilities of the sampled tokens by the trainer and by vLLM. `arguments` are the trainer's. Left out are
    truncated completions with `mask_truncated_completions`, and those that the policy would have sampled too rarely
    or too often, by the bounds of TRL's importance sampling; in a mode that only truncates the weights, or without the
    correction, there are none.
    """
    mask = batch["completion_mask"].bool()
    out = ~mask.any(1)
    policy, engine = batch.get("old_per_token_logps"), batch.get("sampling_per_token_logps")
    mode = arguments.vllm_importance_sampling_correction and arguments.vllm_importance_sampling_mode
    if policy is None or engine is None or mode not in ("token_mask", "sequence_mask"):
        return out
    ratio = ((policy - engine) * mask).nan_to_num(0.0)  # of tokens that vLLM could not score, 1
    if mode == "sequence_mask":
        ratio = ratio.sum(1, keepdim=True)
    ratio = ratio.exp()
    low, high = arguments.vllm_importance_sampling_clip_min, arguments.vllm_importance_sampling_clip_max
    outside = (ratio < (0.0 if low is None else low)) | (ratio > (float("inf") if high is None else high))
    return out | (outside | ~mask).all(1)


def private(trainer, name):
    """A method of the trainer that is private to TRL, in 1.15 and 1.16."""
    if not callable(method := getattr(trainer, name, None)):
        raise SystemExit(
            f"error: TRL's GRPOTrainer has no {name}, by which completions without weight are counted: use the locked "
            "TRL, or change log_masked in scripts/backends/masked.py"
        )
    return method


def log_masked(trainer):
    """Add `masked` to every step's log: the share of completions without weight in the loss."""

    def log(out):
        trainer._metrics["train"]["masked"].append(trainer.accelerator.gather(out.float()).mean().item())

    if trainer.args.off_policy_mask_threshold is not None:
        return log_masked_in_loss(trainer, log)
    score = private(trainer, "_generate_and_score_completions")

    def scored(inputs):
        batch = score(inputs)
        log(unweighted(batch, trainer.args))
        return batch

    trainer._generate_and_score_completions = scored


def log_masked_in_loss(trainer, log):
    """Do so for what only the loss can tell: which completions the policy has left too far behind."""
    mask, compute, kept = private(trainer, "get_off_policy_mask"), private(trainer, "_compute_loss"), []

    def masked(**given):
        kept.append(mask(**given))
        return kept[-1]

    def computed(model, inputs):
        loss = compute(model, inputs)
        if not kept:
            raise SystemExit(
                "error: this backend's loss does not read train.grpo.off_policy_mask_threshold: set it to null, or "
                "train.backend to trl"
            )
        log(unweighted(inputs, trainer.args) | (kept.pop() == 0).squeeze(1))
        return loss

    trainer.get_off_policy_mask, trainer._compute_loss = masked, computed
