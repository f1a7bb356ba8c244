"""Ask the Hub for the benchmarks of workflow/benchmarks.yaml, and write an overlay that pins what it holds now.

    snakemake --cores 1 pin_benchmarks
    snakemake --cores 1 --configfile config/<run>.yaml results/benchmarks.yaml

The overlay names each one's commit, number of test problems, and checksum in canonical form, and evaluates all of them.
Every record is read by the task's module first. Read it, keep what you use, and commit it with your config: a run
downloads only what it pins. Exits with 1 if one cannot be pinned; the others are written.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path

import yaml
from hub.errors import one_line
from reasoning.formatting import format_problem
from reasoning.splits import read_split
from sources import fetch
from stage.files import read_text, sha256, write_jsonl, write_text
from stage.screen import run, say
from tasks import load, read_problems

ASKS = "Think in <think></think>, then give {} alone in <answer></answer>."


def prompt_of(benchmark):
    """What a benchmark asks otherwise than for a number; empty if it asks for one."""
    if "ask" not in benchmark:
        return {}
    tags = {"answer": "<answer>([^<]*)</answer>", "format": r"<think>.+</think>\s*<answer>[^<]+</answer>\s*"}
    return {"prompt": {"system": ASKS.format(benchmark["ask"]), "examples": []} | tags}


def pinned(api, benchmark):
    """`(task, licence)`: the config section of a benchmark with its pins, and the licence that the Hub states, or None.

    SystemExit if the Hub does not answer, or if a record is no problem of the benchmark's module.
    """
    with one_line(f"data {benchmark['repo']}"):
        info = api.dataset_info(benchmark["repo"])
    folder = f"/{benchmark['folder']}" if "folder" in benchmark else ""
    source, module = f"hf://{benchmark['repo']}@{info.sha}{folder}", load(benchmark)
    with tempfile.TemporaryDirectory() as scratch:
        fetch(source, scratch, "dataset")
        records, path = read_split(Path(scratch), "test"), Path(scratch, "canonical.jsonl")
        write_jsonl(path, records)
        read_problems(module, source, records)
        for i, record in enumerate(records):
            format_problem(record, f"test-{i}", {"system": None, "examples": []}, module)
        pins = {"size": {"test": len(records)}, "sha256": {"test": sha256(path)}}
    task = {"source": source, "module": benchmark["module"], "limit": {}} | pins | prompt_of(benchmark)
    return task, getattr(info.card_data, "license", None)


def overlay(tasks, licences):
    """The overlay's text: the tasks, each with its licence, and all of them evaluated."""
    lines = ["# Benchmarks as the Hub held them when this was written, by pin_benchmarks.", "tasks:"]
    for name, task in tasks.items():
        text = yaml.safe_dump({name: task}, sort_keys=False, allow_unicode=True, width=1000)
        lines += [f"  # licence: {licences[name]}", *(f"  {line}" for line in text.splitlines())]
    return "\n".join([*lines, f"evaluate_on: [{', '.join(tasks)}]"]) + "\n"


def main(args):
    from huggingface_hub import HfApi

    ask, tasks, licences, wrong = partial(pinned, HfApi()), {}, {}, 0
    for name, benchmark in yaml.safe_load(read_text(args.benchmarks)).items():
        try:
            tasks[name], licence = ask(benchmark)
        except SystemExit as error:
            wrong += 1
            say(f"{name}: {error}")
            continue
        told = "" if licence == benchmark["license"] else f"; the Hub states {licence or 'none'}: read its card"
        licences[name] = f"{benchmark['license']}{told}"
        said = (tasks[name]["size"]["test"], tasks[name]["source"], tasks[name]["sha256"]["test"], licences[name])
        say("{}: {} problems at {}, sha256 {}; licence {}".format(name, *said))
    write_text(args.overlay, overlay(tasks, licences))
    if wrong:
        raise SystemExit(f"error: {wrong} benchmarks are not pinned, see above; {args.overlay} has the others")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmarks", required=True, type=Path, help="workflow/benchmarks.yaml")
    parser.add_argument("--overlay", required=True, type=Path, help="YAML to write")
    run(main, parser)
