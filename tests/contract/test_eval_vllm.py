"""vLLM samples the same completions as transformers, and its samples depend only on the settings.

Needs the environment of envs/contract.txt, in which vLLM runs on a CPU: .ci/run installs it.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROMPTS = [[{"role": "user", "content": f"{a} + {b}"}] for a in range(4) for b in range(3)]
SETTINGS = {
    "dtype": "float32",
    "seed": 0,
    "batch_size": 5,
    "sampling": {"max_new_tokens": 12, "do_sample": False},
    "engine": {"max_model_len": 256, "enforce_eager": True},
}
PROGRAM = """
import json, sys
from backends import backend
from backends.decoding import decoding
from backends.tokenizer import load_tokenizer, token_ids
name, model, chats, settings, prefill = sys.argv[1:]
settings, tokenizer = json.loads(settings), load_tokenizer(model, {"prefill": prefill})
prompts, chosen = token_ids(tokenizer, json.loads(chats)), decoding(settings["sampling"], model, tokenizer)
starts = range(0, len(prompts), settings["batch_size"])
found = list(backend("eval", name).generate(model, tokenizer, prompts, settings, chosen, starts))
print("FOUND", json.dumps(found))
"""


def generate(name, model, settings, prefill="", prompts=PROMPTS):
    """A backend's samples, from a separate process."""
    arguments = [name, str(model), json.dumps(prompts), json.dumps(settings), prefill]
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=ROOT / "scripts",
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/tmp", "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"},
    )
    assert process.returncode == 0, process.stderr[-3000:]
    (line,) = [line for line in process.stdout.splitlines() if line.startswith("FOUND ")]
    return json.loads(line.removeprefix("FOUND "))


@pytest.mark.parametrize("prefill", ["", "So: "])
def test_greedy(tiny_model, prefill):
    """The same texts, token counts and truncations, whatever the engine."""
    ours = generate("transformers", tiny_model, SETTINGS | {"threads": 2}, prefill)
    assert generate("vllm", tiny_model, SETTINGS, prefill) == ours
    assert len(ours) == len(PROMPTS)


def test_what_is_set_exists():
    """What backends/eval_vllm.py may give vLLM, and the presets; unknown fields would be errors on a GPU only."""
    program = """
import dataclasses, json
from vllm import EngineArgs, envs
from vllm.v1.attention.backends.registry import AttentionBackendEnum
fields = [field.name for field in dataclasses.fields(EngineArgs)]
known = [hasattr(envs, "VLLM_BATCH_INVARIANT"), "TRITON_ATTN" in AttentionBackendEnum.__members__]
print("FOUND", json.dumps([fields, *known]))
"""
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    (line,) = [line for line in process.stdout.splitlines() if line.startswith("FOUND ")]
    fields, *known = json.loads(line.removeprefix("FOUND "))
    presets = [yaml.safe_load(path.read_text()) for path in (ROOT / "config").glob("*.yaml")]
    given = {key for preset in presets for key in preset.get("eval", {}).get("engine", {})}
    assert {"attention_backend", *given} <= {*fields} and known == [True, True]


def test_sampled(tiny_model):
    """Draws differ from each other, and a second run gives them again."""
    settings = SETTINGS | {"sampling": {"max_new_tokens": 12, "do_sample": True}}
    first = generate("vllm", tiny_model, settings, prompts=PROMPTS[:1] * 6)
    assert len({text for text, *_ in first}) > 1
    assert generate("vllm", tiny_model, settings, prompts=PROMPTS[:1] * 6) == first
