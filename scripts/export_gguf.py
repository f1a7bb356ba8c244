"""Write a merged model as GGUF, for llama.cpp and programs built on it, and compare its next tokens with the model's.

Llama and Qwen2 models with byte-level BPE tokenizers; others stop the export. The file is read back by transformers, so
the comparison covers the tensors, their order and their quantisation, but not llama.cpp's own tokenizer. Of Llama 3.x's
scaled rotary embeddings it does not cover the factors either, which transformers does not read from GGUF: the
comparison takes the model's own settings.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from backends.determinism import fix
from backends.next_token import logit_differences, next_token_logits, release
from backends.tokenizer import load_tokenizer
from stage.checksums import model_rule, require_intact
from stage.files import read_json, read_jsonl, replacing, require_space, tree_size, write_json
from stage.screen import run

TYPES = {"F32": "ALL_F32", "F16": "MOSTLY_F16", "Q8_0": "MOSTLY_Q8_0"}
BY_LLAMA_CPP = ("Q4_K_M",)  # by its program llama-quantize, from a file in F16
# llama.cpp's name for each pre-tokenizer, by a pattern found in the tokenizer's `pre_tokenizer`.
SPLITS = {'"Digits"': "smollm", "\\\\p{N}{1,3}": "llama-bpe", "\\\\p{N}": "qwen2", '"ByteLevel"': "gpt-2"}


# What the config of a model may not state otherwise, because it would not be in the file.
PLAIN = {"attention_bias": False, "mlp_bias": False, "hidden_act": "silu", "use_sliding_window": False}
CURE = "set hub.gguf to null, or convert the model with llama.cpp's own script"


def require_known(config):
    """Stop if the model has parts that this exporter would write wrongly."""
    rope = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "other embeddings of positions")
    if (config.model_type, rope) not in {("llama", "default"), ("llama", "llama3"), ("qwen2", "default")}:
        raise SystemExit(
            f"error: export_gguf supports llama and qwen2 models with default rotary embeddings, and llama with those "
            f"of Llama 3, and this is {config.model_type} with {rope}: {CURE}"
        )
    for key, plain in PLAIN.items():
        if (value := getattr(config, key, plain)) != plain:
            raise SystemExit(f"error: export_gguf does not support {config.model_type} with {key} {value}: {CURE}")


def head_size(config):
    """The dimensions of an attention head."""
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def rotary_factors(config):
    """What Llama 3's scaling divides each rotary frequency by, (head size / 2,), as llama.cpp wants them.

    llama.cpp has no setting for this scaling: its own converter writes them as the tensor rope_freqs.weight.
    """
    import numpy
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    exponents = numpy.arange(0, head_size(config), 2) / head_size(config)
    return (config.rope_parameters["rope_theta"] ** -exponents / scaled.double().numpy()).astype(numpy.float32)


def add_hyperparameters(writer, config):
    """Write the model's hyperparameters."""
    heads = config.num_attention_heads
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_key_length(head_size(config))  # else llama.cpp takes the embedding's length by the number of heads
    writer.add_value_length(head_size(config))
    writer.add_rope_dimension_count(head_size(config))
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])


def read_tokenizer(folder):
    """(the tokenizer as in its file, llama.cpp's name for its pre-tokenizer); SystemExit if llama.cpp has none."""
    path = folder / "tokenizer.json"
    tokenizer = read_json(path) if path.exists() else {"model": {}}
    splitting = json.dumps(tokenizer.get("pre_tokenizer"))
    if "merges" not in tokenizer["model"] or '"ByteLevel"' not in splitting:
        raise SystemExit(f"error: export_gguf supports tokenizers with byte-level BPE, and this is none: {CURE}")
    return tokenizer, next(name for mark, name in SPLITS.items() if mark in splitting)


def add_tokenizer(writer, folder, vocab_size):
    """Write tokens, merges, special tokens and the chat template."""
    import gguf

    tokenizer, splits = read_tokenizer(folder)
    names = {i: token for token, i in tokenizer["model"]["vocab"].items()}
    kinds = dict.fromkeys(names, gguf.TokenType.NORMAL)
    for added in tokenizer["added_tokens"]:
        names[added["id"]] = added["content"]
        kinds[added["id"]] = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(splits)
    writer.add_token_list([names.get(i, f"[PAD{i}]") for i in range(vocab_size)])
    writer.add_token_types([kinds.get(i, gguf.TokenType.UNUSED) for i in range(vocab_size)])
    gguf.SpecialVocab(folder, load_merges=True, n_vocab=vocab_size).add_to_gguf(writer, quiet=True)


def interleave(weights, heads):
    """Rows of a query or key projection in llama.cpp's order: rotary pairs side by side, not in two halves."""
    return weights.reshape(heads, 2, -1, weights.shape[-1]).swapaxes(1, 2).reshape(weights.shape)


