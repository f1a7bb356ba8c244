"""The estimate of GPU memory: the known sizes of the presets' models, and the error for a GPU that is too small."""

import json
from pathlib import Path

import pytest
import yaml
from backends.gpu_memory import estimate, require_fit
from snakemake.utils import update_config
from transformers import LlamaConfig, Qwen2Config, Qwen3Config

ROOT = Path(__file__).parents[2]
GB = 1e9
# The models' published shapes and parameter counts.
MODELS = {
    "qwen2.5-1.5b": (
        Qwen2Config(
            vocab_size=151936,
            hidden_size=1536,
            intermediate_size=8960,
            num_hidden_layers=28,
            num_attention_heads=12,
            num_key_value_heads=2,
            tie_word_embeddings=True,
        ),
        1_543_714_304,
    ),
    "qwen2.5-3b-t4": (
        Qwen2Config(
            vocab_size=151936,
            hidden_size=2048,
            intermediate_size=11008,
            num_hidden_layers=36,
            num_attention_heads=16,
            num_key_value_heads=2,
            tie_word_embeddings=True,
        ),
        3_085_938_688,
    ),
    "qwen2.5-math-7b": (
        Qwen2Config(
            vocab_size=152064,
            hidden_size=3584,
            intermediate_size=18944,
            num_hidden_layers=28,
            num_attention_heads=28,
            num_key_value_heads=4,
            tie_word_embeddings=False,
        ),
        7_615_616_512,
    ),
    "llama-3.1-8b": (
        LlamaConfig(
            vocab_size=128256,
            hidden_size=4096,
            intermediate_size=14336,
            num_hidden_layers=32,
            num_attention_heads=32,
            num_key_value_heads=8,
            tie_word_embeddings=False,
        ),
        8_030_261_248,
    ),
    "llama-3.2-1b": (
        LlamaConfig(
            vocab_size=128256,
            hidden_size=2048,
            intermediate_size=8192,
            num_hidden_layers=16,
            num_attention_heads=32,
            num_key_value_heads=8,
            head_dim=64,
            tie_word_embeddings=True,
        ),
        1_235_814_400,
    ),
    "qwen3-0.6b": (
        Qwen3Config(
            vocab_size=151936,
            hidden_size=1024,
            intermediate_size=3072,
            num_hidden_layers=28,
            num_attention_heads=16,
            num_key_value_heads=8,
            head_dim=128,
            tie_word_embeddings=True,
        ),
        596_049_920,
    ),
}


def settings(preset, **changes):
    """Section `train` of a preset."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    update_config(config, yaml.safe_load((ROOT / f"config/{preset}.yaml").read_text()))
    update_config(config["train"], changes)
    return json.loads(json.dumps(config["train"]))


@pytest.fixture
def parts(tmp_path):
    """A function that estimates the memory of a preset with changes on a GPU, whose size is given in GB."""

    def of(preset, gpu=16, shared_weights=True, **changes):
        MODELS[preset][0].save_pretrained(tmp_path)
        return estimate(tmp_path, settings(preset, **changes), 300, gpu * GB, shared_weights)

    return of


@pytest.mark.parametrize("preset", MODELS)
def test_weights(parts, preset):
    full = parts(preset, load_in_4bit=False)["weights"]
    assert full == 2 * MODELS[preset][1]
    # Embedding and head stay in 16 bit, so a 4-bit model takes more than a quarter.
    assert full / 4 < parts(preset, load_in_4bit=True)["weights"] < full / 2


def test_processes_that_divide_the_model(parts):
    """Each has its share, and whole only the embeddings and the layers that compute."""
    whole, halves, quarters = (
        parts("llama-3.1-8b", processes=n, grpo={"fsdp": n > 1, "use_vllm": False})["weights"] for n in (1, 2, 4)
    )
    assert halves - quarters == pytest.approx(whole / 4)
    assert 128256 * 4096 * 2 < halves - whole / 2 < 128256 * 4096 * 2 + whole / 12


def test_adapter(parts):
    """Rank 32 on every linear layer of Qwen2.5-1.5B: 36,929,536 parameters, in float32 with gradient and moments."""
    assert parts("qwen2.5-1.5b")["adapter"] == 36_929_536 * 16


MODELS |= {f"{name}-t4": MODELS[name] for name in ("qwen2.5-1.5b", "qwen2.5-math-7b")}
CARDS = {
    "qwen2.5-1.5b": 15.8,
    "qwen2.5-math-7b": 42,
    "llama-3.1-8b": 42,
    "llama-3.2-1b": 15.8,
    "qwen3-0.6b": 15.8,
}  # GB free, of 16 and 40 GiB
T4 = 15.6  # of 16 GB


@pytest.mark.parametrize("preset", MODELS)
def test_presets_fit(parts, preset):
    """Every preset fits the cards that it names, without the error below."""
    card = T4 if preset.endswith("-t4") else CARDS[preset]
    require_fit(parts(preset, gpu=card), free=card * GB)


def test_too_small(parts):
    with pytest.raises(SystemExit, match="the weights need most of it: change train.load_in_4bit"):
        require_fit(parts("qwen2.5-math-7b"), free=14.5 * GB)
    with pytest.raises(SystemExit, match="the logits need most of it: change train.grpo.per_device_train_batch_size"):
        require_fit(parts("qwen2.5-math-7b-t4", grpo={"per_device_train_batch_size": 64}), free=14.5 * GB)


def test_vllm_takes_its_share(parts):
    """vLLM's share of the GPU includes the weights, and the rest of the share is for the rollouts."""
    shares = [parts("qwen2.5-1.5b", gpu=80, grpo={"vllm_gpu_memory_utilization": share}) for share in (0.5, 0.6)]
    assert [round((part["weights"] + part["rollouts"]) / GB) for part in shares] == [40, 48]


def test_vllms_own_copy(parts):
    """Unless weights are shared, vLLM's share holds a copy of its own, beside the trainer's, and may not be smaller."""
    for gpu in (16, 80):
        shared, apart = (parts("qwen2.5-1.5b", gpu=gpu, shared_weights=how) for how in (True, False))
        more = sum(apart.values()) - sum(shared.values())
        assert more == pytest.approx(shared["weights"], rel=1e-6), gpu
    tight = parts("qwen2.5-1.5b", shared_weights=False, grpo={"vllm_gpu_memory_utilization": 0.1})
    assert tight["rollouts"] > tight["weights"]


def test_the_logged_divergence_counts(parts):
    """Two rollouts' logits of policy and base, which do not get smaller with the batch."""
    small = parts("qwen2.5-math-7b", grpo={"per_device_train_batch_size": 1, "num_generations": 2})
    assert small["logits"] > 2 * 2 * 512 * 152064 * 2
