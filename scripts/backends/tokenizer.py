"""Prompts as the model reads them, rendered here and nowhere else: rollouts, evaluation and every check read the same.

A chat template is a program of the model's. It may ask for today's date, write turns of its own or change those that it
is given: the date is fixed here, and `backends.chat_template` stops a run whose prompts are not what the config says.
"""

import hashlib
import json
import re
from datetime import date
from functools import partial

# What chat templates are told of today: the date that Llama 3.1's own template falls back on.
TODAY = date(2024, 7, 26)


def load_tokenizer(model, prompt=None):
    """The tokenizer of the model in a directory, for batches: it pads on the left and has a padding token.

    Of the config section `prompt` it follows `prefill`, with which every completion begins, and `chat_template_kwargs`,
    which the chat template is told. Raises SystemExit if the model has no chat template, or none that asks for these.
    """
    from transformers import AutoTokenizer

    return prepared(AutoTokenizer.from_pretrained(model, padding_side="left"), prompt)


def prepared(tokenizer, prompt):
    """A loaded tokenizer, prepared as by `load_tokenizer`.

    The prefill goes into the chat template, and the date and what else it is told into every call of it, because TRL
    renders prompts itself, with this tokenizer. It would also read completions by the model's own response parser,
    which evaluation does not.
    """
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    if not template:
        raise SystemExit(
            "error: the model has no chat template: choose an instruction-tuned model, or add a chat_template.jinja "
            "to its folder and set model.source to that folder"
        )
    prefill, told = (prompt or {}).get("prefill"), (prompt or {}).get("chat_template_kwargs", {})
    for name in told:
        if not re.search(rf"\b{name}\b", template):
            raise SystemExit(
                f"error: prompt.chat_template_kwargs has {name}, for which the model's chat template does not ask: "
                "correct or remove it"
            )
    tokenizer.chat_template = template
    tokenizer.apply_chat_template = partial(tokenizer.apply_chat_template, strftime_now=TODAY.strftime, **told)
    if prefill and not (told and begins_answers_with(prefill, tokenizer)):
        # Jinja leaves out a file's last newline, and would not if something follows it.
        written = json.dumps(prefill, ensure_ascii=False)
        template = template.removesuffix("\n") + "{% if add_generation_prompt %}{{ " + written + " }}{% endif %}"
        tokenizer.chat_template = template
    tokenizer.response_template = tokenizer.response_schema = None
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    return tokenizer


def begins_answers_with(prefill, tokenizer):
    """Whether the chat template itself begins the answer with `prefill`, as Qwen3's does with thinking off."""
    return rendered(tokenizer, [[{"role": "user", "content": "?"}]])[0].endswith(prefill)


def rendered(tokenizer, chats):
    """Each chat as the text that the model is given. Raises SystemExit if the chat template refuses one."""
    from jinja2 import TemplateError

    try:
        return tokenizer.apply_chat_template(chats, add_generation_prompt=True, tokenize=False)
    except TemplateError as error:
        raise SystemExit(
            f"error: the model's chat template does not take this prompt ({error}): if it is the system turn, set "
            "prompt.system to null; if it is the worked examples, set prompt.examples to []; if it asks for a switch, "
            "state prompt.chat_template_kwargs"
        ) from None


def token_ids(tokenizer, chats):
    """Each chat as the token ids that the model is given, a list of lists."""
    return tokenizer(rendered(tokenizer, chats), add_special_tokens=False)["input_ids"]  # the template writes them


def batch(tokenizer, prompts, device):
    """Prompts as token ids in one batch, padded: `input_ids` and `attention_mask`, of shape (prompts, longest one)."""
    return tokenizer.pad({"input_ids": prompts}, return_attention_mask=True, return_tensors="pt").to(device)


def described(tokenizer, chats):
    """What the model reads, for the protocol: the first prompt as text, and the sha256 of all as text and as token ids.

    The digests are of canonical JSON lists.
    """
    texts = rendered(tokenizer, chats)
    lists = {"text": texts, "token_ids": token_ids(tokenizer, chats)}
    return {
        "today": TODAY.isoformat(),
        "first": texts[0],
        "prompts_sha256": {
            name: hashlib.sha256(json.dumps(value).encode()).hexdigest() for name, value in lists.items()
        },
    }
