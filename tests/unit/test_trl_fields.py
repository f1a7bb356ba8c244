"""The fields of TRL's GRPOConfig that may be set are those that make sense here, with TRL's own defaults valid."""

import dataclasses
import re

import jsonschema
import pytest
import yaml

SCHEMA = yaml.safe_load(open("workflow/schemas/config.schema.yaml"))
GRPO = SCHEMA["$defs"]["train"]["properties"]["grpo"]["properties"]

# Fields of GRPO's own that are not the user's, each with the reason.
LEFT_OUT = {
    "cache_implementation": "how transformers samples is scripts/speed's",
    "chat_template_kwargs": "prompts are rendered in one place, as evaluation renders them",
    "ds3_gather_for_generation": "DeepSpeed is not in the lock files",
    "generation_batch_size": "follows from steps_per_generation",
    "generation_kwargs": "each has a field of its own",
    "log_completions": "always",
    "log_completions_hub_repo": "a run uploads nothing but its package",
    "log_multimodal": "text alone",
    "log_unique_prompts": "all are logged",
    "max_tool_calling_iterations": "there are no tools",
    "model_init_kwargs": "backends load the model",
    "num_completions_to_print": "two",
    "num_generations_eval": "evaluation is a stage of its own",
    "pad_to_multiple_of": "changes no result",
    "ref_model_mixup_alpha": "the adapter's base model is the reference",
    "ref_model_sync_steps": "the same",
    "sync_ref_model": "the same",
    "reward_weights": "section rewards",
    "transformers_continuous_batching_config": "the same as cache_implementation",
    "use_transformers_continuous_batching": "the same",
    "use_transformers_paged": "the same",
    "trust_remote_code": "never",
    "vllm_group_port": "vLLM runs in the training process",
    "vllm_server_base_url": "the same",
    "vllm_server_host": "the same",
    "vllm_server_port": "the same",
    "vllm_server_timeout": "the same",
    "vllm_importance_sampling_cap": "deprecated",
    "vllm_max_model_length": "follows from the prompts",
    "vllm_mode": "vLLM runs in the training process",
    "vllm_model_impl": "as evaluation",
    "vllm_structured_outputs_regex": "the format is learned, not forced",
    "vllm_tensor_parallel_size": "one GPU a process",
}


@pytest.fixture(scope="module")
def fields():
    """`{name: default}` of all fields, and the names of those that are GRPO's own."""
    from transformers import TrainingArguments
    from trl import GRPOConfig

    found = {field.name: field.default for field in dataclasses.fields(GRPOConfig)}
    return found, found.keys() - {field.name for field in dataclasses.fields(TrainingArguments)}


def test_every_field_is_allowed_or_left_out_for_a_reason(fields):
    """A new TRL's new field is noticed here."""
    known, own = fields
    assert GRPO.keys() <= known.keys()
    assert own == (GRPO.keys() & own) | LEFT_OUT.keys()
    assert not GRPO.keys() & LEFT_OUT.keys()


def test_defaults_of_trl_are_valid(fields):
    known, own = fields
    defaults = {name: known[name] for name in GRPO.keys() & own if known[name] is not None}
    jsonschema.Draft202012Validator({"properties": GRPO, "$defs": SCHEMA["$defs"]}).validate(defaults)
    assert known["vllm_mode"] == "colocate"
    assert defaults["vllm_importance_sampling_mode"] == "sequence_mask"


def test_the_manual_lists_them():
    text = open("config/README.md").read()
    paragraph = text[text.index("`grpo` holds fields") :].partition(" With `use_vllm`,")[0]
    inner = {"use_reentrant", "cpu_offload", "reshard_after_forward"}
    assert {*re.findall(r"`(\w+)`", paragraph)} - {"grpo", "GRPOConfig"} - inner == GRPO.keys()
