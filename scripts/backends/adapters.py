"""Adapters on disk, in PEFT's format: written so that the same training gives the same bytes on every machine."""

from stage.files import read_json, remove, write_json


def whole(tensor):
    """A tensor that FSDP divides among processes, put together: all of them have to call this. Others as they are."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def save_adapter(policy, folder, source):
    """Save the adapter; its config names the base model's source rather than a path on this machine."""
    weights = {name: whole(value) for name, value in policy.state_dict().items() if "lora_" in name}
    policy.save_pretrained(folder, state_dict=weights)
    remove(folder / "README.md")  # PEFT's blank model card
    config = read_json(folder / "adapter_config.json")
    # PEFT keeps the module names in a set, whose order differs between processes.
    fixed = {"base_model_name_or_path": source, "target_modules": sorted(config["target_modules"])}
    write_json(folder / "adapter_config.json", config | fixed)
