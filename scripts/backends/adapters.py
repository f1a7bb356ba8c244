"""Adapters on disk, in PEFT's format: written so that the same training gives the same bytes on every machine."""

from stage.files import read_json, remove, write_json


def save_adapter(policy, folder, source):
    """Save the adapter; its config names the base model's source rather than a path on this machine."""
    policy.save_pretrained(folder)
    remove(folder / "README.md")  # PEFT's blank model card
    config = read_json(folder / "adapter_config.json")
    # PEFT keeps the module names in a set, whose order differs between processes.
    fixed = {"base_model_name_or_path": source, "target_modules": sorted(config["target_modules"])}
    write_json(folder / "adapter_config.json", config | fixed)
