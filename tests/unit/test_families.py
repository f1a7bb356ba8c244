"""Chat templates in the manner of other model families, written for this test: what each needs of section `prompt`."""

from pathlib import Path

import pytest
import yaml
from backends.chat_template import require_plain_template, switches
from backends.tokenizer import prepared, rendered
from reasoning.overrides import merged, of_task
from reasoning.prompt import messages

PROMPT = yaml.safe_load(open("config/qwen2.5-1.5b.yaml"))["prompt"] | {"prefill": ""}
OFF = {"chat_template_kwargs": {"enable_thinking": False}}
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
# No system turn of its own: its text begins the first question.
FOLDED = """{% set first = '' %}{% if messages[0].role == 'system' -%}
{% set first = messages[0].content + '\n\n' %}{% set messages = messages[1:] %}{% endif -%}
{% for m in messages %}<turn>{{ 'model' if m.role == 'assistant' else m.role }}
{{ (first if loop.first else '') + m.content | trim }}</turn>
{% endfor %}{% if add_generation_prompt %}<turn>model
{% endif %}"""
# A switch for thinking: switched off, the template writes an empty thought before the answer.
THINKS = """{% for m in messages %}<|{{ m.role }}|>
{{- m.content.split('</think>')[-1] if m.role == 'assistant' else m.content }}<|end|>
{%- endfor %}{% if add_generation_prompt %}<|assistant|>
{%- if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}{% endif %}"""


# A system turn of its own if there is none.
HELPFUL = """{% if messages[0].role != 'system' %}<|system|>You are helpful.<|end|>{% endif -%}
{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor -%}
{% if add_generation_prompt %}<|assistant|>{% endif %}"""
# The manner of the templates of the presets' models.
FAMILIES = {"qwen2.5": HELPFUL, "llama": DATED}
FAMILIES["qwen3"] = THINKS.replace("<think></think>", r"{{ '<think>\n\n</think>\n\n' }}")


def held(model, template, **changes):
    """Hold a template to the checks with a prompt; returns the prompt as it is rendered."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    tokenizer.chat_template = template
    prompt = PROMPT | changes
    chats = [messages("2 + 2?", prompt)]
    require_plain_template(prepared(tokenizer, prompt), chats, prompt)
    return rendered(tokenizer, chats)[0]


DEFAULT = yaml.safe_load(open("config/config.yaml"))
PRESETS = {path.stem: merged(DEFAULT, yaml.safe_load(path.read_text())) for path in Path("config").glob("*.yaml")}


@pytest.mark.parametrize("task", ["gsm8k", "gsm8k_vendor"])
@pytest.mark.parametrize("name", sorted(name for name, config in PRESETS.items() if config["environment"] != "cpu"))
def test_presets(tiny_model, name, task):
    """Each fits the manner of its model's template; Qwen3's answers go on after an empty thought, written once."""
    (template,) = [template for family, template in FAMILIES.items() if name.startswith(family)]
    text = held(tiny_model, template, **of_task(PRESETS[name], "prompt", task))
    assert text.count("<think>\n\n</think>\n\n") == (name == "qwen3-0.6b") == text.endswith("</think>\n\n")


def test_switches():
    assert [switches(each) for each in (DATED, FOLDED, NO_SYSTEM, HELPFUL, THINKS)] == [set()] * 4 + [
        {"enable_thinking"}
    ]
    assert switches("{{ bos_token }}{% for m in messages %}{% break %}{% endfor %}{{ tools }}{{ depth }}") == {"depth"}
    assert switches("{% generation %}{{ depth }}{% endgeneration %}") == set()


@pytest.mark.parametrize(
    ("template", "changes"),
    [
        (DATED, {}),
        (DATED, {"system": None}),
        (NO_SYSTEM, {"system": None, "examples": [EXAMPLE]}),
        (NO_SYSTEM, {"system": ""}),
        (FOLDED, {}),
        (FOLDED, {"system": "", "examples": [EXAMPLE]}),
        (THINKS, {}),
        (THINKS, {"examples": [EXAMPLE]}),
        (THINKS, OFF | {"prefill": "<think></think>"}),
        (THINKS, OFF | {"prefill": "<think></think>", "examples": [EXAMPLE]}),
        (THINKS, {"chat_template_kwargs": {"enable_thinking": True}}),
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
        (THINKS, OFF, "have it write that, repeat it in prompt.prefill"),
        (THINKS, OFF | {"prefill": "So:"}, "begins the answer with '.*<think></think>'"),
        (THINKS, {"chat_template_kwargs": {"thinking": False}}, "has thinking, for which .* template does not ask"),
        ("{% set enable_thinking = false %}" + THINKS, {}, "begins the answer with '.*<think></think>'"),
    ],
)
def test_what_does_not_is_told_what_to_change(tiny_model, template, changes, says):
    with pytest.raises(SystemExit, match=says):
        held(tiny_model, template, **changes)


def test_a_prefill_that_the_template_writes_is_written_once(tiny_model):
    from transformers import AutoTokenizer

    def text(**prompt):
        tokenizer = AutoTokenizer.from_pretrained(tiny_model, padding_side="left")
        tokenizer.chat_template = THINKS
        return rendered(prepared(tokenizer, prompt), [messages("2 + 2?", PROMPT)])[0]

    plain = text()
    assert text(**OFF, prefill="<think></think>") == text(**OFF) == plain + "<think></think>"
    assert text(**OFF, prefill="So:") == plain + "<think></think>So:"
    assert text(chat_template_kwargs={"enable_thinking": True}, prefill="<think></think>") == plain + "<think></think>"
