"""The first hour on a GPU, piece by piece: python bench/gpu/first_hour.py --out DIR --model DIR --data DIR

Needs an environment with a GPU's packages (make gpu), a folder with SmolLM2-135M-Instruct, and a folder with GSM8K's
splits, but no network. Each piece writes DIR/<piece>.json with its measurements, the hardware and the versions, or
<piece>.txt with its error. After each one DIR/table.md has a line for every piece, and DIR/measurements.json all
numbers. Running it again continues with the pieces that have neither file, and inside the small run with its next job.
No piece starts after --seconds, and none takes longer than --limit.

- smoke: three steps with every training backend, and every evaluation engine, on a tiny model and on SmolLM2-135M.
- run: the small run of bench/gpu/small_run.yaml, by the workflow itself, to a record in results/published: the base
  model, and three seeds of each of its arms. It needs a clone without uncommitted changes, as every record does.
- noise: one policy evaluated five times with and five times without vLLM's batch-invariant mode, in batches of other
  sizes: how far scores differ although nothing changed.
- step, eval: time and memory of a GRPO step and of an evaluation, on random weights in the presets' shapes, beside the
  estimates of estimates.py. Pieces with "15GB" in their name limit PyTorch to 15 GB, as on a T4. They say nothing
  about accuracy.
- beside: the loops of TRL's and Unsloth's documentation, in the shape of the smallest preset's step.
"""

import argparse
import hashlib
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import estimates
import yaml
from estimates import config, overlaid

ROOT = Path(__file__).parents[2]
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
SHAPES = {"tiny": TINY} | estimates.shapes()
# Which backends a preset's step is measured with.
STEPS = {
    "qwen2.5-1.5b": ("unsloth_vllm", "trl_vllm"),
    "qwen2.5-1.5b-t4": ("unsloth_vllm",),
    "qwen2.5-3b-t4": ("unsloth_vllm",),
    "qwen2.5-math-7b-t4": ("unsloth_4bit_vllm",),
    "qwen2.5-math-7b": ("unsloth_vllm",),
    "llama-3.1-8b": ("unsloth_vllm",),
    "llama-3.2-1b": ("unsloth_vllm",),
    "qwen3-0.6b": ("unsloth_vllm",),
}
CAPS = {preset: (False, True) if preset.endswith(("1.5b", "-t4")) else (False,) for preset in STEPS}


SMALL_RUN = ROOT / "bench/gpu/small_run.yaml"
# What makes the small run one for a machine without a GPU, in which nothing is learned.
ON_CPU = {
    "train": {
        "dtype": "float32",
        "grpo": {"use_cpu": True, "bf16": False, "use_vllm": False, "top_k": 0, "max_completion_length": 8}
        | {"max_steps": 2, "num_generations": 2, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1},
        "sft": {"max_steps": 2, "per_device_train_batch_size": 2},
        "lora": {"layers_to_transform": None},
    },
    # Random bytes rarely answer, and a reward has to differ somewhere.
    "prompt": {"system": "", "examples": [], "format": "[^a-e]*"},
    "rewards": {"format": 1.0},
    "eval": {"backend": "transformers", "dtype": "float32", "batch_size": 8, "batch_invariant": False}
    | {"sampling": {"max_new_tokens": 8}},
    "merge": {"problems": 4},
    "probe": {"problems": 8, "batch_size": 8},
    "seeds": [0],
    "environment": "cpu",
}
# A T4 has neither bfloat16 nor batch-invariant kernels.
ON_T4 = {
    "train": {"dtype": "float16", "grpo": {"bf16": False, "fp16": True}},
    "eval": {"dtype": "float16", "batch_invariant": False},
    "environment": "t4",
}


class Failed(Exception):
    """A script failed; the message has its last lines."""


class Unfinished(Exception):
    """A piece reached its time limit and goes on when it is called again."""


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


def is_old():
    """Whether the GPU is one without bfloat16, such as a T4."""
    capability = machine()["capability"]
    return capability is not None and capability < [8, 0]


