"""Merge a LoRA adapter into its base model: the result is an ordinary transformers directory and needs no PEFT."""

import argparse
import json
import shutil
from pathlib import Path

from backends.determinism import fix
from backends.merging import merge, weights_files
from stage.checksums import adapter_rule, model_rule, require_intact, seal
from stage.environment import environment
from stage.files import replacing, require_space, tree_size, write_json
from stage.screen import progress, run

OF_THE_BASE = ("config.json", "generation_config.json", "model.safetensors.index.json")


def main(args):
    from transformers import AutoTokenizer

    fix(seed=0, threads=json.loads(args.merge_config)["threads"])
    require_intact(args.model, model_rule(args.model))
    require_intact(args.adapter, adapter_rule(args.adapter))
    require_space(args.merged, tree_size(args.model) + 10**8)
    with replacing(args.merged) as folder:
        folder.mkdir()
        files = len(weights_files(args.model))
        for _ in progress(merge(args.model, args.adapter, folder), f"merge {args.merged.name}", files, "files"):
            pass
        for path in (args.model / name for name in OF_THE_BASE):
            if path.exists():
                shutil.copyfile(path, folder / path.name)
        AutoTokenizer.from_pretrained(args.model).save_pretrained(folder)
        write_json(folder / "environment.json", environment())
        seal(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--merge-config", required=True, help="the config section `merge`, as JSON")
    parser.add_argument("--model", required=True, type=Path, help="directory of the base model, 16- or 32-bit")
    parser.add_argument("--adapter", required=True, type=Path, help="directory of the adapter")
    parser.add_argument("--merged", required=True, type=Path, help="directory to write")
    run(main, parser)
