"""Sample with vLLM: the engine for GPUs.

Its numbers are not bit-identical to those of `eval_transformers`. The protocol names the engine, so scores of the two
are never compared.
"""

import os

PACKAGES = ("vllm", "torch")  # whose versions the protocol states

# transformers' GenerationConfig name -> vLLM's, if they differ.
NAMES = {"max_new_tokens": "max_tokens"}


def sampling_parameters(sampling, seed, stops):
    """vLLM's SamplingParams from `eval.sampling`, which uses the names of GenerationConfig."""
    from vllm import SamplingParams

    given = {NAMES.get(key, key): value for key, value in sampling.items() if key != "do_sample"}
    if not sampling["do_sample"]:
        given["temperature"] = 0.0
    if given.get("top_k") == 0:  # all tokens
        given["top_k"] = -1
    return SamplingParams(**given, seed=seed, stop_token_ids=stops, detokenize=False)


def generate(model, chats, settings, prefill):
    """Yield `(completion text, number of sampled tokens, truncated)` for each chat, in order.

    `settings` is the config section `eval`, whose `engine` holds fields of vLLM's EngineArgs. vLLM gets
    `batch_size` prompts at once.
    """
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # in this process: seeded and stopped with it
    os.environ["VLLM_NO_USAGE_STATS"] = "1"
    os.environ.setdefault("VLLM_USE_FLASHINFER_SAMPLER", "0")  # it compiles itself if it finds nvcc
    from transformers import GenerationConfig
    from vllm import LLM, TokensPrompt

    from backends.tokenizer import load_tokenizer, token_ids

    tokenizer = load_tokenizer(model, prefill)
    stated = GenerationConfig.from_pretrained(model).eos_token_id
    stops = sorted({tokenizer.eos_token_id, *(stated if isinstance(stated, list) else [stated])} - {None})
    engine = {"dtype": settings["dtype"], "seed": settings["seed"]} | settings.get("engine", {})
    # generation_config="vllm" ignores the model's generation_config.json: all settings come from the config.
    llm = LLM(model=str(model), tokenizer=str(model), generation_config="vllm", **engine)
    for start in range(0, len(chats), settings["batch_size"]):
        tokens = token_ids(tokenizer, chats[start : start + settings["batch_size"]])
        # Each draw of a prompt needs its own seed, or all would be the same.
        parameters = [
            sampling_parameters(settings["sampling"], settings["seed"] + start + i, stops) for i in range(len(tokens))
        ]
        for output in llm.generate([TokensPrompt(prompt_token_ids=ids) for ids in tokens], parameters, use_tqdm=False):
            (completion,) = output.outputs
            sampled = list(completion.token_ids)
            text = tokenizer.decode(sampled, skip_special_tokens=True)
            yield text, len(sampled), completion.finish_reason == "length"
