"""Unsloth's own model and trainer, through scripts/train.py, on a CPU: what they compute, and must not change.

Its kernels are interpreted, which takes most of the time, so one process makes several trainings. Needs the environment
of envs/contract.txt: .ci/run installs it.
"""

import csv
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import CHAT_TEMPLATE

ROOT = Path(__file__).parents[2]
PRESETS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((ROOT / "config").glob("*.yaml"))}
DEFAULT = PRESETS.pop("config")
UNSLOTH = [name for name, preset in PRESETS.items() if preset.get("train", {}).get("backend") == "unsloth"]


def overlaid(base, over):
    """`base` with an overlay merged into it, as Snakemake merges configs."""
    return base | {
        k: overlaid(base[k], v) if isinstance(v, dict) and isinstance(base.get(k), dict) else v for k, v in over.items()
    }


# What a CPU needs of any preset, and what makes a training short. Steps so large that an outdated adapter would show.
FORMAT = {"dtype": "float32", "load_in_4bit": False, "grpo": {"use_cpu": True, "bf16": False, "fp16": False}}
BATCH = {"num_generations": 4, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1}
SHORT = {
    "lora": {"r": 4, "lora_alpha": 8},
    "grpo": BATCH | {"max_completion_length": 8, "max_steps": 2, "learning_rate": 0.05, "warmup_steps": 0},
}
TRANSFORMERS = overlaid(SHORT, {"grpo": {"use_vllm": False, "top_k": 0}})
# As Qwen3's template begins the answer if thinking is switched off, as its preset asks for.
THOUGHT = "{% if add_generation_prompt and enable_thinking is defined and not enable_thinking %}"
THOUGHT += r"{{ '<think>\n\n</think>\n\n' }}{% endif %}"
BYTES = {"format": "[^a-e]*"}  # what some completions of random bytes match


