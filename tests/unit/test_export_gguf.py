"""A GGUF file computes the same as the model (tensors, their order, their quantisation) and has its tokenizer."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import make_tiny_model
from export_gguf import main
from stage.checksums import seal
from stage.files import read_json, write_jsonl

PROMPTS = [[{"role": "user", "content": text}] for text in ("1 + 1", "How many?", "apples and pears")]


def make_qwen2(folder):
    """The tiny model's tokenizer with a model that has biases and untied output weights."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    make_tiny_model(folder)
    torch.manual_seed(1)
    config = Qwen2Config(
        vocab_size=260,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
    )
    model = Qwen2ForCausalLM(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    model.save_pretrained(folder)
    seal(folder)


def export(folder, tmp_path, kind):
    """Export the model in `folder`; returns the file's comparison with it."""
    data = tmp_path / "dev.jsonl"
    write_jsonl(data, [{"prompt": prompt} for prompt in PROMPTS])
    arguments = {
        "type": kind,
        "name": "tiny",
        "merge_config": json.dumps({"threads": 2, "problems": 3}),
        "prompt_config": json.dumps({"prefill": ""}),
        "merged": folder,
        "data": data,
        "gguf": tmp_path / "out/tiny.gguf",
        "parity": tmp_path / "out/tiny.json",
    }
    main(SimpleNamespace(**arguments))
    return read_json(tmp_path / "out/tiny.json")


@pytest.mark.parametrize("make", [make_tiny_model, make_qwen2])
@pytest.mark.parametrize(("kind", "largest"), [("F32", 1e-5), ("F16", 1e-2), ("Q8_0", 1e-1)])
def test_parity(tmp_path, make, kind, largest):
    make(tmp_path / "model")
    parity = export(tmp_path / "model", tmp_path, kind)
    assert (parity["type"], parity["problems"]) == (kind, 3)
    assert parity["max_logit_difference"] < largest
    assert kind == "F32" or parity["max_logit_difference"] > 0


# In the place of llama.cpp's program: it keeps what it was asked, and writes another model.
QUANTISER = """#!/bin/sh
echo "$3 $4 $(head -c 4 "$1")" >{asked}
cp {other} "$2"
"""


def test_llama_cpp_writes_what_is_compared(tmp_path, tiny_model, monkeypatch):
    export(tiny_model, tmp_path, "Q8_0")
    program, other, asked = tmp_path / "bin/llama-quantize", tmp_path / "other.gguf", tmp_path / "asked"
    program.parent.mkdir()
    (tmp_path / "out/tiny.gguf").rename(other)
    program.write_text(QUANTISER.format(asked=asked, other=other))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    parity = export(tiny_model, tmp_path, "Q4_K_M")
    assert asked.read_text() == "Q4_K_M 2 GGUF\n"
    assert (tmp_path / "out/tiny.gguf").read_bytes() == other.read_bytes()
    assert parity["type"] == "Q4_K_M" and 1e-3 < parity["max_logit_difference"] < 1e-1  # that of Q8_0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["tiny.gguf", "tiny.json"]


def make_wide_model(folder):
    """A model whose rows are as long as a block of Q4_K, 256 weights."""
    make_tiny_model(folder, hidden_size=256, intermediate_size=512, num_attention_heads=4, head_dim=64)


LLAMA_CPP = Path(".venv/llama-cpp/bin").absolute()


@pytest.mark.parametrize("make", [make_tiny_model, make_qwen2, make_wide_model])
def test_parity_of_llama_cpp(tmp_path, make, monkeypatch):
    """llama.cpp reads the file that it quantises, so it finds what the file lacks, too."""
    monkeypatch.setenv("PATH", str(LLAMA_CPP), prepend=os.pathsep)
    if shutil.which("llama-quantize") is None:
        pytest.skip("llama.cpp's llama-quantize is missing: .ci/run installs it, if it has npm")
    make(tmp_path / "model")
    parity = export(tmp_path / "model", tmp_path, "Q4_K_M")
    assert 1e-3 < parity["max_logit_difference"] < 0.5


def test_heads_of_another_length(tmp_path, tiny_model):
    """Than the embedding's by their number: 2 heads of 32 in an embedding of 32."""
    import gguf

    export(tiny_model, tmp_path, "F16")
    fields = gguf.GGUFReader(tmp_path / "out/tiny.gguf").fields
    lengths = ("attention.key_length", "attention.value_length", "rope.dimension_count")
    assert [fields[f"llama.{name}"].contents() for name in lengths] == [32, 32, 32]


def test_without_llama_cpp(tmp_path, tiny_model, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SystemExit, match="error: hub.gguf Q4_K_M is written by llama.cpp's llama-quantize, which"):
        export(tiny_model, tmp_path, "Q4_K_M")
    assert not (tmp_path / "out").exists()


def test_tokenizer_is_inside(tmp_path, tiny_model):
    import gguf
    from transformers import AutoTokenizer

    export(tiny_model, tmp_path, "F16")
    fields = gguf.GGUFReader(tmp_path / "out/tiny.gguf").fields
    tokens, ids = fields["tokenizer.ggml.tokens"].contents(), AutoTokenizer.from_pretrained(tiny_model).get_vocab()
    assert all(tokens[i] == token for token, i in ids.items())
    assert fields["tokenizer.chat_template"].contents() == AutoTokenizer.from_pretrained(tiny_model).chat_template
    assert fields["tokenizer.ggml.token_type"].contents()[0] == gguf.TokenType.CONTROL


def make_llama3(folder):
    """The tiny model with Llama 3.1's rotary embeddings, whose wavelengths lie below, within and above the bounds."""
    scaling = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    make_tiny_model(folder, rope_parameters={"rope_type": "llama3", "rope_theta": 10000.0, **scaling})


def test_scaled_rotary_embeddings(tmp_path):
    """The factors turn plain frequencies into the model's own; formula of transformers and llama.cpp's converter."""
    import gguf
    import numpy
    from transformers import AutoModelForCausalLM

    make_llama3(tmp_path / "model")
    assert export(tmp_path / "model", tmp_path, "F32")["max_logit_difference"] < 1e-5
    tensors = {tensor.name: tensor.data for tensor in gguf.GGUFReader(tmp_path / "out/tiny.gguf").tensors}
    factors = tensors["rope_freqs.weight"]
    used = AutoModelForCausalLM.from_pretrained(tmp_path / "model").model.rotary_emb.inv_freq.numpy()
    plain = 10000.0 ** -(numpy.arange(0, 32, 2) / 32)
    assert factors.dtype == numpy.float32 and numpy.allclose(plain / factors, used, rtol=1e-6)
    assert factors.min() == pytest.approx(1) and factors.max() == pytest.approx(8) and len(set(factors.round(3))) > 2


def test_order_of_rows_matters(tmp_path, tiny_model, monkeypatch):
    """The comparison would notice rows in the wrong order."""
    import export_gguf

    monkeypatch.setattr(export_gguf, "interleave", lambda weights, heads: weights)
    assert export(tiny_model, tmp_path, "F32")["max_logit_difference"] > 1e-4


def changed(model, folder, file, fields):
    """A copy of a model with other fields in one of its JSON files, and without those that are None."""
    shutil.copytree(model, folder)
    whole = read_json(folder / file) | fields
    (folder / file).write_text(json.dumps({key: value for key, value in whole.items() if value is not None}))
    seal(folder)
    return folder


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}, "llama with linear"),
        ({"model_type": "gpt2", "rope_parameters": None}, "this is gpt2 with other embeddings of positions"),
        ({"model_type": "gemma3_text", "rope_parameters": None}, "this is gemma3_text with other"),
        ({"attention_bias": True}, "does not support llama with attention_bias True"),
        ({"mlp_bias": True}, "does not support llama with mlp_bias True"),
        ({"hidden_act": "gelu"}, "does not support llama with hidden_act gelu"),
    ],
)
def test_unknown_model(tmp_path, tiny_model, fields, words):
    model = changed(tiny_model, tmp_path / "model", "config.json", fields)
    with pytest.raises(SystemExit, match=f"^error: .*{words}.*: set hub.gguf to null"):
        export(model, tmp_path, "F16")


@pytest.mark.parametrize(
    "fields", [{"pre_tokenizer": None}, {"pre_tokenizer": {"type": "Metaspace"}}, {"model": {"type": "Unigram"}}]
)
def test_unknown_tokenizer(tmp_path, tiny_model, fields):
    model = changed(tiny_model, tmp_path / "model", "tokenizer.json", fields)
    with pytest.raises(SystemExit, match="^error: .* byte-level BPE, and this is none: set hub.gguf to null"):
        export(model, tmp_path, "F16")
    assert not list((tmp_path / "out").iterdir())


def test_another_model_in_the_file(tmp_path, monkeypatch):
    """What no check of the config has foreseen, the comparison finds: here biases that the file lacks."""
    import export_gguf
    import torch
    from transformers import AutoModelForCausalLM

    make_tiny_model(tmp_path / "model", mlp_bias=True)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    model.save_pretrained(tmp_path / "model")
    seal(tmp_path / "model")
    monkeypatch.setattr(export_gguf, "require_known", lambda config: None)
    with pytest.raises(SystemExit, match="^error: logits of the GGUF file differ .*, so it is another model"):
        export(tmp_path / "model", tmp_path, "F16")
    assert not (tmp_path / "out/tiny.json").exists()
