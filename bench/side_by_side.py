"""This workflow beside the tools that it stands for, in one call, on one machine: medians and ratios.

    python bench/side_by_side.py [--run smollm2-135m-words] >side_by_side.json     # about an hour on two quiet cores
    python bench/side_by_side.py --table side_by_side.json                       # the same as a table in Markdown

Reads a finished run. A GRPO step here and by TRL's GRPOTrainer as its examples make it, with the same model, prompts,
batch, lengths and rewards; evaluation here and by lm-evaluation-harness (bench/lm_eval_parity.py installs it) on the
same problems, with its best batch size; and the share of this machine's matrix peak that a step reaches, where the peak
is the fastest float32 product of square matrices, and a step's operations are those that torch counts in its matrix
products. Parts `planning` and `growth` are bench/measure_planning.py and bench/measure_growth.py.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
SIDES = ("here", "trl")
PARTS = ("step", "evaluation", "planning", "growth")


def made_trainer(run, side, steps):
    """A GRPOTrainer of a run's settings for so many steps: as the stage makes it, or as TRL's examples do."""
    import tasks
    from backends.decoding import inherit_nothing, stop_tokens
    from backends.determinism import fix
    from backends.tokenizer import load_tokenizer
    from backends.train_trl import load
    from reasoning.training import training_problems
    from stage.files import read_json, read_jsonl
    from trainers import Training, configured, grpo

    config, model = read_json(run / "config.json"), run / "models/base"
    settings, prompt = config["train"], config["prompt"]
    settings["grpo"]["max_steps"] = steps
    fix(0, settings["threads"])
    problems = training_problems(read_jsonl(run / f"data/{config['task']}/train.jsonl"), settings["problems"], 0)
    own = {"output_dir": tempfile.mkdtemp(), "seed": 0, "data_seed": 0, "logging_steps": 1, "report_to": []}
    own["save_strategy"] = "no"
    answer = tasks.load(config["tasks"][config["task"]]).answer
    training = Training(settings, prompt, config["rewards"], 0, problems, None, model, own, answer)
    if side == "here":
        chats = [problem["prompt"] for problem in problems]
        policy, tokenizer, extra = load(model, chats, settings, prompt, Path(own["output_dir"]))
        policy = inherit_nothing(policy, eos_token_id=stop_tokens(model, tokenizer))
        return grpo.make(policy, tokenizer, training, extra)[0]
    from collections import deque

    from datasets import Dataset
    from peft import LoraConfig
    from reasoning.rewards import reward_functions
    from reasoning.training import arguments
    from transformers import AutoModelForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    functions, weights = reward_functions(config["rewards"], prompt, 0, deque(maxlen=1), answer)
    rows = [{key: problem[key] for key in ("prompt", "answer", "steps")} for problem in problems]
    return GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=settings["dtype"]),
        processing_class=load_tokenizer(model, prompt),
        reward_funcs=functions,
        args=configured(GRPOConfig, own | {"reward_weights": weights}, arguments(settings))[0],
        train_dataset=Dataset.from_list(rows),
        peft_config=LoraConfig(task_type="CAUSAL_LM", **settings["lora"]),
    )


def train(run, side, steps, count):
    """`{step_s, rewards, flops}` of a training; `count` says whether to count its operations, which takes time."""
    from contextlib import nullcontext

    from torch.utils.flop_counter import FlopCounterMode
    from transformers import TrainerCallback

    times = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_, **__):
            self.start = time.monotonic()

        def on_step_end(self, *_, **__):
            times.append(time.monotonic() - self.start)

    trainer = made_trainer(run, side, steps)
    trainer.add_callback(Clock())
    with FlopCounterMode(display=False) if count else nullcontext() as counted:
        trainer.train()
    rewards = [row["reward"] for row in trainer.state.log_history if "reward" in row]
    return {"step_s": times, "rewards": rewards, "flops": counted.get_total_flops() if count else None}


def evaluate(run, limit):
    """`{seconds, completions}` of the base model's first so many problems, with its loading."""
    from backends import backend
    from backends.decoding import decoding
    from backends.determinism import fix
    from backends.tokenizer import load_tokenizer, token_ids
    from reasoning.overrides import of_task
    from stage.files import read_json, read_jsonl

    config, model = read_json(run / "config.json"), run / "models/base"
    settings, prompt = of_task(config, "eval", config["task"]), of_task(config, "prompt", config["task"])
    problems = read_jsonl(run / f"data/{config['task']}/{settings['split']}.jsonl")[:limit]
    fix(settings["seed"], settings["threads"])
    start, tokenizer = time.monotonic(), load_tokenizer(model, prompt)
    prompts = token_ids(tokenizer, [problem["prompt"] for problem in problems])
    how, starts = decoding(settings["sampling"], model, tokenizer), range(0, len(prompts), settings["batch_size"])
    made = backend("eval", settings["backend"]).generate(model, tokenizer, prompts, settings, how, starts)
    completions = {problem["id"]: text for problem, (text, _, _) in zip(problems, made, strict=True)}
    return {"seconds": time.monotonic() - start, "completions": completions}


