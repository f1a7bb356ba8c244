"""Measure the time and the peak memory of merging, and of its check: python bench/measure_merge.py --out DIR

Makes a base model of random weights in the shape of Llama-3.1-8B (--layers 32), sharded as on the Hub, and an adapter.
Then it merges them, and computes the merged tensors again, each in a process of its own, whose peak memory the kernel
counts. Needs 2.2 times the model's size on disk, 35 GB for the whole shape, 6 GB of memory to make it, and no GPU.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
HIDDEN, INTERMEDIATE, KEYS, VOCABULARY, RANK = 4096, 14336, 1024, 128256, 32
SHAPES = {
    "self_attn.q_proj": (HIDDEN, HIDDEN),
    "self_attn.k_proj": (KEYS, HIDDEN),
    "self_attn.v_proj": (KEYS, HIDDEN),
    "self_attn.o_proj": (HIDDEN, HIDDEN),
    "mlp.gate_proj": (INTERMEDIATE, HIDDEN),
    "mlp.up_proj": (INTERMEDIATE, HIDDEN),
    "mlp.down_proj": (HIDDEN, INTERMEDIATE),
}
PER_SHARD = 8  # layers


def make(out, layers):
    """Write the base model's weights and an adapter of rank 32 on every matrix."""
    import torch
    from peft import LoraConfig
    from safetensors.torch import save_file
    from stage.files import write_json

    base, adapter = out / "base", out / "adapter"
    base.mkdir(parents=True), adapter.mkdir()
    torch.manual_seed(0)

    def random(*shape):
        return (torch.randn(shape) * 0.02).to(torch.bfloat16)

    parts = {"model.embed_tokens.weight": random(VOCABULARY, HIDDEN), "lm_head.weight": random(VOCABULARY, HIDDEN)}
    save_file(parts, base / "model-00000.safetensors")
    changes = {}
    for first in range(0, layers, PER_SHARD):
        parts = {}
        for layer in range(first, min(first + PER_SHARD, layers)):
            for name, (rows, columns) in SHAPES.items():
                parts[f"model.layers.{layer}.{name}.weight"] = random(rows, columns)
                place = f"base_model.model.model.layers.{layer}.{name}"
                changes[f"{place}.lora_A.weight"] = torch.randn(RANK, columns) * 0.01
                changes[f"{place}.lora_B.weight"] = torch.randn(rows, RANK) * 0.01
        save_file(parts, base / f"model-{1 + first // PER_SHARD:05}.safetensors")
    save_file(changes, adapter / "adapter_model.safetensors")
    config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=[name.split(".")[1] for name in SHAPES]).to_dict()
    write_json(adapter / "adapter_config.json", config | {"peft_type": "LORA", "target_modules": [], "task_type": None})


def step(out, name):
    """One measured step, in this process; prints its time and peak memory."""
    import torch
    from backends.merging import merge, require_exact

    torch.set_num_threads(2)
    began, folders = time.monotonic(), [out / part for part in ("base", "adapter", "merged")]
    if name == "merge":
        folders[2].mkdir()
        found = list(merge(*folders))
    else:
        found = require_exact(*folders)
    seconds, status = time.monotonic() - began, Path("/proc/self/status").read_text()
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # ru_maxrss would count the parent process too
    print(json.dumps({"step": name, "seconds": round(seconds, 1), "peak_gb": round(peak / 1e9, 2), "found": found}))


def main(args):
    if args.step:
        step(args.out, args.step)
        return
    if not args.out.exists():
        make(args.out, args.layers)
    size = sum(path.stat().st_size for path in (args.out / "base").iterdir())
    print(json.dumps({"layers": args.layers, "model_gb": round(size / 1e9, 2)}), flush=True)
    for name in ("merge", "check"):
        subprocess.run([sys.executable, __file__, "--out", str(args.out), "--step", name], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=Path, help="folder to write to")
    parser.add_argument("--layers", type=int, default=32, help="number of layers; default %(default)s")
    parser.add_argument("--step", choices=["merge", "check"], help="this step alone, of a folder that is there")
    main(parser.parse_args())
