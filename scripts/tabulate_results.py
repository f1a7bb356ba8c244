"""Collect every number of a run: results.json for programs, table.csv for papers, table.txt for people."""

import argparse
import json
from pathlib import Path

from reasoning.guess import guessed
from reasoning.results import gather
from reasoning.rows import read_results
from reporting.table import csv_text, plain_text
from stage.files import read_json, read_jsonl, write_json, write_text
from stage.screen import run
from tasks import load


def main(args):
    modules, guesses = json.loads(args.modules), {}
    samples = {(p.parent.parent.name, p.parent.name): read_jsonl(p) for p in args.samples}
    for path in args.training:
        task, there = path.parent.name, path.stat().st_size  # a task for evaluation alone has no training problems
        training = read_jsonl(path) if there else []
        guesses[task] = guessed(training, samples[task, "base"], load({"module": modules[task]}).answer)
    results = gather(
        metrics={(p.parent.parent.name, p.parent.name): read_json(p) for p in args.metrics},
        comparisons={(p.parent.name, p.stem): read_json(p) for p in args.comparisons},
        merges={p.stem: read_json(p) for p in args.merges},
        probes={p.stem: read_json(p) for p in args.probes},
        samples=samples,
        trainings={p.parent.name: read_json(p) for p in args.environments},
        baselines={p.parent.parent.name: read_json(p) for p in args.baselines},
        published=json.loads(args.published),
        guesses=guesses,
    )
    stated = {"run": args.run, "headline": args.headline, "policy": args.policy}
    stated |= {"shown": json.loads(args.shown), "told": json.loads(args.told)}
    write_json(args.results, results | stated)
    results = read_results(args.results)
    write_text(args.table, csv_text(results))
    write_text(args.text, plain_text(results))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="the run's name")
    parser.add_argument("--policy", required=True, help="the claim's policy, such as cold_start_grpo-seed0")
    parser.add_argument(
        "--told", required=True, help="what each arm was told, as reasoning/supervision.py has it, as JSON"
    )
    parser.add_argument(
        "--shown", required=True, help="the order of tasks and arms, as reasoning/order.py has it, as JSON"
    )
    parser.add_argument("--headline", required=True, help="the extractor of the claim")
    parser.add_argument("--metrics", required=True, type=Path, nargs="+", help="eval/<task>/<policy>/metrics.json")
    parser.add_argument("--samples", required=True, type=Path, nargs="+", help="eval/<task>/<policy>/samples.jsonl")
    parser.add_argument("--comparisons", required=True, type=Path, nargs="+", help="compare/<task>/<policy>.json")
    parser.add_argument("--merges", required=True, type=Path, nargs="+", help="merge/<policy>.json")
    parser.add_argument("--probes", required=True, type=Path, nargs="+", help="probe/<task>.json")
    parser.add_argument(
        "--environments", required=True, type=Path, nargs="+", help="training/<policy>/environment.json"
    )
    parser.add_argument(
        "--baselines", required=True, type=Path, nargs="*", help="metrics.json of tasks that have the base model alone"
    )
    parser.add_argument(
        "--training", required=True, type=Path, nargs="+", help="data/<task>/train.jsonl, empty if there is none"
    )
    parser.add_argument("--modules", required=True, help="what judges the answers of each task, as JSON")
    parser.add_argument("--published", required=True, help="the numbers that tasks state as published, as JSON")
    parser.add_argument("--results", required=True, type=Path, help="JSON to write")
    parser.add_argument("--table", required=True, type=Path, help="CSV to write")
    parser.add_argument("--text", required=True, type=Path, help="plain table to write")
    run(main, parser)
