"""Train with TRL and PEFT as they are: any machine, one or several GPUs.

Rollouts by transformers' own generate, or by vLLM in the same process (`train.grpo.use_vllm`), to which TRL copies the
weights after every step.
"""


def score_completions_only():
    """Let TRL compute logits for the tokens of completions and not for those of prompts: half the time of a step.

    Without Triton, TRL from 1.16 on scores every position and throws the prompts' away (`compact` in
    trl/trainer/utils.py, `add_fused_lm_head`), so that compilers see no change of shapes. Nothing is compiled here.
    The name is private to TRL. If it is gone, look whether TRL still does that.
    """
    import trl
    import trl.trainer.utils
    from packaging.version import Version

    if Version(trl.__version__) < Version("1.16"):
        return
    if not callable(getattr(trl.trainer.utils, "_use_triton", None)):
        raise SystemExit(
            f"error: TRL {trl.__version__} has no trl.trainer.utils._use_triton, which scripts/backends/train_trl.py "
            "replaces: use the locked TRL, or change score_completions_only"
        )
    trl.trainer.utils._use_triton = lambda device: True


def load(model, chats, settings, prefill, folder):
    """(policy, tokenizer, GRPOTrainer arguments) of the model in directory `model`.

    `chats` are the prompts to train on, `settings` is the config section `train`; a backend may write into `folder`.
    """
    import torch
    from peft import LoraConfig
    from speed.grouped_attention import attention_for
    from speed.shared_prefix import share_prefix
    from transformers import AutoModelForCausalLM

    from backends.gpu_memory import longest, require_memory
    from backends.quantisation import quantised, unpacked
    from backends.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(model, prefill)
    require_memory(model, settings, longest(tokenizer, chats))
    score_completions_only()
    device = "cpu" if settings["grpo"]["use_cpu"] else "cuda"
    policy = AutoModelForCausalLM.from_pretrained(
        model,
        dtype=getattr(torch, settings["dtype"]),
        attn_implementation=attention_for(device),
        **quantised(settings),
    )
    policy = unpacked(policy)
    if not settings["grpo"]["gradient_checkpointing"]:  # which recomputes activations without a cache of the prefix
        policy = share_prefix(policy)
    return policy, tokenizer, {"peft_config": LoraConfig(task_type="CAUSAL_LM", **settings["lora"])}
