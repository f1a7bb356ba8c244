"""Evaluate a policy on a task: complete every prompt, score every completion. Baseline and tuned model alike."""

import argparse
import json
import re
from itertools import islice
from pathlib import Path

from backends import backend
from backends.determinism import fix
from gsm8k.answer import EXTRACTORS, extract
from gsm8k.at_k import at_k
from gsm8k.protocol import protocol, protocol_hash
from gsm8k.records import read_jsonl, sha256, write_json, write_jsonl
from gsm8k.statistics import quantiles, score


def judge(gold, text, tokens, truncated, prompt):
    """What is said of one completion: what each extractor reads in it, and whether that is the gold answer."""
    extracted = extract(text, prompt["answer"])
    return {
        "completion": text,
        "tokens": tokens,
        "truncated": truncated,
        "format": re.fullmatch(prompt["format"], text, re.DOTALL) is not None,
        "extracted": extracted,
        "correct": {name: value == gold for name, value in extracted.items()},
    }


def complete(model, records, prompt, settings, n=1):
    """Yield for each record the list of its `n` judged completions; `settings` is section `eval`."""
    from tqdm import tqdm

    asked = [record for record in records for _ in range(n)]
    generate = backend("eval", settings["backend"]).generate
    completions = generate(model, [record["prompt"] for record in asked], settings, prompt["prefill"])
    judged = (
        judge(record["answer"], prompt["prefill"] + text, tokens, truncated, prompt)
        for record, (text, tokens, truncated) in zip(
            asked, tqdm(completions, total=len(asked), unit="completion"), strict=True
        )
    )
    for _ in records:
        yield list(islice(judged, n))


def summarise(samples):
    """The metrics of a list of samples; depends on nothing else, so anyone can recompute them."""
    families = sorted({s["family"] for s in samples})
    return {
        "n": len(samples),
        "scores": {name: score([s["correct"][name] for s in samples]) for name in EXTRACTORS},
        "format": score([s["format"] for s in samples]),
        "truncated": score([s["truncated"] for s in samples]),
        "completion_tokens": quantiles([s["tokens"] for s in samples]),
        "at_k": at_k(samples),
        "families": {
            family: {name: score([s["correct"][name] for s in samples if s["family"] == family]) for name in EXTRACTORS}
            for family in families
        },
    }


def main(args):
    settings, prompt, task = json.loads(args.settings), json.loads(args.prompt), json.loads(args.task_settings)
    records = read_jsonl(args.data)
    limit = task["limit"].get(settings["split"])
    expected = limit or (task["size"] | {"dev": task["dev"]})[settings["split"]]
    if len(records) != expected:
        raise SystemExit(f"error: {args.data} has {len(records)} problems and should have {expected}: make it again")
    fix(settings["seed"], settings["threads"])
    samples = [
        {"id": record["id"], "family": record["family"], "gold": record["answer"]} | judged
        for record, (judged,) in zip(records, complete(args.model, records, prompt, settings), strict=True)
    ]
    if draws := settings.get("draws"):
        drawn = complete(args.model, records, prompt, settings | {"sampling": draws["sampling"]}, draws["n"])
        for sample, judged in zip(samples, drawn, strict=True):
            sample["draws"] = judged
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