def matrix_peak(threads):
    """Operations a second in the fastest of ten float32 products of square matrices, of several sizes."""
    import torch

    torch.set_num_threads(threads)
    best = 0.0
    for size in (512, 1024, 2048):
        a, b = torch.rand(size, size), torch.rand(size, size)
        for _ in range(10):
            start = time.monotonic()
            a @ b
            best = max(best, 2 * size**3 / (time.monotonic() - start))
    return best


def apart(run, *worker):
    """What a worker of this program prints last, run in a process of its own, and its peak memory in GB."""
    command = [sys.executable, __file__, "--run-folder", str(run), "--worker", *map(str, worker)]
    program = f"import resource, subprocess, sys; subprocess.run({command!r}, check=True); "
    program += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    process = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)
    if process.returncode:
        sys.exit(f"error: {' '.join(map(str, worker))} did not end: its output is above")
    *_, line, peak = process.stdout.splitlines()
    return json.loads(line) | {"peak_gb": round(int(peak) * 1024 / 1e9, 2)}


def steps_of(args, run):
    """The steps of both sides; the first one of each also allocates, and does not count."""
    made = {side: apart(run, "train", side, args.steps + 1) for side in SIDES}
    found = {
        side: {
            "step_s": round(statistics.median(each["step_s"][1:]), 2),
            "peak_gb": each["peak_gb"],
            "rewards": [round(reward, 4) for reward in each["rewards"]],
        }
        for side, each in made.items()
    }
    flops, peak = apart(run, "count", 1)["flops"], apart(run, "peak")["peak"]
    seconds = {side: found[side]["step_s"] for side in SIDES}
    return found | {
        "ratio": round(seconds["trl"] / seconds["here"], 2),
        "matrix_peak_gflops": round(peak / 1e9, 1),
        "step_gflop": round(flops / 1e9, 1),
        "share_of_peak": round(flops / seconds["here"] / peak, 3),
    }


def evaluations_of(args, run):
    """Problems a second of both sides, and how many answers they extract alike."""
    import tasks
    from lm_eval_parity import harness
    from stage.files import read_json

    config, here = read_json(run / "config.json"), [apart(run, "evaluate", args.limit) for _ in range(args.repeat)]
    task, seconds, theirs = config["task"], {}, {}
    subprocess.run(["snakemake", "--cores", "1", "--", f"{run}/lm_eval/{task}.yaml"], check=True, stdout=sys.stderr)
    for size in args.batch_sizes:
        of = SimpleNamespace(run=run.name, task=task, limit=args.limit, lm_eval=args.lm_eval, batch_size=size)
        with tempfile.TemporaryDirectory() as folder:
            start = time.monotonic()
            theirs = harness(of, folder)
            seconds[size] = time.monotonic() - start
    best, mine = min(seconds, key=seconds.get), statistics.median(each["seconds"] for each in here)
    texts, extractors = here[0]["completions"], tasks.load(config["tasks"][task]).answer.EXTRACTORS
    alike = {
        name: sum(
            (extractors[name](texts[i], config["prompt"]["answer"]) or "[invalid]") == values[name][1]
            for i, values in theirs.items()
        )
        for name in ("strict", "flexible")
    }
    return {
        "problems": args.limit,
        "here": {"problems_per_s": round(args.limit / mine, 2), "peak_gb": here[0]["peak_gb"]},
        "lm_eval": {"problems_per_s": round(args.limit / seconds[best], 2), "batch_size": best},
        "lm_eval_s_by_batch_size": {size: round(value, 1) for size, value in seconds.items()},
        "ratio": round(seconds[best] / mine, 2),
        "answers_alike": alike,
    }