class Box:
    """The folders of the measurements, and how scripts are run in them."""

    def __init__(self, args):
        self.out, self.limit, self.cpu = args.out.absolute(), args.limit, args.cpu
        self.source, self.data = args.model.absolute(), args.data.absolute()

    def script(self, name, log, capped=False, folder="scripts", **given):
        """Run a script of the package with `given` as its arguments; returns (seconds, its output)."""
        words = [
            str(word)
            for key, value in given.items()
            for word in (f"--{key.replace('_', '-')}", json.dumps(value) if isinstance(value, dict) else value)
        ]
        start = [f"{folder}/{name}.py"]
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

    def workflow(self, log, *arguments):
        """Run Snakemake in the repository until it ends or the limit comes; it goes on where it was."""
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [str(Path(sys.executable).with_name("snakemake")), "--cores", "1", *map(str, arguments)]
        environment = os.environ | {"HF_HUB_OFFLINE": "1"}
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        began = time.monotonic()
        with log.open("a") as file:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )
            try:
                code = process.wait(self.limit)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGINT)
                process.wait()
                raise Unfinished from None
        if code:
            raise Failed(f"snakemake: {code}\n{log.read_text(errors='replace')[-6000:]}")
        return time.monotonic() - began

    def task(self):
        """The task gsm8k with its problems here; a trial without a GPU takes whatever problems there are."""
        task = config()["tasks"]["gsm8k"] | {"source": str(self.data)}
        if not self.cpu:
            return task
        size = {split: len((self.data / f"{split}.jsonl").read_text().splitlines()) for split in ("train", "test")}
        few = {"train": min(64, size["train"] - 8), "dev": 8, "test": 8}
        return task | {"size": size, "sha256": {"train": None, "test": None}, "dev": 8, "limit": few}

    def problems(self, prompt):
        """The folder with all of GSM8K, formatted for a `prompt` section: train, dev and test."""
        task = self.task()
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
                fields = SHAPES["tiny" if self.cpu else shape]
                fields = fields | ({"vocab_size": len(tokenizer)} if self.cpu else {})
                made = AutoConfig.for_model(**fields, **special, max_position_embeddings=4096)
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
        cpu = {"dtype": "float32", "grpo": {"use_cpu": True, "bf16": False, "fp16": False}}
        cpu["grpo"] |= {"gradient_checkpointing": False, "max_completion_length": 8}
        old = {"dtype": "float16", "grpo": {"bf16": False, "fp16": True}} if is_old() else {}
        return overlaid(base, {"grpo": NO_VLLM}, *changes, cpu if self.cpu else old)


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
    limits = {"limits": dict.fromkeys(("tied", "truncated", "masked", "mismatch")) | {"steps": 1}}
    settings = overlaid(settings, limits)  # random weights may be anything
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


def evaluate(box, piece, shape, engine, changes=None, limit=200, capped=False, prompt=None):
    """Evaluate on the first `limit` test problems (None: all); returns scores and tokens per second."""
    settings = overlaid(config("qwen2.5-1.5b")["eval"], {"backend": engine}, changes or {})
    if capped:
        share = settings["engine"]["gpu_memory_utilization"] * CAP_BYTES / machine()["gpu_bytes"]
        settings = overlaid(settings, {"engine": {"gpu_memory_utilization": share}})
    prompt = prompt or config("qwen2.5-1.5b")["prompt"]
    limit = 8 if box.cpu else limit
    task = box.task() | {"limit": {"test": limit} if limit else {}}
    data = box.out / "data" / f"{piece}.jsonl"
    data.write_text("".join((box.problems(prompt) / "test.jsonl").open().readlines()[:limit]))
    folder = box.out / "eval" / piece
    given = {"eval_config": settings, "prompt_config": prompt, "task": "gsm8k", "task_config": task, "data": data}
    made = {"metrics": folder / "metrics.json", "samples": folder / "samples.jsonl"}
    given |= {"checkpoints": folder / "checkpoints", "code": ROOT / "scripts/evaluate.py"}
    log = box.out / "logs" / f"{piece}.log"
    seconds, _ = box.script("evaluate", log, capped, **given, model=box.model(shape), **made)
    tokens = sum(json.loads(line)["tokens"] for line in made["samples"].open())
    metrics = json.loads(made["metrics"].read_text())
    return {"wall_s": seconds, "tokens": tokens, "tokens_per_s_with_loading": tokens / seconds, "metrics": metrics}


def small_run(box, piece):
    """The small run with its record; returns its numbers and where they are."""
    local = {"model": {"source": str(box.source), "sha256": None, "disk_gb": 1.5}}
    local = overlaid(local, {"tasks": {"gsm8k": box.task()}}, ON_CPU if box.cpu else ON_T4 if is_old() else {})
    overlay = box.out / "small_run_here.yaml"
    overlay.write_text(yaml.safe_dump(local))
    seconds = box.workflow(
        box.out / f"logs/{piece}.log", "--configfile", SMALL_RUN.relative_to(ROOT), overlay, "--", "publish"
    )
    run = yaml.safe_load(SMALL_RUN.read_text())["run"]
    record = ROOT / "results/published" / run
    results = json.loads((record / "results.json").read_text())
    stages = json.loads((record / "provenance.json").read_text())["stages"]
    return {
        "wall_s": seconds,
        "record": str(record.relative_to(ROOT)),
        "arms": {task: entry["arms"] for task, entry in results["tasks"].items()},
        "base": {task: entry["policies"]["base"]["metrics"]["scores"] for task, entry in results["tasks"].items()},
        "stages": stages,
    }


