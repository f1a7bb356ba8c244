"""Decoding is what the config says: no engine and no trainer takes a setting from the model's own file."""

import json
import shutil

import pytest
import yaml
from backends import backend
from backends.decoding import cuts, decoding, inherit_nothing, stop_tokens
from backends.eval_vllm import sampling_fields
from backends.tokenizer import load_tokenizer, token_ids
from test_prompts import CHATS, trainer_of

# What a model's file may hold; each of these changes what is sampled.
HIDDEN = {
    "repetition_penalty": 1.5,
    "no_repeat_ngram_size": 2,
    "suppress_tokens": [20, 21, 22],
    "min_new_tokens": 3,
    "bad_words_ids": [[30]],
    "do_sample": True,
    "temperature": 0.1,
    "top_k": 1,
    "top_p": 0.1,
    "min_p": 0.9,
    "typical_p": 0.5,
    "epsilon_cutoff": 0.01,
}
GREEDY = {"max_new_tokens": 12, "do_sample": False}
SAMPLED = {"max_new_tokens": 12, "do_sample": True, "temperature": 0.8}


@pytest.fixture(scope="module")
def opinionated(tiny_model, tmp_path_factory):
    """The tiny model with a generation_config.json that has opinions, and a second token that ends a completion."""
    folder = tmp_path_factory.mktemp("opinionated")
    shutil.copytree(tiny_model, folder, dirs_exist_ok=True)
    (folder / "generation_config.json").write_text(json.dumps(HIDDEN | {"eos_token_id": [0, 5]}))
    return folder


@pytest.fixture(scope="module")
def plain(tiny_model, tmp_path_factory):
    """The same model, whose file says nothing but which tokens end a completion."""
    folder = tmp_path_factory.mktemp("plain")
    shutil.copytree(tiny_model, folder, dirs_exist_ok=True)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [0, 5]}))
    return folder


def test_resolved_values(opinionated):
    tokenizer = load_tokenizer(opinionated)
    ends = {"eos_token_id": [0, 5], "pad_token_id": 0}
    assert decoding(GREEDY, opinionated, tokenizer) == GREEDY | {"repetition_penalty": 1.0} | ends
    drawn = decoding(SAMPLED, opinionated, tokenizer)
    assert drawn == SAMPLED | {"top_k": 0, "top_p": 1.0, "repetition_penalty": 1.0} | ends
    assert decoding(SAMPLED | {"top_k": 7}, opinionated, tokenizer)["top_k"] == 7


def test_every_setting_is_resolved(tiny_model):
    """A setting that the schema allows has a value in the protocol, stated or not."""
    schema = yaml.safe_load(open("workflow/schemas/config.schema.yaml"))
    resolved = decoding(SAMPLED, tiny_model, load_tokenizer(tiny_model))
    assert {*schema["$defs"]["sampling"]["properties"]} <= resolved.keys()


def test_vllm_is_told_the_same(opinionated):
    """Every field by its name there: without top_k, both engines draw from all tokens."""
    tokenizer = load_tokenizer(opinionated)
    told = sampling_fields(decoding(SAMPLED, opinionated, tokenizer), seed=3)
    assert told == {
        **{"max_tokens": 12, "temperature": 0.8, "top_k": -1, "top_p": 1.0, "repetition_penalty": 1.0},
        **{"stop_token_ids": [0, 5], "seed": 3, "detokenize": False},
    }
    assert sampling_fields(decoding(GREEDY, opinionated, tokenizer), seed=3)["temperature"] == 0.0


def test_stop_tokens_without_a_generation_config(tiny_model, tmp_path):
    """They are then the model config's."""
    shutil.copytree(tiny_model, tmp_path, dirs_exist_ok=True)
    (tmp_path / "generation_config.json").unlink()
    assert stop_tokens(tmp_path, load_tokenizer(tmp_path)) == [0]


