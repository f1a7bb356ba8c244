"""Sample with vLLM: the engine for GPUs.

Its numbers are not bit-identical to those of `eval_transformers`. The protocol names the engine, so scores of the two
are never compared.
"""

import os

PACKAGES = ("vllm", "torch")  # whose versions the protocol states

# vLLM's names for what transformers' GenerationConfig calls otherwise; None for what vLLM is not told.
NAMES = {
    "max_new_tokens": "max_tokens",
    "eos_token_id": "stop_token_ids",
    "do_sample": None,
    "pad_token_id": None,
}


def sampling_fields(decoding, seed):
    """Decoding settings, which have GenerationConfig's names, as fields of vLLM's SamplingParams."""
    given = {NAMES.get(key, key): value for key, value in decoding.items()}
    del given[None]
    if not decoding["do_sample"]:
        given["temperature"] = 0.0
    if given.get("top_k") == 0:  # all tokens
        given["top_k"] = -1
    return given | {"seed": seed, "detokenize": False}


def attention():
    """What vLLM is told of attention: nothing, but before compute capability 8.0 the kernels that work there.

    vLLM 0.19 would take FlashInfer, which compiles itself with nvcc and is broken there; newer versions take Triton's.
    """
    import torch

    old = torch.cuda.is_available() and torch.cuda.get_device_capability() < (8, 0)
    return {"attention_backend": "TRITON_ATTN"} if old else {}


def require_invariance(settings):
    """Stop if `eval.batch_invariant` asks for kernels that this GPU does not have (vLLM 0.26: capability 8.0)."""
    import torch

    if settings.get("batch_invariant") and torch.cuda.is_available() and torch.cuda.get_device_capability() < (8, 0):
        raise SystemExit(
            "error: vLLM's batch-invariant mode needs a GPU of compute capability 8.0 or newer: set "
            "eval.batch_invariant to false"
        )


def generate(model, tokenizer, prompts, settings, decoding, starts):
    """Yield `(completion text, number of sampled tokens, truncated, cuts)` for each prompt of some batches, in order.

    As in `eval_transformers`. `engine` of `settings`, the config section `eval`, holds fields of vLLM's EngineArgs.
    vLLM gets `batch_size` prompts at once.
    """
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # in this process: seeded and stopped with it
    os.environ["VLLM_NO_USAGE_STATS"] = "1"
    os.environ.setdefault("VLLM_USE_FLASHINFER_SAMPLER", "0")  # which compiles itself with nvcc if it finds that
    require_invariance(settings)
    # Read on import; the config alone decides, because it is a part of the protocol.
    os.environ["VLLM_BATCH_INVARIANT"] = str(int(settings.get("batch_invariant", False)))
    from vllm import LLM, SamplingParams, TokensPrompt

    from backends.decoding import cuts

    engine = {"dtype": settings["dtype"], "seed": settings["seed"]} | attention() | settings.get("engine", {})
    # generation_config="vllm": the settings are ours alone, not those of the model's own file.
    llm = LLM(model=str(model), tokenizer=str(model), generation_config="vllm", **engine)
    for start in starts:
        tokens = [TokensPrompt(prompt_token_ids=ids) for ids in prompts[start : start + settings["batch_size"]]]
        # Repeated draws of one prompt need seeds of their own, or they would be the same draw.
        parameters = [
            SamplingParams(**sampling_fields(decoding, settings["seed"] + start + i)) for i in range(len(tokens))
        ]
        for output in llm.generate(tokens, parameters, use_tqdm=False):
            (completion,) = output.outputs
            sampled = list(completion.token_ids)
            text = tokenizer.decode(sampled, skip_special_tokens=True)
            yield text, len(sampled), completion.finish_reason == "length", cuts(tokenizer, sampled, text)
