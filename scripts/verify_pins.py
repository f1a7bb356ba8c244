"""Ask the Hub whether every pin of every preset exists there, with the checksums that the preset states.

    snakemake --cores 1 verify_pins

Weights are compared with the Hub's checksums and not downloaded; data, which is small, is downloaded and checked as a
run would. Every pin is looked at; exit code 1 if one does not stand.
"""

import argparse
import copy
import json
import sys
import tempfile
from pathlib import Path

import download_data
import yaml
from hub_errors import one_line
from snakemake.utils import update_config
from sources import hf


def presets(default, overlays):
    """`(file name, whole config)` of the default and of each overlay on it."""
    for path in [default, *overlays]:
        config = yaml.safe_load(default.read_text())
        update_config(config, copy.deepcopy(yaml.safe_load(path.read_text())))
        yield path.name, config


def check_model(api, settings):
    """What stands behind a model's pin, in words; SystemExit if it does not stand."""
    pin = hf.parse(settings["source"].removeprefix("hf://"))
    with one_line(f"model {pin['repo']} at {pin['revision']}"):
        info = api.model_info(pin["repo"], revision=pin["revision"], files_metadata=True)
    weights = {s.rfilename: s.lfs.sha256 for s in info.siblings if s.lfs and s.rfilename.endswith(".safetensors")}
    if not weights:
        raise SystemExit(f"error: model {pin['repo']} at {pin['revision']} has no safetensors")
    if settings["sha256"] and settings["sha256"] not in weights.values():
        found = ", ".join(f"{name} has {digest}" for name, digest in weights.items())
        raise SystemExit(f"error: model {pin['repo']}: sha256 {settings['sha256']} is pinned, but {found}")
    stated = "weights as pinned" if settings["sha256"] else f"no sha256 pinned; {json.dumps(weights)}"
    return f"model {pin['repo']} at {pin['revision']}: {stated}"


def check_data(settings):
    """What stands behind a dataset's pin, in words; SystemExit if it does not stand."""
    with tempfile.TemporaryDirectory() as scratch:
        train, test = Path(scratch, "train.jsonl"), Path(scratch, "test.jsonl")
        download_data.main(argparse.Namespace(settings=json.dumps(settings), train=train, test=test))
    pinned = [split for split in ("train", "test") if settings["sha256"].get(split)]
    return f"data {settings['source']}: records counted, sha256 as pinned of {' and '.join(pinned) or 'no split'}"


def pins(config):
    """The checks that a config's Hub sources need, as `(key, function of the API)`; the same pin has the same key."""
    on_hub = [("model", config["model"], check_model)]
    on_hub += [("data", task, lambda _, settings: check_data(settings)) for task in config["tasks"].values()]
    for kind, settings, check in on_hub:
        if settings["source"].startswith("hf://"):
            yield json.dumps([kind, settings], sort_keys=True), lambda api, c=check, s=settings: c(api, s)


def main(args):
    from huggingface_hub import HfApi

    api, seen, wrong = HfApi(), set(), 0
    for name, config in presets(args.default, args.overlays):
        for key, check in pins(config):
            if key in seen:
                continue
            seen.add(key)
            try:
                print(f"{name}: {check(api)}", flush=True)
            except SystemExit as error:
                wrong += 1
                print(f"{name}: {error}", flush=True)
    print(f"{len(seen)} pins, {wrong} of them do not stand")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--default", required=True, type=Path, help="the default config")
    parser.add_argument("--overlays", required=True, type=Path, nargs="*", help="the presets that lie over it")
    main(parser.parse_args())
