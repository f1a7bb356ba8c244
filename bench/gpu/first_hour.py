"""Measurements that need a GPU, piece by piece: python bench/gpu/first_hour.py --out DIR --model DIR --data DIR

Needs the packages of envs/gpu.txt (except Snakemake), a folder with SmolLM2-135M-Instruct, and a folder with GSM8K's
splits, but no network. Each piece writes DIR/<piece>.json with its measurements, the hardware and the versions, or
<piece>.txt with its error, and DIR/table.md then has a line for each. Running it again continues with the pieces
that have neither file. No piece starts after --seconds, and none takes longer than --limit.

- smoke: three steps with every training backend, and every evaluation engine, on a tiny model and on SmolLM2-135M.
- gsm8k: SmolLM2-135M on all of GSM8K: the base model, and three seeds that are trained, merged and evaluated.
- noise: one policy evaluated five times with and five times without vLLM's batch-invariant mode, in batches of other
  sizes: how far scores differ although nothing changed.
- step, eval: time and memory of a GRPO step and of an evaluation, on random weights in the presets' shapes. Pieces with
  "15GB" in their name limit PyTorch to 15 GB, as on a T4. They say nothing about accuracy.
"""

import argparse
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
PACKAGES = "torch transformers trl peft vllm unsloth unsloth_zoo bitsandbytes accelerate datasets triton".split()
# Limits a script to a share of the GPU's memory.
CAPPED = """
import runpy, sys, torch
torch.cuda.set_per_process_memory_fraction({share})
sys.path.insert(0, "scripts")
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
CAP_BYTES = 15e9

VLLM = {"use_vllm": True, "top_k": -1}  # all tokens, as vLLM writes it and, below, transformers
NO_VLLM = {"use_vllm": False, "top_k": 0}
BACKENDS = {
    "trl": {"backend": "trl"},
    "trl_4bit": {"backend": "trl", "load_in_4bit": True},
    "trl_vllm": {"backend": "trl", "grpo": VLLM},
    "unsloth": {"backend": "unsloth"},
    "unsloth_4bit": {"backend": "unsloth", "load_in_4bit": True},
    "unsloth_vllm": {"backend": "unsloth", "grpo": VLLM},
    "unsloth_4bit_vllm": {"backend": "unsloth", "load_in_4bit": True, "grpo": VLLM},
}
TINY = {"model_type": "llama", "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2}
TINY |= {"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 49152, "tie_word_embeddings": True}
QWEN = {"model_type": "qwen2", "num_hidden_layers": 28, "rms_norm_eps": 1e-6, "rope_theta": 1e6}
SHAPES = {
    "tiny": TINY,
    "qwen2.5-3b-t4": QWEN
    | {"hidden_size": 2048, "intermediate_size": 11008, "num_attention_heads": 16, "num_key_value_heads": 2}
    | {"num_hidden_layers": 36, "vocab_size": 151936, "tie_word_embeddings": True},
    "qwen2.5-1.5b": QWEN
    | {"hidden_size": 1536, "intermediate_size": 8960, "num_attention_heads": 12, "num_key_value_heads": 2}
    | {"vocab_size": 151936, "tie_word_embeddings": True},
    "qwen2.5-math-7b": QWEN
    | {"hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28, "num_key_value_heads": 4}
    | {"vocab_size": 152064, "tie_word_embeddings": False},
    "llama-3.1-8b": {"model_type": "llama", "num_hidden_layers": 32, "rope_theta": 5e5, "rms_norm_eps": 1e-5}
    | {"hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8}
    | {"vocab_size": 128256, "tie_word_embeddings": False},
}

SHAPES["qwen2.5-math-7b-t4"] = SHAPES["qwen2.5-math-7b"]
# Which backends a preset's step is measured with.
STEPS = {
    "qwen2.5-1.5b": ("unsloth_vllm", "trl_vllm"),
    "qwen2.5-3b-t4": ("unsloth_vllm",),
    "qwen2.5-math-7b-t4": ("unsloth_4bit_vllm",),
    "qwen2.5-math-7b": ("unsloth_vllm",),
    "llama-3.1-8b": ("unsloth_vllm",),
}
CAPS = {preset: (False, True) if preset.endswith(("1.5b", "-t4")) else (False,) for preset in STEPS}


class Failed(Exception):
    """A script failed; the message has its last lines."""


def overlaid(base, *overlays):
    """`base` with the overlays merged into it, as Snakemake merges configs."""
    for overlay in overlays:
        base = base | {k: overlaid(base[k], v) if isinstance(v, dict) and k in base else v for k, v in overlay.items()}
    return base


def config(*names):
    """The default config with the named overlays of config/."""
    return overlaid(*(yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()) for name in ("config", *names)))


def machine():
    """The hardware and package versions."""
    import torch

    versions = {"python": platform.python_version(), "cuda": torch.version.cuda}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    gpu = torch.cuda.get_device_properties(0) if torch.cuda.is_available() else None
    return {
        "gpu": gpu and gpu.name,
        "gpu_bytes": gpu and gpu.total_memory,
        "capability": gpu and [gpu.major, gpu.minor],
        "cpus": os.cpu_count(),
        "versions": versions,
    }


class Box:
    """The folders of the measurements, and how scripts are run in them."""

    def __init__(self, args):
        self.out, self.limit, self.cpu = args.out.absolute(), args.limit, args.cpu
        self.source, self.data = args.model.absolute(), args.data.absolute()

    def script(self, name, log, capped=False, **given):
        """Run a script of the package with `given` as its arguments; returns (seconds, its output)."""
        words = [
            str(word)
            for key, value in given.items()
            for word in (f"--{key.replace('_', '-')}", json.dumps(value) if isinstance(value, dict) else value)
        ]
        start = [f"scripts/{name}.py"]
        if capped:
            start = ["-c", CAPPED.format(share=CAP_BYTES / machine()["gpu_bytes"]), *start]
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
        began = time.monotonic()
        with log.open("w") as file:
            command = [sys.executable, *start, *words]
            run = partial(subprocess.run, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT)
            try:
                code = run(command, timeout=self.limit).returncode
            except subprocess.TimeoutExpired:
                code = f"not finished after {self.limit} s"
        if code:
            raise Failed(f"{name}: {code}\n{log.read_text(errors='replace')[-6000:]}")
        return time.monotonic() - began, log.read_text(errors="replace")

    def problems(self, prompt):
        """The folder with all of GSM8K, formatted for a `prompt` section: train, dev and test."""
        task = config()["tasks"]["gsm8k"] | {"source": str(self.data)}
        folder = self.out / "data" / hashlib.sha256(json.dumps(prompt).encode()).hexdigest()[:8]
        if not (folder / "test.jsonl").exists():
            (folder / "raw").mkdir(parents=True, exist_ok=True)
            raw = {"train": folder / "raw/train.jsonl", "test": folder / "raw/test.jsonl"}
            sums = folder / "raw/SHA256SUMS"
            self.script("download_data", folder / "download_data.log", task_config=task, sums=sums, **raw)
            made = {split: folder / f"{split}.jsonl" for split in ("train", "dev", "test")}
            given = {"raw_train": raw["train"], "raw_test": raw["test"], "sums": folder / "SHA256SUMS"}
            self.script(
                "format_task", folder / "format_task.log", prompt_config=prompt, task_config=task, **given, **made
            )
        return folder

    def model(self, shape):
        """The folder of SmolLM2, or of a model in another shape with seeded random weights and SmolLM2's tokenizer."""
        if shape == "smollm2-135m":
            return self.source
        folder = self.out / "models" / shape
        if not (folder / "tokenizer_config.json").exists():
            import torch
            from stage.checksums import seal
            from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(self.source)
            torch.manual_seed(0)
            special = {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": None, "pad_token_id": None}
            with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
                made = AutoConfig.for_model(**SHAPES[shape], **special, max_position_embeddings=4096)
                AutoModelForCausalLM.from_config(made, dtype=torch.float16).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            seal(folder)
        return folder

    def training(self, piece):
        """A training's outputs, and its checkpoints, from which a second call resumes."""
        folder = self.out / "training" / piece
        files = {"history": "history.csv", "arguments": "arguments.json", "environment": "environment.json"}
        files |= {"gpu_memory": "gpu_memory.json", "checkpoints": "checkpoints"}
        often = {"code": ROOT / "scripts/train.py", "checkpoint_steps": 0, "checkpoint_minutes": 10}
        paths = {name: folder / file for name, file in files.items()}
        return {"adapter": self.out / "adapters" / piece} | paths | often

    def settings(self, *changes):
        """Section `train` of preset qwen2.5-1.5b with changes, adapted to this machine."""
        base = config("qwen2.5-1.5b")["train"]
        cpu = {"dtype": "float32", "grpo": {"use_cpu": True, "bf16": False, "gradient_checkpointing": False}}
        return overlaid(base, {"grpo": NO_VLLM}, *changes, cpu if self.cpu else {})


def steps(output):
    """Seconds of each step, as TRL logged them."""
    return [float(value) for value in re.findall(r"'step_time': '?([\d.e+-]+)", output)]


def train(box, piece, shape, backend, changes=None, limit=None, capped=False, prompt=None):
    """Train for a few steps; returns the seconds of each, tokens, reward and GPU memory."""
    prompt = prompt or config("qwen2.5-1.5b")["prompt"]
    problems, data = box.problems(prompt) / "train.jsonl", box.out / "data" / f"{piece}.jsonl"
    data.write_text("".join(problems.open().readlines()[:limit]))
    settings = box.settings(BACKENDS[backend], changes or {})
    if capped:  # vLLM counts its share of the whole GPU
        share = settings["grpo"]["vllm_gpu_memory_utilization"] * CAP_BYTES / machine()["gpu_bytes"]
        settings = overlaid(settings, {"grpo": {"vllm_gpu_memory_utilization": share}})
    rewards = {"accuracy": 1.0, "format": 0.2, "steps": 0.0, "random": 1.0}
    given = {"train_config": settings, "rewards_config": rewards, "prompt_config": prompt, "seed": 0, "source": shape}
    given |= {"model": box.model(shape), "data": data} | box.training(piece)
    seconds, output = box.script("train", box.out / "logs" / f"{piece}.log", capped, **given)
    return {
        "settings": settings,
        "wall_s": seconds,
        "step_s": steps(output),
        "estimate": re.findall(r"GPU memory, estimated: .*", output),
        "memory": json.loads(given["gpu_memory"].read_text()),
        "history": given["history"].read_text(),
    }


def evaluate(box, piece, shape, engine, changes=None, limit=200, capped=False, model=None, prompt=None):
    """Evaluate on the first `limit` test problems (None: all); returns scores and tokens per second."""
    settings = overlaid(config("qwen2.5-1.5b")["eval"], {"backend": engine}, changes or {})
    if capped:
        share = settings["engine"]["gpu_memory_utilization"] * CAP_BYTES / machine()["gpu_bytes"]
        settings = overlaid(settings, {"engine": {"gpu_memory_utilization": share}})
    prompt = prompt or config("qwen2.5-1.5b")["prompt"]
    task = config()["tasks"]["gsm8k"] | {"limit": {"test": limit} if limit else {}}
    data = box.out / "data" / f"{piece}.jsonl"
    data.write_text("".join((box.problems(prompt) / "test.jsonl").open().readlines()[:limit]))
    folder = box.out / "eval" / piece
    given = {"eval_config": settings, "prompt_config": prompt, "task": "gsm8k", "task_config": task, "data": data}
    made = {"metrics": folder / "metrics.json", "samples": folder / "samples.jsonl"}
    given |= {"checkpoints": folder / "checkpoints", "code": ROOT / "scripts/evaluate.py"}
    log = box.out / "logs" / f"{piece}.log"
    seconds, _ = box.script("evaluate", log, capped, **given, model=model or box.model(shape), **made)
    tokens = sum(json.loads(line)["tokens"] for line in made["samples"].open())
    metrics = json.loads(made["metrics"].read_text())
    return {"wall_s": seconds, "tokens": tokens, "tokens_per_s_with_loading": tokens / seconds, "metrics": metrics}


RECIPE = config("smollm2-135m-gsm8k")
STUDY = {"lora": RECIPE["train"]["lora"], "grpo": RECIPE["train"]["grpo"] | {"use_cpu": False, "bf16": True} | VLLM}


def study(box, piece, seed):
    """Train SmolLM2 on all of GSM8K with one seed, merge it, and evaluate it on all 1,319 test problems."""
    changes = overlaid({"backend": "trl", "dtype": "bfloat16"}, STUDY)
    outputs, merged = box.training(piece), box.out / "models" / piece
    adapter = outputs["adapter"]
    settings, model = box.settings(changes), box.model("smollm2-135m")
    problems = box.problems(RECIPE["prompt"])
    given = {"train_config": settings, "rewards_config": RECIPE["rewards"], "prompt_config": RECIPE["prompt"]}
    given |= {"seed": seed, "source": RECIPE["model"]["source"], "model": model, "data": problems / "train.jsonl"}
    given |= outputs
    seconds, output = 0.0, ""
    if not adapter.exists():
        seconds, output = box.script("train", box.out / "logs" / f"{piece}-train.log", **given)
    log = box.out / "logs" / f"{piece}-merge.log"
    box.script("merge_lora", log, merge_config=RECIPE["merge"], model=model, adapter=adapter, merged=merged)
    return {
        "train_s": seconds,
        "step_s": steps(output),
        "history": outputs["history"].read_text(),
        "evaluation": study_base(box, piece, merged),
    }


def study_base(box, piece, model=None, changes=None):
    """Evaluate SmolLM2, or the model in folder `model`, on all of GSM8K's test problems with vLLM."""
    whole = {"sampling": RECIPE["eval"]["sampling"], "dtype": "bfloat16", "engine": {"max_model_len": 1024}}
    changes = whole | (changes or {})
    model = model or box.model("smollm2-135m")
    return evaluate(box, piece, "smollm2-135m", "vllm", changes, None, model=model, prompt=RECIPE["prompt"])


def noise(box, piece, n):
    """The base model on GSM8K once more; the second five times batch-invariant, each time with another batch size."""
    changes = {"batch_invariant": n >= 5, "batch_size": 256 - 17 * (n % 5)}
    if box.cpu:
        return evaluate(box, piece, "tiny", "transformers", {"batch_size": 8 - n % 5, "batch_invariant": False}, 8)
    return study_base(box, piece, changes=changes)


def table(out, names):
    """Write table.md: for each piece seconds a step or in all, tokens a second, memory, exact match, or its error."""
    lines = ["| piece | s | tokens/s | GPU GB | exact match % |", "|---|---|---|---|---|"]
    for name in names:
        done, failed = out / f"{name}.json", out / f"{name}.txt"
        if done.exists():
            found = json.loads(done.read_text())["measured"]
            score = found.get("evaluation", found)
            steps = found.get("step_s") or [found.get("wall_s") or score["wall_s"]]
            peak = (found.get("memory") or {}).get("peak_bytes")
            strict = score.get("metrics", {}).get("scores", {}).get("strict", {}).get("value")
            cells = [sorted(steps)[len(steps) // 2], score.get("tokens_per_s_with_loading"), peak and peak / 1e9]
            cells += [strict and 100 * strict]
            lines.append(f"| {name} | " + " | ".join("" if cell is None else f"{cell:.2f}" for cell in cells) + " |")
        else:
            error = failed.read_text().strip().splitlines()[-1][:150] if failed.exists() else "not measured"
            lines.append(f"| {name} | {error} | | | |")
    (out / "table.md").write_text("\n".join(lines) + "\n")


def pieces():
    """`{name: function of (box, name)}`, the most valuable first."""
    short = {"max_steps": 3, "max_completion_length": 64, "num_generations": 4, "per_device_train_batch_size": 4}
    smoke = {"grpo": short | {"gradient_accumulation_steps": 2}}
    found = {}
    for shape in ("tiny", "smollm2-135m"):
        for backend in BACKENDS:
            found[f"smoke-{shape}-{backend}"] = partial(train, shape=shape, backend=backend, changes=smoke, limit=64)
        for engine in ("transformers", "vllm"):
            found[f"smoke-{shape}-eval_{engine}"] = partial(evaluate, shape=shape, engine=engine, limit=64)
    found["gsm8k-base"] = study_base
    for seed in range(3):
        found[f"gsm8k-grpo-seed{seed}"] = partial(study, seed=seed)
    few = {"grpo": {"max_steps": 4}}
    for n in range(10):
        found[f"noise-{'any' if n < 5 else 'invariant'}-{n % 5}"] = partial(noise, n=n)
    for preset, backends in STEPS.items():
        own = config(preset)
        for backend in backends:
            changes = overlaid(own["train"], few, BACKENDS[backend])
            for capped in CAPS[preset]:
                name = f"step-{preset}-{backend}{'-15GB' if capped else ''}"
                found[name] = partial(train, shape=preset, backend=backend, changes=changes, limit=64, capped=capped)
        for capped in CAPS[preset]:
            name = f"eval-{preset}{'-15GB' if capped else ''}"
            found[name] = partial(evaluate, shape=preset, engine="vllm", changes=own["eval"], capped=capped)
    return found


def main(args):
    box, began = Box(args), time.monotonic()
    chosen = {name: piece for name, piece in pieces().items() if re.search(args.only, name)}
    for n, (name, piece) in enumerate(chosen.items(), 1):
        done, failed = box.out / f"{name}.json", box.out / f"{name}.txt"
        if done.exists() or (failed.exists() and not args.retry):
            continue
        if time.monotonic() - began > args.seconds:
            raise SystemExit(f"{n - 1} of {len(chosen)} pieces done: run again for the rest")
        print(f"{n} of {len(chosen)}: {name}", flush=True)
        box.out.mkdir(parents=True, exist_ok=True)
        try:
            measured = piece(box, name)
        except Failed as error:
            failed.write_text(str(error))
            print(f"  failed: {str(error).strip().splitlines()[-1][:200]}", flush=True)
        else:
            failed.unlink(missing_ok=True)
            done.write_text(json.dumps({"piece": name, "machine": machine(), "measured": measured}, indent=2) + "\n")
        table(box.out, chosen)
    table(box.out, chosen)
    print(f"all {len(chosen)} pieces done: {box.out}/table.md")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=Path, help="folder to write to, or to continue in")
    parser.add_argument("--model", required=True, type=Path, help="directory of SmolLM2-135M-Instruct")
    parser.add_argument("--data", required=True, type=Path, help="directory with GSM8K's train.jsonl and test.jsonl")
    parser.add_argument("--only", default="", help="only pieces whose names match this regular expression")
    parser.add_argument("--retry", action="store_true", help="try failed pieces again")
    parser.add_argument("--seconds", type=float, default=420, help="start no new piece after this many seconds")
    parser.add_argument("--limit", type=float, default=540, help="stop a script after this many seconds")
    parser.add_argument("--cpu", action="store_true", help="try this program without a GPU: only backend trl")
    main(parser.parse_args())
