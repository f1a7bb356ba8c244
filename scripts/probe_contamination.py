"""Probe for contamination: given the first half of a test question, how often does the base model write the second?"""

import argparse
import json
from pathlib import Path

from backends.decoding import decoding, inherit_nothing
from backends.determinism import fix
from backends.quantisation import quantised
from backends.tokenizer import load_tokenizer
from reasoning.contamination import halves, verbatim
from speed.grouped_attention import attention_for
from stage.checksums import require_intact
from stage.environment import environment
from stage.files import read_jsonl, write_json
from stage.screen import progress, run


def loading(settings, device):
    """The arguments of from_pretrained for the config section `eval`: the model as it is evaluated, also in NF4."""
    if quantised(settings):
        return quantised(settings)
    # Layers that do not fit on the GPU stay in CPU memory.
    return {"device_map": "auto" if device == "cuda" else None}


def complete(model, questions, settings, size, label):
    """Yield the model's continuation of the first half of each question, in order and in batches of `size`.

    `model` is its directory, `settings` is the config section `eval`.
    """
    import torch
    from transformers import AutoModelForCausalLM

    device = "cuda" if torch.cuda.is_available() else "cpu"
    policy = AutoModelForCausalLM.from_pretrained(
        model,
        dtype=getattr(torch, settings["dtype"]),
        attn_implementation=attention_for(device),
        **loading(settings, device),
    )
    tokenizer = load_tokenizer(model)
    policy = inherit_nothing(policy, **decoding({"do_sample": False}, model, tokenizer))
    for start in progress(range(0, len(questions), size), label, -(-len(questions) // size), "batch"):
        pairs = [halves(question) for question in questions[start : start + size]]
        inputs = tokenizer([first for first, _ in pairs], padding=True, return_tensors="pt").to(device)
        longest = max(len(tokenizer(second).input_ids) for _, second in pairs)
        output = policy.generate(**inputs, max_new_tokens=longest + 1)
        yield from tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def main(args):
    settings = json.loads(args.eval_config)
    require_intact(args.model, "download_model")
    require_intact(args.data, "format_task")
    probe = json.loads(args.probe_config)
    problems = read_jsonl(args.data)[: probe["problems"]]
    fix(settings["seed"], settings["threads"])
    questions = [problem["prompt"][-1]["content"] for problem in problems]
    label = f"probe the base model on {args.probe.stem}"
    completions = complete(args.model, questions, settings, probe["batch_size"], label)
    items = [
        {"id": problem["id"], "second": halves(question)[1], "completion": completion}
        for problem, question, completion in zip(problems, questions, completions, strict=True)
    ]
    write_json(args.probe, {"verbatim": verbatim(items), "items": items, "environment": environment()})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval-config", required=True, help="the config section `eval`, as JSON")
    parser.add_argument("--probe-config", required=True, help="the config section `probe`, as JSON")
    parser.add_argument("--model", required=True, type=Path, help="directory of the base model")
    parser.add_argument("--data", required=True, type=Path, help="formatted problems, JSONL")
    parser.add_argument("--probe", required=True, type=Path, help="JSON to write")
    run(main, parser)
