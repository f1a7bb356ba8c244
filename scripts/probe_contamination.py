"""Probe for contamination: given the first half of a test question, how often does the base model write the second?

A model that does has read the test set, and its score says less about reasoning. After Wu et al. 2025, Reasoning or
Memorization? (arXiv:2507.10532, section 3): greedy, without chat template, and the rest must follow word for word.
"""

import argparse
import json
from pathlib import Path

from backends.determinism import fix
from gsm8k.records import read_jsonl, write_json
from gsm8k.statistics import score


def halves(question):
    """A question's words, the first half (the longer, where they are odd) and the second, as two texts."""
    words = question.split()
    middle = -(-len(words) // 2)
    return " ".join(words[:middle]), " ".join(words[middle:])


def summarise(items):
    """How many of the items were completed word for word: `{n, correct, value, low, high}`, Wilson 95 %."""
    return score([" ".join(item["completion"].split()).startswith(item["second"]) for item in items])


def complete(model, questions, settings):
    """What the model in directory `model` writes after the first half of each question, in order."""
    import torch
    from backends.grouped_attention import attention_for
    from tqdm import tqdm
    from transformers import AutoModelForCausalLM, AutoTokenizer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    policy = AutoModelForCausalLM.from_pretrained(
        model,
        dtype=getattr(torch, settings["dtype"]),
        attn_implementation=attention_for(device),
        device_map="auto" if device == "cuda" else None,  # what a GPU cannot hold stays in the machine's memory
    )
    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    for start in tqdm(range(0, len(questions), settings["batch_size"]), unit="batch"):
        pairs = [halves(question) for question in questions[start : start + settings["batch_size"]]]
        batch = tokenizer([first for first, _ in pairs], padding=True, return_tensors="pt").to(device)
        longest = max(len(tokenizer(second).input_ids) for _, second in pairs)
        output = policy.generate(
            **batch, max_new_tokens=longest + 1, do_sample=False, pad_token_id=tokenizer.pad_token_id
        )
        yield from tokenizer.batch_decode(output[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)


def main(args):
    settings = json.loads(args.settings)
    records = read_jsonl(args.data)[: args.items]
    fix(settings["seed"], settings["threads"])
    questions = [record["prompt"][-1]["content"] for record in records]
    items = [
        {"id": record["id"], "second": halves(question)[1], "completion": completion}
        for record, question, completion in zip(
            records, questions, complete(args.model, questions, settings), strict=True
        )
    ]
    write_json(args.probe, {"verbatim": summarise(items), "items": items})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="the config section `eval`, as JSON")
    parser.add_argument("--items", required=True, type=int, help="how many of the problems")
    parser.add_argument("--model", required=True, type=Path, help="directory of the base model")
    parser.add_argument("--data", required=True, type=Path, help="formatted problems, JSONL")
    parser.add_argument("--probe", required=True, type=Path, help="JSON to write")
    main(parser.parse_args())
