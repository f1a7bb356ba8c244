"""Check that every tensor of the merged model is the base model's with the adapter, bit by bit.

How far the next tokens' logits are from the adapted base model's, which rounds elsewhere, is reported and not judged.
"""

import argparse
import json
from pathlib import Path

from backends.determinism import fix
from backends.merging import require_exact
from backends.next_token import logit_differences, next_token_logits, release
from backends.quantisation import quantised, unpacked
from backends.tokenizer import load_tokenizer
from speed.shared_prefix import share_prefix
from stage.checksums import adapter_rule, model_rule, require_intact
from stage.environment import environment, environment_of
from stage.files import read_jsonl, sha256, write_json
from stage.screen import run


def main(args):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    settings, train = json.loads(args.merge_config), json.loads(args.train_config)
    fix(seed=0, threads=settings["threads"])
    for path, rule in (
        (args.model, model_rule(args.model)),
        (args.adapter, adapter_rule(args.adapter)),
        (args.merged, "merge_lora"),
    ):
        require_intact(path, rule)
    require_intact(args.data, "format_task")
    check = {"tensors": require_exact(args.model, args.adapter, args.merged)}
    prompts = [problem["prompt"] for problem in read_jsonl(args.data)[: settings["problems"]]]
    tokenizer = load_tokenizer(args.merged, json.loads(args.prompt_config))
    # Layers that do not fit on the GPU stay in CPU memory.
    placed = {"device_map": "auto"} if torch.cuda.is_available() else {}

    def logits(policy, name):
        found = next_token_logits(policy.eval(), tokenizer, prompts, f"check {args.check.stem}, {name}")
        if not found.isfinite().all():
            raise SystemExit(
                f"error: the {name} has logits that are no numbers: train with train.dtype bfloat16 or float32, whose "
                "range is larger, or with a smaller train.grpo.learning_rate"
            )
        return found

    def load(folder, **options):
        release()  # the model before this one
        policy = AutoModelForCausalLM.from_pretrained(folder, **({"dtype": "auto"} | placed | options))
        return share_prefix(unpacked(policy).eval())

    def adapted(name, **options):
        return logits(PeftModel.from_pretrained(load(args.model, **options), args.adapter), name)

    expected = logits(load(args.merged), "merged model")
    check |= {"problems": len(prompts)} | logit_differences(expected, adapted("adapted base"))
    # An adapter trained on a 4-bit base model is merged into the full one: measure how much that changes the policy.
    if options := quantised(train):
        found = adapted("adapted base in 4 bit", **options, dtype=getattr(torch, train["dtype"]))
        check["four_bit_base"] = logit_differences(expected, found)
    check["weights"] = {path.name: sha256(path) for path in sorted(args.merged.glob("*.safetensors"))}
    check["environments"] = {
        "download_model": environment_of(args.model),
        f"merge_lora/{args.check.stem}": environment_of(args.merged),
        f"check_merge/{args.check.stem}": environment(),
    }
    write_json(args.check, check)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--merge-config", required=True, help="the config section `merge`, as JSON")
    parser.add_argument("--train-config", required=True, help="the config section `train` of the arm, as JSON")
    parser.add_argument("--prompt-config", required=True, help="the config section `prompt`, as JSON")
    parser.add_argument("--model", required=True, type=Path, help="directory of the base model")
    parser.add_argument("--adapter", required=True, type=Path, help="directory of the adapter")
    parser.add_argument("--merged", required=True, type=Path, help="directory of the merged model")
    parser.add_argument("--data", required=True, type=Path, help="formatted problems, JSONL")
    parser.add_argument("--check", required=True, type=Path, help="JSON to write")
    run(main, parser)
