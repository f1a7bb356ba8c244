"""The tokenizer and chat template: rollouts and every evaluation engine tokenize prompts the same way."""

import json


def load_tokenizer(model, prefill=""):
    """The tokenizer of the model in a directory, for batches: it pads on the left and has a padding token.

    Every completion begins with `prefill`. Raises SystemExit if the model has no chat template.
    """
    from transformers import AutoTokenizer

    return prepared(AutoTokenizer.from_pretrained(model, padding_side="left"), prefill)


def prepared(tokenizer, prefill):
    """A loaded tokenizer, prepared as by `load_tokenizer`.

    The prefill goes into the chat template, because TRL's rollouts and every evaluation engine read that.
    """
    if not tokenizer.chat_template:
        raise SystemExit(
            "error: the model has no chat template: choose an instruction-tuned model, or add a chat_template.jinja "
            "to its folder and set model.source to that folder"
        )
    if prefill:
        tokenizer.chat_template += "{% if add_generation_prompt %}{{ " + json.dumps(prefill) + " }}{% endif %}"
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    return tokenizer


def token_ids(tokenizer, chats):
    """The token ids of each chat as the model reads it, a list of lists."""
    return tokenizer.apply_chat_template(chats, add_generation_prompt=True)["input_ids"]


def batch(tokenizer, chats, device):
    """The chats as one padded batch: `input_ids` and `attention_mask`, each of shape (chats, longest prompt)."""
    return tokenizer.apply_chat_template(
        chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
    ).to(device)
