"""Ask the Hub for the benchmarks of workflow/benchmarks.yaml, and write an overlay that pins what it holds now.

    snakemake --cores 1 --configfile config/<run>.yaml -- pin_benchmarks
    snakemake --cores 1 --configfile config/<run>.yaml results/benchmarks.yaml

The overlay names each one's commit, number of test problems, checksum in canonical form and licence, and evaluates all
of them after the run's own tasks. Every record is read by the task's module first. Read it, keep what you use, and
commit it with your config: a run downloads only what it pins. Exits with 1 if one cannot be pinned; the others are
written.
"""

import argparse
import json
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

ASKS = "Think step by step, then give {} alone in <answer></answer>."


def asked(benchmark, limit):
    """What a benchmark has otherwise than the run, if it asks for no number, or allows more than `limit` tokens."""
    found = {}
    if "ask" in benchmark:
        # What the run's completions begin with, which may be a thought, stays as its chat template wants it.
        tags = {"answer": "<answer>([^<]*)</answer>", "format": r".+<answer>[^<]+</answer>\s*"}
        found["prompt"] = {"system": ASKS.format(benchmark["ask"]), "examples": []} | tags
    if benchmark["tokens"] > limit:
        found["eval"] = {"sampling": {"max_new_tokens": benchmark["tokens"]}}
    return found


def pinned(api, limit, benchmark):
    """The config section of a benchmark with its pins.

    `limit` is the number of tokens that the run allows a completion. SystemExit if the Hub does not answer, or if a
    record is no problem of the benchmark's module.
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
    licence, stated = benchmark["license"], getattr(info.card_data, "license", None)
    told = licence if stated == licence else f"{licence}; the Hub states {stated or 'none'}: read its card"
    task = {"source": source, "module": benchmark["module"], "license": told, "limit": {}}
    return task | pins | asked(benchmark, limit)


def overlay(tasks, evaluated):
    """The overlay's text: the tasks, and all that are evaluated."""
    values = {"tasks": tasks, "evaluate_on": evaluated}
    head = "# Benchmarks as the Hub held them when this was written, by pin_benchmarks.\n"
    return head + yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=1000)


def main(args):
    from huggingface_hub import HfApi

    config, tasks, wrong = json.loads(args.config), {}, 0
    ask = partial(pinned, HfApi(), config["eval"]["sampling"]["max_new_tokens"])
    for name, benchmark in yaml.safe_load(read_text(args.benchmarks)).items():
        try:
            tasks[name] = ask(benchmark)
        except SystemExit as error:
            wrong += 1
            say(f"{name}: {error}")
            continue
        task = tasks[name]
        said = (task["size"]["test"], task["source"], task["sha256"]["test"], task["license"])
        say("{}: {} problems at {}, sha256 {}; licence {}".format(name, *said))
    if not tasks:
        raise SystemExit(
            "error: no benchmark could be pinned, see above: try again with a network that reaches the Hub"
        )
    write_text(args.overlay, overlay(tasks, [*dict.fromkeys([*config["evaluate_on"], *tasks])]))
    if wrong:
        raise SystemExit(f"error: {wrong} benchmarks are not pinned, see above; {args.overlay} has the others")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmarks", required=True, type=Path, help="workflow/benchmarks.yaml")
    parser.add_argument("--config", required=True, help="the run's config as JSON")
    parser.add_argument("--overlay", required=True, type=Path, help="YAML to write")
    run(main, parser)