def other(name, *arguments):
    """What another program of this folder prints."""
    command = [sys.executable, ROOT / "bench" / name, *arguments]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=ROOT).stdout)


def table(found):
    """The measurements as a table in Markdown."""
    step, evaluation, machine = found["step"], found["evaluation"], found["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    lines = ["| measured | here | elsewhere | ratio |", "|---|---|---|---|"]
    if step:
        here, there = ("{step_s} s, {peak_gb} GB".format(**step[side]) for side in SIDES)
        lines += [f"| GRPO step | {here} | TRL: {there} | {step['ratio']} |"]
        lines += [f"| share of the matrix peak ({step['matrix_peak_gflops']} GFLOP/s) | {step['share_of_peak']} | | |"]
    if evaluation:
        here, there = (evaluation[side]["problems_per_s"] for side in ("here", "lm_eval"))
        theirs = f"lm-evaluation-harness: {there} problems/s"
        lines += [f"| evaluation | {here} problems/s | {theirs} | {evaluation['ratio']} |"]
    for policies, seconds in found.get("planning", {}).get("nothing_to_do_s", {}).items():
        lines += [f"| nothing to do, policies: {policies} | {seconds} s | | |"]
    return "\n".join([*lines, "", f"{machine['cpu']}, {machine['cores']} cores, load {machine['load']}; {packages}."])


def main(args):
    run = args.run_folder or Path("results", args.run)
    if args.table:
        print(table(json.loads(args.table.read_text())))
        return
    if args.worker:
        kind, *rest = args.worker
        workers = {
            "train": lambda side, steps: train(run, side, int(steps), False),
            "count": lambda steps: train(run, "here", int(steps), True),
            "evaluate": lambda limit: evaluate(run, int(limit)),
            "peak": lambda: {"peak": matrix_peak(json.loads((run / "config.json").read_text())["train"]["threads"])},
        }
        print(json.dumps(workers[kind](*rest)))
        return
    if not (run / "models/base").is_dir():
        raise SystemExit(f"error: {run} is no finished run: give --run, or make it with snakemake --cores 1")
    packages = {name: version(name) for name in ("torch", "transformers", "trl", "peft", "snakemake")}
    with open("/proc/cpuinfo") as info:
        cpu = next((line.partition(": ")[2].strip() for line in info if line.startswith("model name")), None)
    machine = {"cpu": cpu, "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2), "packages": packages}
    found = {"machine": machine | {"python": platform.python_version()}, "step": None, "evaluation": None}
    if "step" in args.parts:
        found["step"] = steps_of(args, run)
    if "evaluation" in args.parts:
        found["evaluation"] = evaluations_of(args, run)
        program = "import importlib.metadata as m; print(m.version('lm_eval'))"
        python = Path(args.lm_eval).with_name("python")
        stated = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout
        found["machine"]["packages"]["lm-eval"] = stated.strip()
    if "planning" in args.parts:
        found["planning"] = other("measure_planning.py")
    if "growth" in args.parts:
        found["growth"] = other("measure_growth.py")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="smollm2-135m-words", help="a finished run")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    parser.add_argument("--steps", type=int, default=3, help="steps of each trainer")
    parser.add_argument("--limit", type=int, default=100, help="problems of each evaluation")
    parser.add_argument("--repeat", type=int, default=3, help="evaluations here, of which the median counts")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 8, 50], help="the harness's, best one counts")
    parser.add_argument("--lm-eval", default=".venv/lm_eval/bin/lm_eval", help="the harness's command")
    parser.add_argument("--table", type=Path, help="print these measurements as a table")
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--run-folder", type=Path, help=argparse.SUPPRESS)
    main(parser.parse_args())