NOISE_BATCHES = (256, 239, 222, 205, 188)


def noise(box, piece, n):
    """SmolLM2 on GSM8K once more; the second five times batch-invariant, each time with another batch size."""
    own = config("smollm2-135m-gsm8k")
    batch, dtype = NOISE_BATCHES[n % 5], "float16" if is_old() else "bfloat16"
    changes = {"batch_invariant": n >= 5, "batch_size": batch, "dtype": dtype, "sampling": own["eval"]["sampling"]}
    changes["engine"] = {"max_model_len": 1024}
    if box.cpu:  # batches that the few problems of a trial fill
        return evaluate(box, piece, "tiny", "transformers", {"batch_size": 8 - n % 5, "batch_invariant": False})
    return evaluate(box, piece, "smollm2-135m", "vllm", changes, None, prompt=own["prompt"])


def beside(box, piece, loop):
    """A few steps of the loop that a library's documentation shows, in the shape of preset qwen2.5-1.5b's step."""
    train, prompt = box.settings({"grpo": {"max_steps": 4} | VLLM}), config("qwen2.5-1.5b")["prompt"]
    if box.cpu:
        train = overlaid(train, {"grpo": NO_VLLM | SHORT})
    data, out = box.out / "data" / f"{piece}.jsonl", box.out / f"beside/{piece}.json"
    data.write_text("".join((box.problems(prompt) / "train.jsonl").open().readlines()[:64]))
    out.parent.mkdir(parents=True, exist_ok=True)
    given = {"loop": loop, "model": box.model("qwen2.5-1.5b"), "data": data, "out": out}
    settings = train["grpo"] | train["lora"] | {"prompt_tokens": estimates.LONGEST_PROMPT}
    log = box.out / "logs" / f"{piece}.log"
    seconds, _ = box.script("side_by_side", log, folder="bench/gpu", **given, settings=settings)
    return {"wall_s": seconds, "settings": settings} | json.loads(out.read_text())


def noise_floor(out):
    """`{mode: {scores, range, problems, differing}}`: how far evaluations of one policy differ; only what is there.

    `differing` is the number of problems of which a completion differs from the first evaluation's.
    """
    found = {}
    for mode in ("any", "invariant"):
        pieces = [f"noise-{mode}-{n}" for n in range(len(NOISE_BATCHES)) if (out / f"noise-{mode}-{n}.json").exists()]
        if len(pieces) < 2:
            continue
        texts = [
            [json.loads(line)["completion"] for line in (out / f"eval/{name}/samples.jsonl").open()] for name in pieces
        ]
        scores = [
            json.loads((out / f"{name}.json").read_text())["measured"]["metrics"]["scores"]["strict"]["value"]
            for name in pieces
        ]
        differing = sum(any(of[i] != texts[0][i] for of in texts) for i in range(len(texts[0])))
        found[mode] = {"scores": scores, "range": max(scores) - min(scores)}
        found[mode] |= {"problems": len(texts[0]), "differing": differing}
    return found


estimated = cache(estimates.rows)


def expected(name):
    """The estimates for a piece in a preset's shape: `{step, bytes}` or `{evaluate}`; empty for other pieces."""
    if not (match := re.match(r"(step|eval)-(.+?)(?:-(?:trl|unsloth)\w*)?(?:-15GB)?$", name)):
        return {}
    row = estimated()[match[2]]
    return {key: row[key] for key in (("step", "bytes") if match[1] == "step" else ("evaluate",))} | {
        "card": row["card"]
    }


def summary(out, names):
    """Write measurements.json: every piece's measurements or error, the estimates beside them, and the noise floor."""
    pieces = {}
    for name in names:
        done, failed = out / f"{name}.json", out / f"{name}.txt"
        if done.exists():
            pieces[name] = json.loads(done.read_text()) | {"estimate": expected(name)}
        elif failed.exists():
            pieces[name] = {"piece": name, "error": failed.read_text()}
    value = {"machine": machine(), "pieces": pieces, "noise_floor": noise_floor(out)}
    (out / "measurements.json").write_text(json.dumps(value, indent=2) + "\n")
    return value


