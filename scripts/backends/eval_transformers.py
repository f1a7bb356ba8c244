"""Sample with transformers' generate, on any machine: the same engine as for the rollouts of `train_trl`."""

PACKAGES = ("transformers", "torch")  # whose versions the protocol states


def generate(model, tokenizer, prompts, settings, decoding, starts):
    """Yield `(completion text, number of sampled tokens, truncated, cuts)` for each prompt of some batches, in order.

    `cuts` are those of `backends.decoding.cuts`.
    `prompts` are lists of token ids, `settings` is the config section `eval`, `decoding` is what
    `backends.decoding.decoding` made of its sampling, `starts` are the positions in `prompts` at which the batches
    start. In one batch, padding changes the last bits of the logits, so batches are part of the protocol. What a batch
    yields does not depend on the other batches.
    """
    import torch
    from accelerate.utils import set_seed
    from speed.grouped_attention import attention_for
    from speed.shared_prefix import share_prefix
    from transformers import AutoModelForCausalLM

    from backends.decoding import cuts, inherit_nothing
    from backends.tokenizer import batch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    policy = AutoModelForCausalLM.from_pretrained(
        model, dtype=getattr(torch, settings["dtype"]), attn_implementation=attention_for(device)
    )
    policy = share_prefix(inherit_nothing(policy, **decoding).to(device).eval())
    stops = decoding["eos_token_id"]
    for start in starts:
        set_seed(settings["seed"] + start)
        inputs = batch(tokenizer, prompts[start : start + settings["batch_size"]], device)
        with torch.inference_mode():
            output = policy.generate(**inputs)
        for sampled in output[:, inputs["input_ids"].shape[1] :].tolist():
            length = next((i + 1 for i, token in enumerate(sampled) if token in stops), len(sampled))
            text = tokenizer.decode(sampled[:length], skip_special_tokens=True)
            yield text, length, sampled[length - 1] not in stops, cuts(tokenizer, sampled[:length], text)