def make_model(folder, kind):
    """Write a seeded model with two layers and a tokenizer of bytes, that pads with a token of its own."""
    import torch
    from stage.checksums import seal
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    special = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|pad|>"]
    vocabulary = {token: i for i, token in enumerate([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|pad|>")
    wrapped.chat_template = CHAT_TEMPLATE + THOUGHT
    shape = {"vocab_size": 320, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    shape |= {"num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 1024}
    tokens = {"eos_token_id": 0, "pad_token_id": 4, "bos_token_id": None, "tie_word_embeddings": True}
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **shape, **tokens, initializer_range=0.2)
    AutoModelForCausalLM.from_config(config).to(torch.bfloat16).save_pretrained(folder)
    wrapped.save_pretrained(folder)
    seal(folder)
    return folder


IMITATION = {
    "trainer": "sft",
    "solution": "{solution} <answer>{answer}</answer>",
    "sft": {"max_steps": 2, "per_device_train_batch_size": 2},
}


def arguments(folder, model, preset, seed=7, rewards=None, steps=0, changes=None):
    """train's arguments for a preset with `changes`, in float32 and in a folder of its own."""
    folder.mkdir()
    config = overlaid(DEFAULT, PRESETS[preset])
    settings = overlaid(overlaid(config["train"], FORMAT), changes or {})
    data = folder / "train.jsonl"
    chats = [[{"role": "user", "content": "Say " + "x" * n}] for n in range(1, 17)]
    data.write_text("".join(json.dumps({"prompt": chat, "answer": "1", "steps": []}) + "\n" for chat in chats))
    names = {"adapter": "adapter", "history": "history.csv", "arguments": "arguments.json"}
    names |= {"environment": "environment.json", "gpu_memory": "gpu_memory.json", "checkpoints": "checkpoints"}
    return {
        "train_config": json.dumps(settings),
        "rewards_config": json.dumps(rewards or {"format": 1.0, "random": 0.5}),
        "prompt_config": json.dumps(config["prompt"] | BYTES),
        "seed": seed,
        "source": "tiny",
        "model": str(model),
        "data": str(data),
        "checkpoint_steps": steps,
        "checkpoint_minutes": 0,
        "report_to": [],
        "reports": str(folder / "reports"),
        **{name: str(folder / file) for name, file in names.items()},
    }


def train(folder, *runs):
    """Run trainings in one process of its own in `folder`; returns what happened in each."""
    (folder / "runs.json").write_text(json.dumps(runs))
    process = subprocess.run(
        [sys.executable, str(ROOT / "tests/contract/unsloth_runs.py"), folder / "runs.json", folder / "found.json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "scripts"), "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert process.returncode == 0, (process.stdout + process.stderr)[-6000:]
    return json.loads((folder / "found.json").read_text())


def history(given):
    return [
        {key: float(value) for key, value in row.items() if value != ""}
        for row in csv.DictReader(open(given["history"]))
    ]


@pytest.fixture(scope="module")
def qwen2(tmp_path_factory):
    """A Qwen2 trained with transformers' rollouts, and again from its checkpoint: (arguments, what happened), twice."""
    folder = tmp_path_factory.mktemp("qwen2")
    model = make_model(folder / "model", "qwen2")
    first = arguments(folder / "first", model, "qwen2.5-1.5b", steps=1, changes=TRANSFORMERS)
    again = first | {name: first[name].replace("first", "again") for name in ("adapter", "history", "arguments")}
    (folder / "again").mkdir()
    return list(zip([first, again], train(folder, {"arguments": first}, {"arguments": again}), strict=True))


def test_divergence_is_that_of_plain_peft(qwen2):
    """The logged KL(policy || base) is what transformers and PEFT, without Unsloth, make of the saved adapter."""
    import torch
    from backends.tokenizer import load_tokenizer, token_ids
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    (given, found), _ = qwen2
    assert found["error"] is None
    rows = history(given)
    assert [row["step"] for row in rows] == [1, 2] and any(row["grad_norm"] > 0 for row in rows)
    base = AutoModelForCausalLM.from_pretrained(given["model"], dtype=torch.float32)
    policy = PeftModel.from_pretrained(base, given["adapter"]).eval()
    tokenizer = load_tokenizer(given["model"])
    total, tokens = 0.0, 0
    for chat, completion in list(zip(*found["rollouts"][-1], strict=True))[:2]:
        prompt = token_ids(tokenizer, [chat])[0]
        ids = torch.tensor([[*prompt, *completion]])
        with torch.no_grad():
            ours = policy(ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
            with policy.disable_adapter():
                theirs = policy(ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        total, tokens = total + (ours.exp() * (ours - theirs)).sum().item(), tokens + len(completion)
    assert rows[-1]["kl"] == pytest.approx(total / tokens, rel=1e-3) and rows[-1]["kl"] > 0.01


def test_adapter_merges(qwen2, tmp_path):
    """It is plain LoRA, which our merge knows, in every matrix that the config names."""
    from backends.merging import merge, require_exact

    given = qwen2[0][0]
    folders = Path(given["model"]), Path(given["adapter"]), tmp_path
    assert list(merge(*folders))
    assert require_exact(*folders)["merged"] == 14


def test_resumed(qwen2):
    """The second training went on from the first one's checkpoint, after one of two steps: the same bytes."""
    (first, whole), (again, resumed) = qwen2
    assert [len(run["rollouts"]) for run in (whole, resumed)] == [2, 1]
    for name in ("adapter/adapter_model.safetensors", "history.csv"):
        one, other = (Path(given["adapter"]).parent / name for given in (first, again))
        assert one.read_bytes() == other.read_bytes(), name


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """A Llama trained with an engine's rollouts, with seeds 7, 8 and 7: [(arguments, what happened)]."""
    folder = tmp_path_factory.mktemp("llama")
    model = make_model(folder / "model", "llama")
    runs = [
        arguments(folder / str(n), model, "qwen2.5-1.5b", seed=seed, changes=SHORT) for n, seed in enumerate((7, 8, 7))
    ]
    return list(zip(runs, train(folder, *({"arguments": run} for run in runs)), strict=True))


def test_the_engine_has_the_policys_adapter(llama):
    for given, found in llama:
        assert found["error"] is None
        norms = [call["norm"] for call in found["calls"]]
        assert len(norms) == 2 and norms[0] == 0 < norms[1]
        assert [call["tensors"] for call in found["calls"]] == [14, 14]  # 7 matrices in each of 2 layers
        # The stand-in scores its completions with the policy itself: a stale adapter's scores would differ.
        assert all(row["sampling/sampling_logp_difference/max"] < 1e-3 for row in history(given))
        assert all(row["masked"] == 0 for row in history(given))  # none is so far off that it is left out


def test_seeds_matter(llama):
    """The engine seeds the process with a seed of its own, which must not decide LoRA's beginning or the rollouts."""
    first, other, again = (found for _, found in llama)
    assert first["at_first"] == again["at_first"] and first["calls"] == again["calls"]
    assert not {*first["at_first"].values()} & {*other["at_first"].values()}
    assert first["calls"][0]["drawn"] != other["calls"][0]["drawn"]


def test_nothing_in_the_working_directory(llama):
    assert not [path for path in ROOT.iterdir() if "lora" in path.name or "unsloth" in path.name]


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """The trainers of all presets, and a training that cannot learn: [(arguments, what happened)]."""
    folder = tmp_path_factory.mktemp("presets")
    model = make_model(folder / "model", "qwen2")
    # In bfloat16, as most presets ask for, and in 16 bit: bitsandbytes' kernels for a GPU are not here.
    half = {"dtype": "bfloat16", "grpo": {"bf16": True}}
    runs = [
        {"arguments": arguments(folder / name, model, name, changes=half), "only_construct": True} for name in UNSLOTH
    ]
    limits = {"limits": {"steps": 1}}
    changes, rewards = overlaid(TRANSFORMERS, limits), {"accuracy": 1.0}
    runs.append({"arguments": arguments(folder / "tied", model, UNSLOTH[0], rewards=rewards, changes=changes)})
    # On a T4: float16 weights under autocast with a gradient scaler.
    changes = overlaid(TRANSFORMERS, {"dtype": "float16", "grpo": {"fp16": True}})
    runs.append({"arguments": arguments(folder / "float16", model, "qwen2.5-1.5b-t4", changes=changes)})
    runs.append({"arguments": arguments(folder / "nf4", model, UNSLOTH[0], changes={"load_in_4bit": True})})
    return list(zip(runs, train(folder, *runs), strict=True))


def test_presets_construct_the_trainer(others):
    """With the arguments that they ask for; only the model's size and the number format differ."""
    assert len(UNSLOTH) >= 3
    constructed = others[: len(UNSLOTH)]
    assert {run["arguments"]["adapter"]: found["error"] for run, found in constructed} == {
        run["arguments"]["adapter"]: None for run, _ in constructed
    }
    assert all(found["at_first"] for _, found in constructed)


def test_a_tied_training_stops(others):
    run, found = others[len(UNSLOTH)]
    assert found["error"].startswith("error: training stopped at step 1: for 1 steps, all completions of a group got")
    assert not Path(run["arguments"]["adapter"]).exists()


def test_float16(others):
    """Unsloth's kernels and loss in float16 learn: the second of two steps has a finite gradient and a divergence."""
    run, found = others[len(UNSLOTH) + 1]
    assert found["error"] is None
    rows = history(run["arguments"])
    assert [row["step"] for row in rows] == [1, 2]
    assert all(math.isfinite(row["grad_norm"]) for row in rows) and rows[-1]["grad_norm"] > 0 and rows[-1]["kl"] > 0


def test_no_16_bit_in_place_of_4(others):
    """Unsloth goes on in 16 bit if bitsandbytes has no kernels for a GPU, as here: the training stops and says so."""
    _, found = others[-1]
    assert found["error"].startswith("error: Unsloth loaded the model in 16 bit, because bitsandbytes does not work")


def test_imitation(tmp_path):
    """Unsloth's own SFTTrainer learns from completions alone, as it was asked to, and its adapter is plain LoRA."""
    model = make_model(tmp_path / "model", "qwen2")
    given = arguments(tmp_path / "run", model, "qwen2.5-1.5b", changes=TRANSFORMERS | IMITATION)
    problems = [
        {"id": str(n), "prompt": [{"role": "user", "content": "x" * n}], "answer": str(n), "steps": []}
        | {"solution": "so"}
        for n in range(1, 9)
    ]
    Path(given["data"]).write_text("".join(json.dumps(problem) + "\n" for problem in problems))
    (found,) = train(tmp_path, {"arguments": given})
    assert found["error"] is None
    rows = history(given)
    assert [row["step"] for row in rows] == [1, 2] and all(row["grad_norm"] > 0 for row in rows)
    assert rows[-1]["num_tokens"] > rows[0]["num_tokens"] > 0
    stated = json.loads(Path(given["arguments"]).read_text())
    assert (stated["max_length"], stated["packing"], stated["train_sampling_strategy"]) == (None, False, "sequential")
