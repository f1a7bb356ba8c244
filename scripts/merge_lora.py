"""Merge a LoRA adapter into its base model: the result is an ordinary transformers directory and needs no PEFT."""

import argparse
from pathlib import Path

from stage.checksums import require_intact, seal
from stage.environment import environment
from stage.files import replacing, require_space, tree_size, write_json
from stage.screen import run


def main(args):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    require_intact(args.model, "download_model")
    require_intact(args.adapter, "train_grpo")
    require_space(args.merged, tree_size(args.model) + 10**8)
    base = AutoModelForCausalLM.from_pretrained(args.model, dtype="auto")
    merged = PeftModel.from_pretrained(base, args.adapter).merge_and_unload(progressbar=True)
    with replacing(args.merged) as folder:
        merged.save_pretrained(folder)
        AutoTokenizer.from_pretrained(args.model).save_pretrained(folder)
        write_json(folder / "environment.json", environment())
        seal(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, type=Path, help="directory of the base model, 16- or 32-bit")
    parser.add_argument("--adapter", required=True, type=Path, help="directory of the adapter")
    parser.add_argument("--merged", required=True, type=Path, help="directory to write")
    run(main, parser)
