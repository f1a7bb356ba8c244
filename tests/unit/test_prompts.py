"""Prompts are rendered once, at a fixed date: what evaluation hashes is what every engine and the trainer read."""

import datetime
import json

import pytest
import yaml
from backends.chat_template import require_plain_template
from backends.tokenizer import batch, described, load_tokenizer, prepared, rendered, token_ids
from reasoning.prompt import messages

PROMPT = yaml.safe_load(open("config/config.yaml"))["prompt"]
QUESTIONS = [f"Tom has {n} pens. He gets 2 and loses 1. How many pens are left?" for n in range(3, 8)]
CHATS = [messages(question, PROMPT) for question in QUESTIONS]
GENERATION = "{% if add_generation_prompt %}<|assistant|>{% endif %}"
TURN = "<|{{ m.role }}|>{{ m.content }}<|end|>"
TURNS = "{% for m in messages %}" + TURN + "{% endfor %}"
DATED = "<|system|>Today is {{ strftime_now('%d %b %Y') }}.<|end|>" + TURNS + GENERATION


def with_template(model, template, prefill="", **prompt):
    """The tiny model's tokenizer with another chat template."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    tokenizer.chat_template = template
    return prepared(tokenizer, {"prefill": prefill} | prompt)


def test_prompts_of_the_default_run(tiny_model):
    """The published numbers are of these token ids: a change here changes them all."""
    stated = described(load_tokenizer(tiny_model), CHATS)
    assert stated["prompts_sha256"]["token_ids"] == "8d67e6c682bf973ae5dd0ce52cfe6923b8a6ea30db867da5e50c6ca5ba98efff"
    assert stated["first"].startswith("<|system|>Be brief.<|end|><|user|>Ann has 4 hats.")


def test_a_batch_is_the_prompts_padded_on_the_left(tiny_model):
    tokenizer = load_tokenizer(tiny_model)
    prompts = token_ids(tokenizer, [CHATS[0], messages("Why?", PROMPT)])
    inputs = batch(tokenizer, prompts, "cpu")
    rows = zip(inputs["input_ids"].tolist(), inputs["attention_mask"].tolist(), strict=True)
    assert [[token for token, real in zip(*row, strict=True) if real] for row in rows] == prompts
    assert inputs["attention_mask"][1, 0] == 0 and inputs["attention_mask"][:, -1].tolist() == [1, 1]


def test_a_template_that_asks_for_the_date_is_told_a_fixed_one(tiny_model, monkeypatch):
    stated = []
    for year in (2026, 2031):

        class Clock(datetime.datetime):
            @classmethod
            def now(cls, tz=None, year=year):
                return cls(year, 1, 1)

        monkeypatch.setattr("transformers.utils.chat_template_utils.datetime", Clock)
        stated.append(described(with_template(tiny_model, DATED), CHATS))
    assert stated[0] == stated[1] and stated[0]["today"] == "2024-07-26"
    assert stated[0]["first"].startswith("<|system|>Today is 26 Jul 2024.<|end|>")


@pytest.mark.parametrize("prefill", ["So: ", "\n", 'He said: "é 😀 {{ x }} \\d"'])
def test_completions_begin_with_the_prefill(tiny_model, prefill):
    """Whatever its characters, and if the template's file ends with a line break, which Jinja leaves out."""
    (text,) = rendered(with_template(tiny_model, TURNS + GENERATION + "\n", prefill), CHATS[:1])
    assert text == rendered(with_template(tiny_model, TURNS + GENERATION + "\n"), CHATS[:1])[0] + prefill


