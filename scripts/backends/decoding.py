"""Decoding, complete: nothing is left for an engine, or for the model's own generation_config.json, to fill in."""

import os

# What sampling is if the config does not say otherwise: every token, as likely as the model has it.
NEUTRAL = {"temperature": 1.0, "top_k": 0, "top_p": 1.0}


def stop_tokens(model, tokenizer):
    """The ids that end a completion, sorted: the tokenizer's and those that the model in a directory states."""
    from transformers import AutoConfig, GenerationConfig

    try:
        stated = GenerationConfig.from_pretrained(model).eos_token_id
    except OSError:  # it has no generation_config.json
        stated = AutoConfig.from_pretrained(model).eos_token_id
    return sorted({tokenizer.eos_token_id, *(stated if isinstance(stated, list) else [stated])} - {None})


def complete(sampling):
    """`sampling`, a config section, with every field that matters and that does not depend on the model."""
    return {"repetition_penalty": 1.0} | (NEUTRAL if sampling["do_sample"] else {}) | sampling


def decoding(sampling, model, tokenizer):
    """The same with the tokens that end a completion and pad it, for all engines and for the protocol."""
    return complete(sampling) | {"eos_token_id": stop_tokens(model, tokenizer), "pad_token_id": tokenizer.pad_token_id}


def cuts(tokenizer, sampled, text):
    """How many characters of a completion's text its first 1, 2, 4, … tokens make: of each power of two below all."""
    parts = [sampled[: 2**n] for n in range(len(sampled).bit_length()) if 2**n < len(sampled)]
    shown = (tokenizer.decode(part, skip_special_tokens=True) for part in parts)
    return tuple(len(os.path.commonprefix([text, part])) for part in shown)  # a token may be part of a character


def inherit_nothing(policy, **settings):
    """Give a policy `settings` as its generation config, and none of those in its model's own file; returns it.

    transformers' generate fills in from there what a caller leaves out, and so do TRL's rollouts. What is missing here
    too has transformers' neutral value.
    """
    from transformers import GenerationConfig

    policy.generation_config = GenerationConfig(**settings)
    return policy
