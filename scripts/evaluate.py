"""Evaluate a policy, base or trained, on a task: complete every prompt and score every completion."""

import argparse
import json
from functools import partial
from itertools import islice
from pathlib import Path

from backends import backend
from backends.chat_template import require_plain_template
from backends.decoding import decoding
from backends.determinism import fix
from backends.tokenizer import described, load_tokenizer, token_ids
from reasoning.policies import problem_count
from reasoning.protocol import protocol, protocol_hash
from reasoning.scoring import about, judge, summarise
from stage.checksums import model_rule, require_intact
from stage.environment import environment, versions
from stage.files import read_jsonl, sha256, write_json, write_jsonl
from stage.resume import fingerprint, left_behind, resumed
from stage.screen import progress, run, say
from tasks import described_module, load


def main(args):
    settings, prompt = json.loads(args.eval_config), json.loads(args.prompt_config)
    require_intact(args.model, model_rule(args.model))
    require_intact(args.data, "format_task")
    problems, task = read_jsonl(args.data), json.loads(args.task_config)
    module = load(task)
    expected, subset = problem_count(task, settings["split"])
    if expected and len(problems) != expected:
        raise SystemExit(
            f"error: {args.data} has {len(problems)} problems and should have {expected}: format them again with "
            "snakemake --forcerun format_task"
        )
    fix(settings["seed"], settings["threads"])
    engine = backend("eval", settings["backend"])
    tokenizer, chats = load_tokenizer(args.model, prompt["prefill"]), [problem["prompt"] for problem in problems]
    require_plain_template(tokenizer, chats, prompt)
    prompts, draws = token_ids(tokenizer, chats), settings.get("draws")
    chosen = {"sampling": decoding(settings["sampling"], args.model, tokenizer)}
    if draws:
        chosen["draws"] = decoding(draws["sampling"], args.model, tokenizer)
    weights = {path.name: sha256(path) for path in sorted(args.model.glob("*.safetensors"))}
    working = args.checkpoints / fingerprint([settings, prompts, chosen, weights, environment()], args.code)

    def complete(name, n=1):
        """Yield for each problem the list of its `n` judged completions, decoded as `chosen[name]` says."""
        posed, size = [problem for problem in problems for _ in range(n)], settings["batch_size"]
        make = partial(
            engine.generate, args.model, tokenizer, [ids for ids in prompts for _ in range(n)], settings, chosen[name]
        )
        path, label = working / f"{name}.jsonl", f"evaluate {args.metrics.parent.name} on {args.task}"
        if done := sum(map(len, left_behind(path))):
            say(f"  {label}: resumes after {done} of {len(posed)} completions")
        completions = resumed(path, make, range(0, len(posed), size), size)
        job = f"evaluate/{args.task}/{args.metrics.parent.name}"
        shown = progress(completions, label, len(posed), "completions", done, job=job, rounds=size)
        judged = (
            judge(
                *(problem["id"], problem["answer"], prompt["prefill"] + text, tokens, truncated),
                *(prompt, module.answer, problem.get("facts")),
            )
            for problem, (text, tokens, truncated) in zip(posed, shown, strict=True)
        )
        for _ in problems:
            yield list(islice(judged, n))

    samples = [about(problem) | judged for problem, (judged,) in zip(problems, complete("sampling"), strict=True)]
    if draws:
        for sample, judged in zip(samples, complete("draws", draws["n"]), strict=True):
            sample["draws"] = judged
    measured = protocol(
        args.task,
        settings["split"],
        prompt,
        settings,
        {
            "data_sha256": sha256(args.data),
            "prompts": described(tokenizer, chats),
            "decoding": chosen,
            "engine": versions(engine.PACKAGES),
        },
        described_module(task),
    )
    stated = {"subset": subset, "protocol": measured, "protocol_hash": protocol_hash(measured)}
    write_jsonl(args.samples, samples)
    write_json(args.metrics, summarise(samples) | stated | {"weights": weights, "environment": environment()})


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
    parser.add_argument("--checkpoints", required=True, type=Path, help="directory for finished batches")
    parser.add_argument("--code", required=True, type=Path, nargs="+", help="the files whose change makes these old")
    run(main, parser)
