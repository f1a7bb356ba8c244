"""Sample with transformers' own generate: any machine, the same engine as the rollouts of `train_trl`."""


def generate(model, prompts, settings, prefill):
    """Yield `(completion text, number of sampled tokens, truncated)` for each prompt, in order.

    `prompts` are chats (lists of messages), `settings` is section `eval`. Prompts are batched in the order given:
    in one batch, padding changes the last bits of the logits, so batches are part of the protocol.
    """
    import torch
    from gsm8k.prompt import with_prefill
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from backends.grouped_attention import attention_for
    from backends.shared_prefix import share_prefix

    device = "cuda" if torch.cuda.is_available() else "cpu"
    policy = AutoModelForCausalLM.from_pretrained(
        model, dtype=getattr(torch, settings["dtype"]), attn_implementation=attention_for(device)
    )
    policy = share_prefix(policy.to(device).eval())
    tokenizer = with_prefill(AutoTokenizer.from_pretrained(model, padding_side="left"), prefill)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    stops = sorted({tokenizer.eos_token_id, *torch.tensor(policy.generation_config.eos_token_id).reshape(-1).tolist()})
    for start in range(0, len(prompts), settings["batch_size"]):
        batch = tokenizer.apply_chat_template(
            prompts[start : start + settings["batch_size"]],
            add_generation_prompt=True,
            padding=True,
            return_tensors="pt",
            return_dict=True,
        ).to(device)
        with torch.inference_mode():
            output = policy.generate(
                **batch, **settings["sampling"], eos_token_id=stops, pad_token_id=tokenizer.pad_token_id
            )
        for sampled in output[:, batch["input_ids"].shape[1] :].tolist():
            length = next((i + 1 for i, token in enumerate(sampled) if token in stops), len(sampled))
            text = tokenizer.decode(sampled[:length], skip_special_tokens=True)
            yield text, length, sampled[length - 1] not in stops
