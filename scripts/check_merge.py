"""Check that the merged model is the adapted one: same next tokens, and how far their logits are apart at most."""

import argparse
import json
from pathlib import Path

from backends.determinism import fix
from backends.quantisation import quantised
from backends.shared_prefix import share_prefix
from gsm8k.prompt import with_prefill
from gsm8k.records import read_jsonl, write_json

BATCH = 50


def differences(expected, found):
    """How alike two policies' logits are: the share of rows with the same largest, the largest and mean difference."""
    distance = (expected - found).abs()
    return {
        "agreement": (expected.argmax(-1) == found.argmax(-1)).float().mean().item(),
        "max_logit_difference": distance.max().item(),
        "mean_logit_difference": distance.mean().item(),
    }


def last_logits(policy, tokenizer, prompts):
    """Logits of the first token of each completion, float32, shape (prompts, vocabulary)."""
    import torch
    from tqdm import tqdm

    rows = []
    for start in tqdm(range(0, len(prompts), BATCH), unit="batch"):
        batch = tokenizer.apply_chat_template(
            prompts[start : start + BATCH],
            add_generation_prompt=True,
            padding=True,
            return_tensors="pt",
            return_dict=True,
        ).to(policy.device)
        with torch.inference_mode():
            rows.append(policy(**batch, logits_to_keep=1).logits[:, -1].float().cpu())
    return torch.cat(rows)


def main(args):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    settings, train = json.loads(args.settings), json.loads(args.train)
    fix(seed=0, threads=settings["threads"])
    prompts = [record["prompt"] for record in read_jsonl(args.data)[: settings["items"]]]
    tokenizer = AutoTokenizer.from_pretrained(args.merged, padding_side="left")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    with_prefill(tokenizer, json.loads(args.prompt)["prefill"])
    # On a GPU: what it cannot hold stays in the machine's memory.
    where = {"device_map": "auto"} if torch.cuda.is_available() else {}

    def load(folder, **how):
        return share_prefix(AutoModelForCausalLM.from_pretrained(folder, **({"dtype": "auto"} | where | how)).eval())

    def adapted(**how):
        return last_logits(PeftModel.from_pretrained(load(args.model, **how), args.adapter).eval(), tokenizer, prompts)

    expected = last_logits(load(args.merged), tokenizer, prompts)
    merge = {"items": len(prompts)} | differences(expected, adapted())
    if not merge["max_logit_difference"] <= settings["atol"]:  # nor is it where a logit is not a number
        raise SystemExit(
            f"error: merged and adapted model differ by {merge['max_logit_difference']:.3g} in a logit, merge.atol is "
            f"{settings['atol']}: the merge lost the adapter or changed the base; merge into a 16- or 32-bit base model"
        )
    # Where the adapter was trained on a base in 4 bit, the merged model is not quite what was trained: how far off?
    if how := quantised(train):
        merge["four_bit_base"] = differences(expected, adapted(**how, dtype=getattr(torch, train["dtype"])))
    write_json(args.report, merge)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="the config section `merge`, as JSON")
    parser.add_argument("--train", required=True, help="the config section `train` of the arm, as JSON")
    parser.add_argument("--prompt", required=True, help="the config section `prompt`, as JSON")
    parser.add_argument("--model", required=True, type=Path, help="directory of the base model")
    parser.add_argument("--adapter", required=True, type=Path, help="directory of the adapter")
    parser.add_argument("--merged", required=True, type=Path, help="directory of the merged model")
    parser.add_argument("--data", required=True, type=Path, help="formatted problems, JSONL")
    parser.add_argument("--report", required=True, type=Path, help="JSON to write")
    main(parser.parse_args())
