"""Check on the Hub that every pinned revision of every preset exists and has the checksums that the preset states.

    snakemake --cores 1 verify_pins

Weights are not downloaded: the Hub states their checksums. Data is small, so it is downloaded and checked as in a run.
Checks every pin, and exits with 1 if any fails.
"""

import argparse
import copy
import json
import tempfile
from functools import partial
from pathlib import Path

import yaml
from hub.errors import one_line
from reasoning.splits import fetch_splits
from snakemake.utils import update_config
from sources import hf
from stage.files import read_text
from stage.screen import run, say
from tasks import load, read_problems


def presets(default, overlays):
    """`(file name, whole config)` of the default config and of each preset; modules of the user are beside it."""
    for path in [default, *overlays]:
        config = yaml.safe_load(read_text(default))
        update_config(config, copy.deepcopy(yaml.safe_load(read_text(path))))
        for task in config["tasks"].values():
            if (beside := path.parent / task.get("module", "")).is_file():
                task["module"] = str(beside)
        yield path.name, config


def check_model(api, settings):
    """A line about a model's pin; raises SystemExit if the Hub's weights are not the pinned ones."""
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
    """A line about a dataset's pin; raises SystemExit if the Hub's data is not the pinned data."""
    with tempfile.TemporaryDirectory() as scratch:
        fetch_splits(settings, scratch, partial(read_problems, load(settings)))
    pinned = [split for split in ("train", "test") if settings["sha256"].get(split)]
    return f"data {settings['source']}: problems counted, sha256 as pinned for {' and '.join(pinned) or 'no split'}"


def pins(config):
    """The checks of a config's Hub sources, as `(key, function of the API)`; equal pins have equal keys."""
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
                say(f"{name}: {check(api)}")
            except SystemExit as error:
                wrong += 1
                say(f"{name}: {error}")
    say(f"{len(seen)} pins, {wrong} of them failed")
    if wrong:
        raise SystemExit(f"error: {wrong} pins failed, see above: correct them in config/")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--default", required=True, type=Path, help="the default config")
    parser.add_argument("--overlays", required=True, type=Path, nargs="*", help="the presets")
    run(main, parser)
