"""Merged weights are W + s B A in float32, rounded once; the check finds every other bit; a model's memory is freed."""

import gc
import shutil
import weakref

import pytest
import torch
from backends.merging import layout, merge, read_adapter, require_exact
from backends.next_token import release
from conftest import make_tiny_model
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from speed.shared_prefix import share_prefix
from stage.files import read_json, write_json
from transformers import AutoModelForCausalLM

MATRICES = ["q_proj", "v_proj", "down_proj"]
TARGET = "model.layers.1.self_attn.q_proj.weight"


@pytest.fixture
def place(tmp_path):
    """A function that makes base model, adapter and merged model in a number format, and returns their folders."""

    def make(dtype=torch.float32, shard="1GB", **lora):
        folders = [tmp_path / name for name in ("base", "adapter", "merged")]
        make_tiny_model(folders[0])
        AutoModelForCausalLM.from_pretrained(folders[0], dtype=dtype).save_pretrained(folders[0], max_shard_size=shard)
        if shard != "1GB":
            (folders[0] / "model.safetensors").unlink(missing_ok=True)
        config = LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=12, target_modules=MATRICES, **lora)
        policy = get_peft_model(AutoModelForCausalLM.from_pretrained(folders[0], dtype=dtype), config)
        torch.manual_seed(1)
        for name, value in policy.named_parameters():
            if "lora_B" in name:
                value.data.normal_(0, 0.1)
        policy.save_pretrained(folders[1])
        folders[2].mkdir()
        assert list(merge(*folders))
        return folders

    return make


def tensors(folder):
    return {name: value for path in sorted(folder.glob("*.safetensors")) for name, value in load_file(path).items()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("lora", [{}, {"use_rslora": True}, {"use_dora": True}], ids=str)
def test_the_formula(place, dtype, lora):
    """Within half a unit of the last place of the exact value, and what PEFT makes of the same files, in float32."""
    base, adapter, merged = folders = place(dtype, **lora)
    found, whole = tensors(merged), tensors(base)
    scale = 12 / (2 if "use_rslora" in lora else 4)
    for name, change in read_adapter(adapter).items():
        exact = whole[name].double() + scale * change["B"].double() @ change["A"].double()
        if "use_dora" in lora:
            exact = (change["m"].double() / exact.norm(dim=1))[:, None] * exact
        unit = torch.finfo(dtype).eps * exact.abs() / 2 + 1e-6
        assert ((found[name].double() - exact).abs() <= unit).all(), name
    counts = require_exact(*folders)
    assert counts["merged"] == 6 and counts["merged"] + counts["unchanged"] == len(whole)
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapter)
    theirs = plain.merge_and_unload().state_dict()
    assert all(torch.equal(theirs[name].to(dtype), value) for name, value in found.items())


def test_shards(place):
    base, _, merged = folders = place(shard="60KB")
    assert len(list(base.glob("*.safetensors"))) > 1
    assert [layout(path) for path in sorted(base.glob("*.safetensors"))] == [
        layout(path) for path in sorted(merged.glob("*.safetensors"))
    ]
    assert require_exact(*folders)["merged"] == 6


def changed(folder, name, change):
    (path,) = folder.glob("*.safetensors")
    found = load_file(path)
    found[name] = change(found[name])
    save_file(found, path, {"format": "pt"})


def one_bit(value):
    bits = value.clone().view(torch.int16)
    bits[0, 0] ^= 1
    return bits.view(value.dtype)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (TARGET, one_bit),
        (TARGET, lambda value: value * float("nan")),
        ("model.embed_tokens.weight", one_bit),
        ("model.norm.weight", lambda value: value.half()),
    ],
)
def test_every_bit_counts(place, name, change):
    """In bfloat16, where the logits of a right merge differ by more than those of a lost adapter."""
    folders = place(torch.bfloat16)
    changed(folders[2], name, change)
    with pytest.raises(SystemExit, match="error: .* of the merged model .*--forcerun merge_lora"):
        require_exact(*folders)


def test_a_lost_adapter(place):
    folders = place(torch.bfloat16)
    shutil.copy(folders[0] / "model.safetensors", folders[2])
    with pytest.raises(SystemExit, match="is not that of the base model with the adapter"):
        require_exact(*folders)


@pytest.mark.parametrize(
    ("field", "value"),
    [("bias", "all"), ("init_lora_weights", "pissa"), ("modules_to_save", ["lm_head"]), ("rank_pattern", {"q": 2})],
)
def test_variants_are_refused(place, field, value):
    base, adapter, merged = place()
    write_json(adapter / "adapter_config.json", read_json(adapter / "adapter_config.json") | {field: value})
    with pytest.raises(SystemExit, match=f"error: the adapter is of a kind that cannot be merged exactly .{field}"):
        list(merge(base, adapter, merged))


def test_another_models_adapter(place):
    base, adapter, merged = place()
    make_tiny_model(base, hidden_size=64)
    with pytest.raises(SystemExit, match="the adapter is not of this base model"):
        list(merge(base, adapter, merged))


def test_a_model_is_freed(tiny_model):
    """A model that shares prefixes refers to itself, so that it would outlive its last use."""
    gc.disable()
    try:
        policy = share_prefix(AutoModelForCausalLM.from_pretrained(tiny_model).eval())
        alive = weakref.ref(policy)
        policy(torch.ones(1, 3, dtype=torch.long))
        del policy
        assert alive() is not None
        release()
        assert alive() is None
    finally:
        gc.enable()