def add_tensors(writer, folder, config, kind):
    """Write every tensor under its GGUF name: matrices in the chosen type if its blocks fit, vectors in float32."""
    import gguf
    from safetensors import safe_open
    from tqdm import tqdm

    if config.rope_parameters["rope_type"] == "llama3":
        writer.add_tensor(f"{gguf.TENSOR_NAMES[gguf.MODEL_TENSOR.ROPE_FREQS]}.weight", rotary_factors(config))
    names = gguf.get_tensor_name_map(writer_arch(config), config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    wanted = gguf.GGMLQuantizationType[kind]
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in tqdm(sorted(file.keys()), unit="tensor"):
                tensor = file.get_tensor(name).float().numpy()
                part = name.split(".")[-2]
                if config.model_type == "llama" and part in heads:
                    tensor = interleave(tensor, heads[part])
                block, _ = gguf.GGML_QUANT_SIZES[wanted]
                fits = tensor.ndim == 2 and tensor.shape[-1] % block == 0
                stored = wanted if fits else gguf.GGMLQuantizationType.F32
                target = names.get_name(name, try_suffixes=(".weight", ".bias"))
                writer.add_tensor(target, gguf.quants.quantize(tensor, stored), raw_dtype=stored)


def writer_arch(config):
    """GGUF's constant for the architecture."""
    import gguf

    return {"llama": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2}[config.model_type]


def parity(args, config, problems):
    """Compare the next-token logits of the GGUF file with those of the model, on the same tokens.

    SystemExit if they are not those of the same model.
    """
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    prompts = [problem["prompt"] for problem in read_jsonl(args.data)[:problems]]
    tokenizer = load_tokenizer(args.merged, json.loads(args.prompt_config))

    def logits(folder, label, **options):
        release()
        policy = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **options).eval()
        return next_token_logits(policy, tokenizer, prompts, f"compare {args.gguf.name}, {label}")

    expected = logits(args.merged, "the model")
    options = {"gguf_file": args.gguf.name, "quantization_config": GgufConfig(dequantize=True)}
    if config.rope_parameters["rope_type"] != "default":
        options["config"] = config
    found = logits(args.gguf.parent, "the GGUF file", **options)
    differences, spread = logit_differences(expected, found), expected.std().item()
    if not differences["mean_logit_difference"] < spread / 2:  # 4 bits cost up to a sixth of the spread
        raise SystemExit(
            f"error: logits of the GGUF file differ from the model's by {differences['mean_logit_difference']:.2g} on "
            f"average, and these spread by {spread:.2g}, so it is another model: {CURE}"
        )
    return {"problems": len(prompts)} | differences


def write_gguf(path, args, config, kind):
    """Write the model with its matrices in the number format `kind`, one of TYPES."""
    import gguf

    writer = gguf.GGUFWriter(path, config.model_type)
    writer.add_name(args.name)
    writer.add_file_type(gguf.LlamaFileType[TYPES[kind]])
    add_hyperparameters(writer, config)
    add_tokenizer(writer, args.merged, config.vocab_size)
    add_tensors(writer, args.merged, config, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file(progress=True)
    writer.close()


def require_llama_cpp(kind):
    """Stop if llama.cpp's program is needed and missing."""
    if kind in BY_LLAMA_CPP and shutil.which("llama-quantize") is None:
        raise SystemExit(
            f"error: hub.gguf {kind} is written by llama.cpp's llama-quantize, which is not on the PATH: install "
            "llama.cpp and run without a container, or set hub.gguf to Q8_0"
        )


def write_by_llama_cpp(path, args, config, threads):
    """Write the model in a format of BY_LLAMA_CPP."""
    with TemporaryDirectory(dir=path.parent) as scratch:
        whole = Path(scratch, "whole.gguf")
        write_gguf(whole, args, config, "F16")
        command = ["llama-quantize", str(whole), str(path), args.type, str(threads)]
        if subprocess.run(command, stdout=sys.stderr).returncode:
            raise SystemExit("error: llama-quantize failed: its output is in the log")


def main(args):
    from transformers import AutoConfig

    require_intact(args.merged, model_rule(args.merged))
    require_intact(args.data, "format_task")
    config = AutoConfig.from_pretrained(args.merged)
    require_known(config)
    require_llama_cpp(args.type)
    require_space(args.gguf, tree_size(args.merged) * (1 + (args.type in BY_LLAMA_CPP)))
    settings = json.loads(args.merge_config)
    fix(seed=0, threads=settings["threads"])
    with replacing(args.gguf) as partial:
        if args.type in BY_LLAMA_CPP:
            write_by_llama_cpp(partial, args, config, settings["threads"])
        else:
            write_gguf(partial, args, config, args.type)
    write_json(args.parity, {"type": args.type} | parity(args, config, settings["problems"]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--type", required=True, choices=[*TYPES, *BY_LLAMA_CPP], help="number format of the matrices")
    parser.add_argument("--name", required=True, help="the model's name in the file")
    parser.add_argument("--merge-config", required=True, help="the config section `merge`, as JSON")
    parser.add_argument("--prompt-config", required=True, help="the config section `prompt`, as JSON")
    parser.add_argument("--merged", required=True, type=Path, help="directory of the merged model")
    parser.add_argument("--data", required=True, type=Path, help="formatted problems, JSONL")
    parser.add_argument("--gguf", required=True, type=Path, help="file to write")
    parser.add_argument("--parity", required=True, type=Path, help="JSON to write")
    run(main, parser)
