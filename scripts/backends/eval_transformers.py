"""Sample with transformers' generate, on any machine: the same engine as for the rollouts of `train_trl`."""

PACKAGES = ("transformers", "torch")  # whose versions the protocol states


def generate(model, chats, settings, prefill):
    """Yield `(completion text, number of sampled tokens, truncated)` for each chat, in order.

    `settings` is the config section `eval`. Prompts are batched in the given order: padding changes the last bits of
    the logits, so the batches are part of the protocol.
    """
    import torch
    from speed.grouped_attention import attention_for
    from speed.shared_prefix import share_prefix
    from transformers import AutoModelForCausalLM

    from backends.tokenizer import batch, load_tokenizer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    policy = AutoModelForCausalLM.from_pretrained(
        model, dtype=getattr(torch, settings["dtype"]), attn_implementation=attention_for(device)
    )
    policy = share_prefix(policy.to(device).eval())
    tokenizer = load_tokenizer(model, prefill)
    stops = sorted({tokenizer.eos_token_id, *torch.tensor(policy.generation_config.eos_token_id).reshape(-1).tolist()})
    for start in range(0, len(chats), settings["batch_size"]):
        inputs = batch(tokenizer, chats[start : start + settings["batch_size"]], device)
        with torch.inference_mode():
            output = policy.generate(
                **inputs, **settings["sampling"], eos_token_id=stops, pad_token_id=tokenizer.pad_token_id
            )
        for sampled in output[:, inputs["input_ids"].shape[1] :].tolist():
            length = next((i + 1 for i, token in enumerate(sampled) if token in stops), len(sampled))
            text = tokenizer.decode(sampled[:length], skip_special_tokens=True)
            yield text, length, sampled[length - 1] not in stops
