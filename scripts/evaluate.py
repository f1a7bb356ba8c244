"""Evaluate a policy on a task: complete every prompt, score every completion. Baseline and tuned model alike."""

import argparse
import json
import re
from pathlib import Path

from backends import backend
from backends.determinism import fix
from gsm8k.answer import EXTRACTORS, extract
from gsm8k.protocol import protocol, protocol_hash
from gsm8k.records import read_jsonl, sha256, write_json, write_jsonl
from gsm8k.statistics import quantiles, score


def judge(record, text, tokens, truncated, prompt):
    """One sample: the completion, what each extractor reads in it, and whether that is the gold answer."""
    extracted = extract(text, prompt["answer"])
    return {
        "id": record["id"],
        "family": record["family"],
        "gold": record["answer"],
        "completion": text,
        "tokens": tokens,
        "truncated": truncated,
        "format": re.fullmatch(prompt["format"], text, re.DOTALL) is not None,
        "extracted": extracted,
        "correct": {name: value == record["answer"] for name, value in extracted.items()},
    }


def summarise(samples):
    """The metrics of a list of samples; depends on nothing else, so anyone can recompute them."""
    families = sorted({s["family"] for s in samples})
    return {
        "n": len(samples),
        "scores": {name: score([s["correct"][name] for s in samples]) for name in EXTRACTORS},
        "format": score([s["format"] for s in samples]),
        "truncated": score([s["truncated"] for s in samples]),
        "completion_tokens": quantiles([s["tokens"] for s in samples]),
        "families": {
            family: {name: score([s["correct"][name] for s in samples if s["family"] == family]) for name in EXTRACTORS}
            for family in families
        },
    }


def main(args):
    from tqdm import tqdm

    settings, prompt, task = json.loads(args.settings), json.loads(args.prompt), json.loads(args.task_settings)
    records = read_jsonl(args.data)
    limit = task["limit"].get(settings["split"])
    expected = limit or (task["size"] | {"dev": task["dev"]})[settings["split"]]
    if len(records) != expected:
        raise SystemExit(f"error: {args.data} has {len(records)} problems and should have {expected}: make it again")
    fix(settings["seed"], settings["threads"])
    completions = backend("eval", settings["backend"]).generate(
        args.model, [record["prompt"] for record in records], settings, prompt["prefill"]
    )
    samples = [
        judge(record, prompt["prefill"] + text, tokens, truncated, prompt)
        for record, (text, tokens, truncated) in zip(
            records, tqdm(completions, total=len(records), unit="problem"), strict=True
        )
    ]
    measured = protocol(args.task, settings["split"], sha256(args.data), prompt, settings)
    marks = {"subset": limit is not None, "protocol": measured, "protocol_hash": protocol_hash(measured)}
    write_jsonl(args.samples, samples)
    write_json(args.metrics, summarise(samples) | marks)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="the config section `eval`, as JSON")
    parser.add_argument("--prompt", required=True, help="the config section `prompt`, as JSON")
    parser.add_argument("--task", required=True, help="the task's name")
    parser.add_argument("--task-settings", required=True, help="the config section `tasks.<task>`, as JSON")
    parser.add_argument("--model", required=True, type=Path, help="directory of the policy")
    parser.add_argument("--data", required=True, type=Path, help="formatted problems, JSONL")
    parser.add_argument("--samples", required=True, type=Path, help="JSONL to write")
    parser.add_argument("--metrics", required=True, type=Path, help="JSON to write")
    main(parser.parse_args())