def trainer_of(model, tokenizer, problems, folder, steps=1):
    """TRL's trainer as train makes it, on the tiny model, and a list of the prompts that generate gets."""
    import torch
    from backends.decoding import inherit_nothing, stop_tokens
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    policy = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    policy = inherit_nothing(policy, eos_token_id=stop_tokens(model, tokenizer))
    generate, seen, read = policy.generate, [], []

    def recorded(input_ids, attention_mask, **options):
        seen.extend(ids[mask.bool()].tolist() for ids, mask in zip(input_ids, attention_mask, strict=True))
        return generate(input_ids, attention_mask=attention_mask, **options)

    def length(completions, **_):
        read.extend(completion[0]["content"] for completion in completions)
        return [float(len(completion[0]["content"])) for completion in completions]

    policy.generate = recorded
    fields = {"use_cpu": True, "bf16": False, "max_steps": steps, "num_generations": 2, "report_to": []}
    trainer = GRPOTrainer(
        model=policy,
        processing_class=tokenizer,
        reward_funcs=length,
        args=GRPOConfig(
            output_dir=str(folder),
            per_device_train_batch_size=len(problems) * 2,
            max_completion_length=4,
            save_strategy="no",
            logging_steps=1,
            log_completions=True,
            **fields,
        ),
        train_dataset=Dataset.from_list(problems),
        peft_config=LoraConfig(task_type="CAUSAL_LM", r=2),
    )
    return trainer, seen, read


@pytest.mark.parametrize("prefill", ["", "So: "])
def test_the_trainer_reads_what_evaluation_reads(tiny_model, tmp_path, prefill):
    """Token for token, in what the trainer says and in what its model then gets: date, worked examples and prefill."""
    from trainers.grpo import require_same_prompts

    tokenizer = with_template(tiny_model, DATED, prefill)
    wanted = token_ids(tokenizer, CHATS[:2])
    trainer, seen, _ = trainer_of(tiny_model, tokenizer, [{"prompt": chat} for chat in CHATS[:2]], tmp_path)
    require_same_prompts(trainer, tokenizer, CHATS)
    trainer.train()
    assert sorted(seen) == sorted(wanted * 2)
    assert tokenizer.decode(wanted[0]).endswith("<|assistant|>" + prefill)


def test_the_trainer_tells_the_template_what_evaluation_tells_it(tiny_model, tmp_path):
    from trainers.grpo import require_same_prompts

    thought = "<think></think>"
    switch = "{% if not think | default(true) %}" + thought + "{% endif %}"
    template = DATED.replace("<|assistant|>", "<|assistant|>" + switch)
    told = {"chat_template_kwargs": {"think": False}, "prefill": thought}
    tokenizer = with_template(tiny_model, template, **told)
    wanted = token_ids(tokenizer, CHATS[:2])
    assert tokenizer.decode(wanted[0]).endswith("<|assistant|>" + thought)
    trainer, seen, _ = trainer_of(tiny_model, tokenizer, [{"prompt": chat} for chat in CHATS[:2]], tmp_path)
    require_same_prompts(trainer, with_template(tiny_model, template, **told), CHATS)
    trainer.train()
    assert sorted(seen) == sorted(wanted * 2)
    with pytest.raises(SystemExit, match="not those of evaluation, token for token"):
        require_same_prompts(trainer, with_template(tiny_model, template, chat_template_kwargs={"think": True}), CHATS)


def test_a_trainer_that_reads_something_else_is_stopped(tiny_model, tmp_path):
    from trainers.grpo import require_same_prompts

    trainer, *_ = trainer_of(tiny_model, with_template(tiny_model, DATED), [{"prompt": CHATS[0]}], tmp_path)
    with pytest.raises(SystemExit, match="not those of evaluation, token for token"):
        require_same_prompts(trainer, load_tokenizer(tiny_model), CHATS)
    trainer._tokenize_prompts = None
    with pytest.raises(SystemExit, match="has no _tokenize_prompts"):
        require_same_prompts(trainer, load_tokenizer(tiny_model), CHATS)


