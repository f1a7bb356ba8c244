"""Merge a LoRA adapter into a base model's weights files, one tensor at a time, in place in a copy of each file.

Memory holds one matrix, whatever the model's size, and nothing needs a GPU. A merged matrix is computed in float32 and
rounded once to the base model's number format: W + s B A (Hu et al. 2021, arXiv:2106.09685, section 4.1), or with DoRA
m / ‖W + s B A‖ (W + s B A), the norm that of each row (Liu et al. 2024, arXiv:2402.09353, equation 5). So a merge can
be checked exactly, by computing every tensor again.
"""

import json
import shutil
from math import sqrt
from pathlib import Path

from stage.files import read_json

# Fields of PEFT's LoraConfig that a merge follows, or that do not change it. A variant of LoRA sets another one.
FOLLOWED = {"r", "lora_alpha", "use_rslora", "use_dora"}
WITHOUT_EFFECT = set(
    "target_modules exclude_modules layers_to_transform layers_pattern lora_dropout init_lora_weights "
    "base_model_name_or_path revision task_type inference_mode peft_version auto_mapping".split()
)
PARTS = {"lora_A.weight": "A", "lora_B.weight": "B", "lora_magnitude_vector": "m"}
BEGINNINGS = (True, False, "gaussian", "orthogonal")  # others subtract from the base model what the adapter begins with
CHUNK = 2**26  # bytes of an unchanged tensor that are compared at once


def require_known(config):
    """Stop if an adapter's config, a dict, asks for more than LoRA or DoRA on linear layers."""
    from peft import LoraConfig

    plain = LoraConfig().to_dict() | {"peft_type": "LORA"}
    known = FOLLOWED | WITHOUT_EFFECT
    wrong = [key for key, value in config.items() if key not in known and value != plain.get(key, value)]
    wrong += [] if config["init_lora_weights"] in BEGINNINGS else ["init_lora_weights"]
    if wrong:
        stated = ", ".join(f"{key} {config[key]!r}" for key in wrong)
        raise SystemExit(
            f"error: the adapter is of a kind that cannot be merged exactly ({stated}): train with plain LoRA or with "
            "train.lora.use_dora"
        )


def read_adapter(folder):
    """`{tensor of the base model: {"A", "B", "scale"}}` of an adapter's directory; with DoRA, "m" too."""
    from safetensors.torch import load_file

    config = read_json(folder / "adapter_config.json")
    require_known(config)
    scale = config["lora_alpha"] / (sqrt(config["r"]) if config["use_rslora"] else config["r"])
    found = {}
    for path in sorted(Path(folder).glob("*.safetensors")):
        for name, value in load_file(path).items():
            part = next((part for part in PARTS if name.endswith(f".{part}")), None)
            if part is None:
                raise SystemExit(f"error: the adapter has {name}, which is no part of LoRA on a linear layer")
            target = name.removeprefix("base_model.model.").removesuffix(part) + "weight"
            found.setdefault(target, {"scale": scale})[PARTS[part]] = value.float()
    return found


def merged(weight, change):
    """A base model's matrix with its part of an adapter, in the matrix's own number format."""
    total = weight.float() + (change["B"] @ change["A"]) * change["scale"]
    if "m" in change:
        total = (change["m"] / total.norm(dim=1))[:, None] * total
    return total.to(weight.dtype)


def layout(path):
    """The tensors in a safetensors file, `{name: (number format, shape, first byte, byte after the last)}`."""
    with open(path, "rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(start - 8))
    return {
        name: (entry["dtype"], tuple(entry["shape"]), *(start + offset for offset in entry["data_offsets"]))
        for name, entry in header.items()
        if name != "__metadata__"
    }


def read(file, entry):
    """A tensor of an open safetensors file, by its entry in `layout`."""
    import torch

    dtype, shape, start, end = entry
    known = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    if dtype not in known:
        raise SystemExit(f"error: the base model has weights in {dtype}: merge into a 16- or 32-bit base model")
    file.seek(start)
    return torch.frombuffer(bytearray(file.read(end - start)), dtype=known[dtype]).view(shape)


def weights_files(model):
    """The weights files of a model's directory."""
    return sorted(Path(model).glob("*.safetensors"))


def require_targets(changes, model):
    """Stop if an adapter changes a matrix that the base model's weights files do not have."""
    there = {name: entry[1] for path in weights_files(model) for name, entry in layout(path).items()}
    for name, change in changes.items():
        shape = (change["B"].shape[0], change["A"].shape[1])
        if there.get(name) != shape:
            raise SystemExit(
                f"error: the adapter changes {name} of shape {shape}, and the base model's weights have "
                f"{there.get(name, 'no such tensor')}: the adapter is not of this base model, or of a tied layer"
            )


def merge(model, adapter, folder):
    """Write the merged weights files of a model's and an adapter's directory into `folder`; yields each file's name."""
    import torch

    changes = read_adapter(adapter)
    require_targets(changes, model)
    for path in weights_files(model):
        target = Path(folder, path.name)
        shutil.copyfile(path, target)
        with open(path, "rb") as base, open(target, "r+b") as file:
            for name, entry in layout(path).items():
                if name in changes:
                    file.seek(entry[2])
                    file.write(merged(read(base, entry), changes[name]).contiguous().view(torch.uint8).numpy())
        yield path.name


def same_bytes(first, second, start, end):
    """Whether two open files have the same bytes from `start` to `end`."""
    first.seek(start), second.seek(start)
    sizes = [min(CHUNK, end - at) for at in range(start, end, CHUNK)]
    return all(first.read(size) == second.read(size) for size in sizes)


def require_exact(model, adapter, folder):
    """Stop unless the weights files in `folder` are, bit by bit, those of the base model with the adapter.

    Returns `{merged, unchanged, largest_change}`: numbers of tensors, and the largest change of a weight.
    """
    changes, counts, largest = read_adapter(adapter), {"merged": 0, "unchanged": 0}, 0.0
    require_targets(changes, model)
    names = [[path.name for path in weights_files(place)] for place in (model, folder)]
    if names[0] != names[1]:
        raise SystemExit(f"error: the merged model has the files {names[1]}, the base model {names[0]}{AGAIN}")
    for path in weights_files(model):
        target = Path(folder, path.name)
        if layout(path) != layout(target):
            raise SystemExit(f"error: {path.name} of the merged model has other tensors than the base model's{AGAIN}")
        with open(path, "rb") as base, open(target, "rb") as found:
            for name, entry in layout(path).items():
                if name in changes:
                    weight, stored = read(base, entry), read(found, entry)
                    wrong = (merged(weight, changes[name]) != stored).sum().item()  # NaN is wrong too
                    change = (stored.float() - weight.float()).abs().max().item()
                    largest = max(largest, change)
                else:
                    wrong = int(not same_bytes(base, found, *entry[2:]))
                if wrong:
                    raise SystemExit(
                        f"error: {name} of the merged model is not that of the base model with the adapter{AGAIN}"
                    )
                counts["merged" if name in changes else "unchanged"] += 1
    return counts | {"largest_change": largest}


AGAIN = ": merge again on this machine, with --forcerun merge_lora"
