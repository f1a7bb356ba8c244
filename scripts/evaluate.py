"""Evaluate a policy, base or trained, on a task: complete every prompt and score every completion."""

import argparse
import json
from itertools import islice
from pathlib import Path

from backends import backend
from backends.determinism import fix
from reasoning.policies import problem_count
from reasoning.protocol import protocol, protocol_hash
from reasoning.scoring import judge, summarise
from stage.environment import environment, versions
from stage.files import read_jsonl, sha256, write_json, write_jsonl
from stage.screen import progress, run


def complete(engine, args, problems, prompt, settings, n=1):
    """Yield the list of `n` scored completions of each problem; `settings` is the config section `eval`."""
    asked = [problem for problem in problems for _ in range(n)]
    completions = engine.generate(args.model, [problem["prompt"] for problem in asked], settings, prompt["prefill"])
    label = f"evaluate {args.metrics.parent.name} on {args.task}"
    judged = (
        judge(problem["answer"], prompt["prefill"] + text, tokens, truncated, prompt)
        for problem, (text, tokens, truncated) in zip(
            asked, progress(completions, label, len(asked), "completions"), strict=True
        )
    )
    for _ in problems:
        yield list(islice(judged, n))


def main(args):
    settings, prompt = json.loads(args.eval_config), json.loads(args.prompt_config)
    problems = read_jsonl(args.data)
    expected, subset = problem_count(json.loads(args.task_config), settings["split"])
    if len(problems) != expected:
        raise SystemExit(
            f"error: {args.data} has {len(problems)} problems and should have {expected}: format them again with "
            "snakemake --forcerun format_gsm8k"
        )
    fix(settings["seed"], settings["threads"])
    engine = backend("eval", settings["backend"])
    samples = [
        {"id": problem["id"], "family": problem["family"], "gold": problem["answer"]} | judged
        for problem, (judged,) in zip(problems, complete(engine, args, problems, prompt, settings), strict=True)
    ]
    if draws := settings.get("draws"):
        drawn = complete(engine, args, problems, prompt, settings | {"sampling": draws["sampling"]}, draws["n"])
        for sample, judged in zip(samples, drawn, strict=True):
            sample["draws"] = judged
    measured = protocol(args.task, settings["split"], sha256(args.data), prompt, settings, versions(engine.PACKAGES))
    stated = {"subset": subset, "protocol": measured, "protocol_hash": protocol_hash(measured)}
    write_jsonl(args.samples, samples)
    write_json(args.metrics, summarise(samples) | stated | {"environment": environment()})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval-config", required=True, help="the config section `eval`, as JSON")
    parser.add_argument("--prompt-config", required=True, help="the config section `prompt`, as JSON")
    parser.add_argument("--task", required=True, help="the task's name")
    parser.add_argument("--task-config", required=True, help="the config section `tasks.<task>`, as JSON")
    parser.add_argument("--model", required=True, type=Path, help="directory of the policy")
    parser.add_argument("--data", required=True, type=Path, help="formatted problems, JSONL")
    parser.add_argument("--metrics", required=True, type=Path, help="JSON to write")
    parser.add_argument("--samples", required=True, type=Path, help="JSONL to write")
    run(main, parser)