def sample(model, sampling):
    """What the transformers backend samples with a config's sampling section."""
    tokenizer = load_tokenizer(model, {"prefill": "a"})  # which the tiny model then repeats
    prompts = token_ids(tokenizer, CHATS)
    settings = {"dtype": "float32", "batch_size": 2, "seed": 0}
    generate, starts = backend("eval", "transformers").generate, range(0, len(prompts), 2)
    return list(generate(model, tokenizer, prompts, settings, decoding(sampling, model, tokenizer), starts))


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
def test_evaluation_inherits_nothing(opinionated, plain, sampling):
    assert sample(opinionated, sampling) == sample(plain, sampling)


def test_a_stated_setting_counts(plain):
    assert sample(plain, GREEDY | {"repetition_penalty": 1.5}) != sample(plain, GREEDY)


def test_nothing_but_neutral_values_is_filled_in(opinionated):
    """What generate in the end goes by: the resolved settings, and transformers' own neutral values."""
    from transformers import AutoModelForCausalLM, GenerationConfig

    tokenizer = load_tokenizer(opinionated)
    chosen = decoding(SAMPLED, opinionated, tokenizer)
    policy = inherit_nothing(AutoModelForCausalLM.from_pretrained(opinionated), **chosen)
    used, _ = policy._prepare_generation_config(None)
    neutral = GenerationConfig()._get_default_generation_params()
    assert {key: getattr(used, key) for key in chosen} == chosen
    for key in HIDDEN.keys() - chosen.keys():
        assert getattr(used, key) == neutral.get(key), key


def test_rollouts_inherit_nothing(opinionated, tmp_path):
    """TRL states what it has a setting for; the rest would come from the model's file."""
    from transformers import GenerationConfig

    trainer, *_ = trainer_of(opinionated, load_tokenizer(opinionated), [{"prompt": CHATS[0]}], tmp_path)
    used, _ = trainer.model.get_base_model()._prepare_generation_config(trainer.generation_config)
    assert trainer.eos_token_ids == [0, 5] and used.eos_token_id == [0, 5]
    assert (used.temperature, used.top_k, used.top_p, used.repetition_penalty) == (1.0, 0, 1.0, 1.0)
    neutral = GenerationConfig()._get_default_generation_params()
    for key in HIDDEN.keys() - {"do_sample", "temperature", "top_k", "top_p", "repetition_penalty"}:
        assert getattr(used, key) == neutral.get(key), key


def test_cuts(tiny_model):
    """A prefix of the text for each power of two below the number of tokens, without parts of characters."""
    tokenizer = load_tokenizer(tiny_model)
    text = "a€bcd"
    sampled = [*tokenizer(text, add_special_tokens=False)["input_ids"], 0]
    assert len(sampled) == 8  # bytes, of which € has three, and a stop token
    assert cuts(tokenizer, sampled, text) == (1, 1, 2)
    assert cuts(tokenizer, [*sampled, 0], text) == (1, 1, 2, 5) and cuts(tokenizer, sampled[:1], "a") == ()


def test_a_batch_does_not_depend_on_the_others(tiny_model):
    """Batches left out, in an interrupted evaluation or in `verify --rerun`, change nothing in the others."""
    from backends.eval_transformers import generate

    tokenizer = load_tokenizer(tiny_model)
    prompts = token_ids(tokenizer, [[{"role": "user", "content": f"{i} + {i}"}] for i in range(0, 700, 100)])
    settings = {"batch_size": 2, "dtype": "float32", "seed": 0}
    chosen = decoding({"max_new_tokens": 6, "do_sample": True}, tiny_model, tokenizer)
    whole = list(generate(tiny_model, tokenizer, prompts, settings, chosen, range(0, 7, 2)))
    assert list(generate(tiny_model, tokenizer, prompts, settings, chosen, [2, 6])) == [*whole[2:4], *whole[6:]]
    assert len(set(whole)) > 1