def test_rollouts_are_text_whatever_parser_the_model_brings(tiny_model, tmp_path):
    """TRL would hand rewards what a response schema leaves of a completion; the metric reads all of it."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model, padding_side="left")
    tokenizer.response_schema = {"type": "object", "properties": {"content": {"const": "parsed"}}}
    trainer, _, read = trainer_of(tiny_model, prepared(tokenizer, ""), [{"prompt": CHATS[0]}], tmp_path)
    trainer.train()
    assert read and "parsed" not in read


THINKS = TURNS + GENERATION.replace("<|assistant|>", "<|assistant|><think>\n")
DROPS = TURNS.replace("m.content", "m.content.split('</think>')[-1]") + GENERATION
REFUSES = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + TURNS + GENERATION
OWN = (
    "{% if messages[0].role != 'system' %}<|system|>You are Tiny.<|end|>{% endif %}"  # as SmolLM2's and Qwen2.5's
    + TURNS
    + GENERATION
)
TRIMS = TURNS.replace("m.content", "m.content | trim") + GENERATION
THOUGHT = [{"question": "1 + 1?", "completion": "<think>1 + 1 = 2</think>\n#### 2"}]
PAGE = TURNS + GENERATION


@pytest.mark.parametrize(
    ("template", "changes", "says"),
    [
        (THINKS, {}, r"begins the answer with '<\|end\|><\|assistant\|><think>\\n' and earlier answers"),
        (THINKS, {"examples": []}, "begins the answer with"),
        (DROPS, {"examples": THOUGHT}, "does not write the completion of a worked example word for word"),
        (REFUSES, {}, r"does not take this prompt \(no system role\): .*set prompt.system to null"),
        (OWN, {"system": ""}, r"a system turn of its own \('You are Tiny.'\): state a text, or null"),
        (DATED, {"system": ""}, "a system turn of its own"),
        (TRIMS, {"system": "Be brief. "}, "does not write prompt.system word for word"),
        (PAGE, {"format": "[^#]+<|end|>"}, r"section prompt has <\|end\|>, which .* special tokens"),
        (PAGE, {"prefill": "<|user|>"}, r"section prompt has <\|user\|>"),
    ],
)
def test_a_template_that_changes_the_prompt_is_refused(tiny_model, template, changes, says):
    prompt = PROMPT | changes
    tokenizer = with_template(tiny_model, template, prompt["prefill"])
    with pytest.raises(SystemExit, match=says) as stopped:
        require_plain_template(tokenizer, [messages(question, prompt) for question in QUESTIONS], prompt)
    assert str(stopped.value).startswith("error: ") and "\n" not in str(stopped.value)


@pytest.mark.parametrize(
    ("template", "changes"),
    [
        (PAGE, {}),
        (PAGE, {"system": ""}),
        (PAGE, {"prefill": "So: "}),
        (PAGE, {"examples": THOUGHT}),
        (DROPS, {}),
        (REFUSES, {"system": ""}),
        (OWN, {"system": None}),
        (OWN, {}),
        (DATED, {"system": None}),
        (DATED, {}),
    ],
)
def test_other_templates_pass(tiny_model, template, changes):
    prompt = PROMPT | changes
    tokenizer = with_template(tiny_model, template, prompt["prefill"])
    require_plain_template(tokenizer, [messages(question, prompt) for question in QUESTIONS], prompt)


def test_no_system_turn_is_none_at_all(tiny_model):
    """An empty one is none; null leaves the template its own."""
    texts = {}
    for system in ("", None):
        chats = [messages(QUESTIONS[0], PROMPT | {"system": system, "examples": []})]
        texts[system] = rendered(with_template(tiny_model, OWN if system is None else PAGE), chats)[0]
    assert texts[""].startswith("<|user|>Tom") and texts[None].startswith("<|system|>You are Tiny.")


def test_what_no_prompt_can_mend_is_seen_when_the_model_arrives(tiny_model):
    require_plain_template(with_template(tiny_model, OWN))
    with pytest.raises(SystemExit, match="begins the answer with"):
        require_plain_template(with_template(tiny_model, THINKS))


def test_digests_are_of_canonical_json(tiny_model):
    from hashlib import sha256

    tokenizer = load_tokenizer(tiny_model)
    stated = described(tokenizer, CHATS)["prompts_sha256"]
    assert stated["text"] == sha256(json.dumps(rendered(tokenizer, CHATS)).encode()).hexdigest()
    assert stated["text"] != described(tokenizer, CHATS[::-1])["prompts_sha256"]["text"]