def table(out, names):
    """Write table.md: for each piece seconds a step or in all, tokens a second, memory, exact match, or its error."""
    value, lines = summary(out, names), []
    lines += [
        "| piece | s | estimated s | tokens/s | GPU GB | estimated GB | exact match % |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in names:
        piece = value["pieces"].get(name, {})
        if "measured" in piece:
            found, guess = piece["measured"], piece["estimate"]
            steps = found.get("step_s") or [found["wall_s"]]
            peak = (found.get("memory") or {}).get("peak_bytes")
            strict = found.get("metrics", {}).get("scores", {}).get("strict", {}).get("value")
            cells = [sorted(steps)[len(steps) // 2], guess.get("step", guess.get("evaluate"))]
            cells += [found.get("tokens_per_s_with_loading"), peak and peak / 1e9]
            cells += [guess["bytes"] / 1e9 if "bytes" in guess else None, None if strict is None else 100 * strict]
            lines.append(f"| {name} | " + " | ".join("" if cell is None else f"{cell:.2f}" for cell in cells) + " |")
        else:
            error = piece["error"].strip().splitlines()[-1][:150] if "error" in piece else "not measured"
            lines.append(f"| {name} | {error.replace('|', '/')} | | | | | |")
    lines += ["", "Estimates are for the cards of estimates.py."]
    for mode, floor in value["noise_floor"].items():
        lines.append(
            f"Noise floor, {'batch-invariant' if mode == 'invariant' else 'any batches'}: "
            f"{len(floor['scores'])} evaluations of one policy, exact match {100 * min(floor['scores']):.2f} to "
            f"{100 * max(floor['scores']):.2f} %; {floor['differing']} of {floor['problems']} completions differ."
        )
    run = value["pieces"].get("run", {}).get("measured")
    lines += [f"The small run's record: {run['record']}"] if run else []
    (out / "table.md").write_text("\n".join(lines) + "\n")


SHORT = {"max_steps": 3, "max_completion_length": 64, "num_generations": 4, "per_device_train_batch_size": 4}
SHORT |= {"gradient_accumulation_steps": 2, "warmup_steps": 0}


def pieces(cpu=False):
    """`{name: function of (box, name)}`, the most valuable first."""
    smoke = {"grpo": SHORT}
    found = {}
    for shape in ("tiny", "smollm2-135m"):
        for backend in BACKENDS:
            found[f"smoke-{shape}-{backend}"] = partial(train, shape=shape, backend=backend, changes=smoke, limit=64)
        for engine in ("transformers", "vllm"):
            found[f"smoke-{shape}-eval_{engine}"] = partial(evaluate, shape=shape, engine=engine, limit=64)
    found["run"] = small_run
    # On a CPU all the same pieces, which then need neither a GPU nor its packages, in a shape that is not the preset's.
    few = {"grpo": NO_VLLM | SHORT if cpu else {"max_steps": 4}}
    for n in range(10):
        found[f"noise-{'any' if n < 5 else 'invariant'}-{n % 5}"] = partial(noise, n=n)
    for preset, backends in STEPS.items():
        own = config(preset)
        for backend in backends:
            changes = overlaid(own["train"], BACKENDS["trl" if cpu else backend], few)
            changes |= {"load_in_4bit": False} if cpu else {}
            for capped in (False,) if cpu else CAPS[preset]:
                name = f"step-{preset}-{backend}{'-15GB' if capped else ''}"
                found[name] = partial(train, shape=preset, backend=backend, changes=changes, limit=64, capped=capped)
        evaluation, engine = own["eval"], "vllm"
        if cpu:
            engine, evaluation = "transformers", overlaid(ON_CPU["eval"], {"engine": {}})
        for capped in (False,) if cpu else CAPS[preset]:
            name = f"eval-{preset}{'-15GB' if capped else ''}"
            found[name] = partial(evaluate, shape=preset, engine=engine, changes=evaluation, capped=capped)
    for loop in ("trl", "unsloth"):
        found[f"beside-{loop}"] = partial(beside, loop=loop)
    return found


def main(args):
    box, began = Box(args), time.monotonic()
    chosen = {name: piece for name, piece in pieces(args.cpu).items() if re.search(args.only, name)}
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
        except Unfinished:
            raise SystemExit(
                f"{n - 1} of {len(chosen)} pieces done, and {name} begun: run again for the rest"
            ) from None
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
    parser.add_argument("--cpu", action="store_true", help="try this program without a GPU, on tiny models")
    main(parser.parse_args())
