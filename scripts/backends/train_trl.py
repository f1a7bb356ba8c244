"""Train with TRL and PEFT as they are: any machine, one or several GPUs.

Rollouts by transformers' own generate, or by vLLM in the same process (`train.grpo.use_vllm`), to which TRL copies the
weights after every step.
"""


def score_completions_only():
    """Let TRL compute logits for the tokens of completions and not for those of prompts: half the time of a step.

    On machines without Triton, TRL 1.16 scores every position and throws the prompts' away (`compact` in
    trl/trainer/utils.py, `add_fused_lm_head`), to spare compilers a change of shapes. Nothing is compiled here.
    """
    import trl.trainer.utils

    trl.trainer.utils._use_triton = lambda device: True


def load(model, prompts, settings, prefill, folder):
    """(policy, tokenizer, GRPOTrainer arguments) of the model in directory `model`.

    `prompts` are the chats to train on, `settings` is section `train`, `folder` the run's for what a backend writes.
    """
    import torch
    from gsm8k.prompt import with_prefill
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from backends.gpu_memory import longest, require_gpu
    from backends.grouped_attention import attention_for
    from backends.quantisation import quantised
    from backends.shared_prefix import share_prefix

    tokenizer = with_prefill(AutoTokenizer.from_pretrained(model, padding_side="left"), prefill)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    require_gpu(model, settings, longest(tokenizer, prompts))
    score_completions_only()
    device = "cpu" if settings["grpo"]["use_cpu"] else "cuda"
    policy = AutoModelForCausalLM.from_pretrained(
        model,
        dtype=getattr(torch, settings["dtype"]),
        attn_implementation=attention_for(device),
        **quantised(settings),
    )
    if not settings["grpo"]["gradient_checkpointing"]:  # which recomputes activations without a cache of the prefix
        policy = share_prefix(policy)
    return policy, tokenizer, {"peft_config": LoraConfig(task_type="CAUSAL_LM", **settings["lora"])}
