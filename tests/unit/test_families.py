"""Chat templates in the manner of other model families, written for this test: what each needs of section `prompt`."""

import pytest
import yaml
from backends.chat_template import require_plain_template
from backends.tokenizer import prepared
from reasoning.prompt import messages

PROMPT = yaml.safe_load(open("config/qwen2.5-1.5b.yaml"))["prompt"] | {"prefill": ""}
EXAMPLE = {"question": "1 + 1?", "completion": "<answer>2</answer>"}

# Always a system turn, with a date.
DATED = """{% if messages[0].role == 'system' %}{% set system = messages[0].content %}{% set messages = messages[1:] %}
{%- else %}{% set system = '' %}{% endif -%}
<|system|>Today: {{ strftime_now('%d %b %Y') }}

{{ system }}<|end|>
{%- for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}<|end|>{% endfor %}
{%- if add_generation_prompt %}<|assistant|>{% endif %}"""
# No system turn at all, and another name for the assistant.
NO_SYSTEM = """{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif -%}
{% for m in messages %}<turn>{{ 'model' if m.role == 'assistant' else m.role }}
{{ m.content | trim }}</turn>
{% endfor %}{% if add_generation_prompt %}<turn>model
{% endif %}"""
# A switch for thinking: switched off, the template writes an empty thought before the answer.
THINKS = """{% for m in messages %}<|{{ m.role }}|>
{{- m.content.split('</think>')[-1] if m.role == 'assistant' else m.content }}<|end|>
{%- endfor %}{% if add_generation_prompt %}<|assistant|>
{%- if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}{% endif %}"""


def held(model, template, **changes):
    """Hold a template to the checks with a prompt."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    tokenizer.chat_template = template
    prompt = PROMPT | changes
    require_plain_template(prepared(tokenizer, prompt["prefill"]), [messages("2 + 2?", prompt)], prompt)


@pytest.mark.parametrize(
    ("template", "changes"),
    [
        (DATED, {}),
        (DATED, {"system": None}),
        (NO_SYSTEM, {"system": None, "examples": [EXAMPLE]}),
        (NO_SYSTEM, {"system": ""}),
        (THINKS, {}),
        (THINKS, {"examples": [EXAMPLE]}),
    ],
)
def test_what_fits(tiny_model, template, changes):
    held(tiny_model, template, **changes)


@pytest.mark.parametrize(
    ("template", "changes", "says"),
    [
        (DATED, {"system": ""}, "writes a system turn of its own"),
        (NO_SYSTEM, {}, "set prompt.system to null"),
        (THINKS, {"examples": [EXAMPLE | {"completion": "<think>So.</think><answer>2</answer>"}]}, "word for word"),
        ("{% set enable_thinking = false %}" + THINKS, {}, "begins the answer with '.*<think></think>'"),
    ],
)
def test_what_does_not_is_told_what_to_change(tiny_model, template, changes, says):
    with pytest.raises(SystemExit, match=says):
        held(tiny_model, template, **changes)
