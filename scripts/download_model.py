"""Download the base model as an ordinary transformers directory: safetensors, tokenizer, chat template."""

import argparse
import json
from pathlib import Path

from backends.tokenizer import load_tokenizer
from sources import fetch
from stage.environment import environment
from stage.files import remove, replacing, require_space, sha256, write_json
from stage.screen import run


def check_weights(folder, expected):
    """Stop unless one weights file of the folder has the pinned sha256 (None accepts any)."""
    found = {sha256(p): p.name for p in sorted([*folder.glob("*.safetensors"), *folder.glob("*.gguf")])}
    if not found:
        raise SystemExit("error: the model's source has no .safetensors or .gguf file: other formats are not supported")
    if expected and expected not in found:
        got = ", ".join(f"{name} has {digest}" for digest, name in found.items())
        raise SystemExit(f"error: model.sha256 is {expected}, but {got}: the download is corrupt or the pin is wrong")


def dequantize(gguf):
    """Turn the folder's one GGUF file into safetensors and tokenizer files beside it, in float32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
    )
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    # transformers copies the GGUF header's special ids to the config only: without these, generation would not stop.
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(model.config.eos_token_id)
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(model.config.pad_token_id)
    model.save_pretrained(gguf.parent)
    tokenizer.save_pretrained(gguf.parent)
    gguf.unlink()


def main(args):
    config = json.loads(args.model_config)
    require_space(args.model, int(config["disk_gb"] * 1e9))
    with replacing(args.model) as folder:
        folder.mkdir()
        fetch(config["source"], folder, "model")
        check_weights(folder, config["sha256"])
        for gguf in folder.glob("*.gguf"):
            dequantize(gguf)
        load_tokenizer(folder)  # fails now, not an hour into the run, if there is no chat template
        remove(folder / ".cache")  # the Hub client's download metadata, which has timestamps
        write_json(folder / "environment.json", environment())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model-config", required=True, help="the config section `model`, as JSON")
    parser.add_argument("--model", required=True, type=Path, help="directory to write")
    run(main, parser)
