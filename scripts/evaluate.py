"""Evaluate a policy, base or trained, on a task: complete every prompt and score every completion."""

import argparse
import json
from itertools import islice
from pathlib import Path

from backends.evaluation import Evaluation, add_arguments, completions_of
from backends.tokenizer import described
from reasoning.protocol import extractor_version, problem_count, protocol, protocol_hash
from reasoning.scoring import about, judge, summarise
from stage.environment import environment, versions
from stage.files import read_json, sha256, write_json, write_jsonl
from stage.screen import run
from tasks import described_module, load


def environment_of(shards):
    """The environment that all shards were made in; stops if there were several, here if there are no shards."""
    made = [read_json(shard / "environment.json") for shard in shards] or [environment()]
    if any(other != made[0] for other in made):
        raise SystemExit(
            "error: the shards of this evaluation were made in different environments (processors or packages), so "
            "their completions are not those of one machine: ask the cluster for nodes of one kind, and give the same "
            "command with --forcerun evaluate_shard"
        )
    return made[0]


def main(args):
    task = json.loads(args.task_config)
    module, (expected, subset) = load(task), problem_count(task, json.loads(args.eval_config)["split"])
    evaluation = Evaluation(args, expected)
    settings, prompt, problems = evaluation.settings, evaluation.prompt, evaluation.problems
    policy = args.metrics.parent.name

    def complete(name):
        """Yield for each problem the list of its judged completions, decoded as the settings of that name say."""
        posed = [problem for problem in problems for _ in range(evaluation.counts[name])]
        if args.shards:
            completions = completions_of(args.shards, name)
        else:
            path, label = evaluation.working() / f"{name}.jsonl", f"evaluate {policy} on {args.task}"
            completions = evaluation.complete(name, path, label, f"evaluate/{args.task}/{policy}")
        judged = (
            judge(
                *(problem["id"], problem["answer"], prompt["prefill"] + text, tokens, truncated),
                *(prompt, module.answer, problem.get("facts"), cuts),
            )
            for problem, (text, tokens, truncated, cuts) in zip(posed, completions, strict=True)
        )
        for _ in problems:
            yield list(islice(judged, evaluation.counts[name]))

    samples = [about(problem) | judged for problem, (judged,) in zip(problems, complete("sampling"), strict=True)]
    if "draws" in evaluation.counts:
        for sample, judged in zip(samples, complete("draws"), strict=True):
            sample["draws"] = judged
    measured = protocol(
        args.task,
        settings["split"],
        prompt,
        settings,
        {
            "data_sha256": sha256(args.data),
            "prompts": described(evaluation.tokenizer, evaluation.chats),
            "decoding": evaluation.decoding,
            "engine": versions([*evaluation.engine.PACKAGES, *module.packages]),
        },
        described_module(task),
        extractor_version(module.answer),
    )
    stated = {"subset": subset, "protocol": measured, "protocol_hash": protocol_hash(measured)}
    write_jsonl(args.samples, samples)
    write_json(
        args.metrics,
        summarise(samples) | stated | {"weights": evaluation.weights, "environment": environment_of(args.shards)},
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--metrics", required=True, type=Path, help="JSON to write")
    parser.add_argument("--samples", required=True, type=Path, help="JSONL to write")
    parser.add_argument(
        "--shards", type=Path, nargs="*", default=[], help="folders with the completions, none to sample"
    )
    run(main, parser)
