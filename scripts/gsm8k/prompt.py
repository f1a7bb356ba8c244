"""From a question to what the model reads: the `prompt` section of the config, the same for training and evaluation."""

import json


def messages(question, settings):
    """The chat of one question: system turn, worked examples as earlier turns, then the question."""
    chat = [{"role": "system", "content": settings["system"]}] if settings["system"] else []
    for example in settings["examples"]:
        chat.append({"role": "user", "content": example["question"]})
        chat.append({"role": "assistant", "content": example["completion"]})
    return [*chat, {"role": "user", "content": question}]


def with_prefill(tokenizer, prefill):
    """The tokenizer, its chat template made to begin every completion with `prefill`.

    In the template, because it is the one place that TRL's rollouts and every evaluation engine read.
    Raises SystemExit for a model without a chat template.
    """
    if not tokenizer.chat_template:
        raise SystemExit(
            "error: the model has no chat template: choose an instruction-tuned model, or put a chat_template.jinja "
            "into its folder and give that folder as model.source"
        )
    if prefill:
        tokenizer.chat_template += "{% if add_generation_prompt %}{{ " + json.dumps(prefill) + " }}{% endif %}"
    return tokenizer
