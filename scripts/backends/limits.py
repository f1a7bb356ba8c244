"""Limits that stop a training: its log says that it cannot teach what it should, and more steps would be wasted."""

# A limit's name under train.limits: the column of the history, and what is wrong and helps once it is reached.
LIMITS = {
    "tied": (
        "frac_reward_zero_std",
        "all completions of a group got the same reward",
        "read the completions in the log, then change the prompt or prompt.answer, raise train.grpo.temperature or "
        "num_generations, or use easier or harder problems",
    ),
    "truncated": (
        "completions/clipped_ratio",
        "completions reached the token limit",
        "raise train.grpo.max_completion_length, or ask for shorter answers",
    ),
    "masked": (
        "masked",
        "completions had no weight in the loss",
        "if they were truncated, raise train.grpo.max_completion_length; if vLLM's log-probabilities are far from the "
        "trainer's, use train.dtype bfloat16 or float32 for both, or set train.grpo.use_vllm to false",
    ),
    "mismatch": (
        "sampling/sampling_logp_difference/mean",
        "nats a token lie between vLLM's log-probabilities and the trainer's",
        "use train.dtype bfloat16 or float32 for both, or set train.grpo.use_vllm to false",
    ),
}


def solved(row):
    """Whether all completions of a step were right, or, in a training without accuracy, had the right format.

    The reward itself does not tell: a reward of a user's own may have any maximum, and no task need have steps.
    """
    return row.get("rewards/accuracy/mean", row.get("rewards/format/mean", 0.0)) >= 1 - 1e-4


def reached(limits, rows):
    """Which of `limits`, the config section `train.limits`, all of the last `steps` rows reach; None or (name, value).

    `rows` are those that TRL logged with a reward, `value` is the smallest. Steps that are `solved` have nothing left
    to teach, and do not count as tied.
    """
    last = [row for row in rows if "reward" in row][-limits["steps"] :]
    if len(last) < limits["steps"]:
        return None
    for name, (column, *_) in LIMITS.items():
        values = [row.get(column) for row in last]
        if limits[name] is None or None in values or min(values) < limits[name]:
            continue
        if name == "tied" and all(map(solved, last)):
            continue
        return name, min(values)
    return None


def stop_at_limits(trainer, limits):
    """Let a GRPOTrainer stop with one line once a limit is reached; after resuming, earlier steps count too."""
    from transformers import TrainerCallback

    class StopAtLimits(TrainerCallback):
        def on_log(self, args, state, control, **_):
            if found := reached(limits, state.log_history):
                name, value = found
                _, wrong, change = LIMITS[name]
                raise SystemExit(
                    f"error: training stopped at step {state.global_step}: for {limits['steps']} steps, {wrong} "
                    f"({value:.3g}, train.limits.{name} is {limits[name]:g}): {change}"
                )

    trainer.add_callback(StopAtLimits())
