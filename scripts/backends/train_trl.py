"""Train with TRL and PEFT as they are: any machine, rollouts by transformers' own generate."""


def score_completions_only():
    """Let TRL compute logits for the tokens of completions and not for those of prompts: half the time of a step.

    On machines without Triton, TRL 1.16 scores every position and throws the prompts' away (`compact` in
    trl/trainer/utils.py, `add_fused_lm_head`), to spare compilers a change of shapes. Nothing is compiled here.
    """
    import trl.trainer.utils

    trl.trainer.utils._use_triton = lambda device: True


def load(model, settings):
    """(policy, tokenizer, GRPOTrainer arguments) of the model in directory `model`; `settings` is section `train`."""
    import torch
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from backends.grouped_attention import attention_for
    from backends.shared_prefix import share_prefix

    if settings.get("load_in_4bit"):
        raise SystemExit("error: train.backend trl trains no 4-bit model yet: set train.load_in_4bit to false")
    score_completions_only()
    device = "cpu" if settings["grpo"]["use_cpu"] else "cuda"
    policy = AutoModelForCausalLM.from_pretrained(
        model, dtype=getattr(torch, settings["dtype"]), attn_implementation=attention_for(device)
    )
    if not settings["grpo"]["gradient_checkpointing"]:  # which recomputes activations without a cache of the prefix
        policy = share_prefix(policy)
    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    return policy, tokenizer, {"peft_config": LoraConfig(task_type="CAUSAL_LM", **settings["lora"])}
