"""Complete a share of an evaluation's batches; `evaluate` puts the shares of all jobs together and scores them."""

import argparse
import json
from pathlib import Path

from backends.evaluation import Evaluation, add_arguments
from reasoning.protocol import problem_count
from stage.checksums import seal
from stage.environment import environment
from stage.files import replacing, write_json
from stage.screen import run


def main(args):
    expected, _ = problem_count(json.loads(args.task_config), json.loads(args.eval_config)["split"])
    evaluation, share = Evaluation(args, expected), f"{args.shard}-of-{args.of}"
    label = f"evaluate {args.policy} on {args.task}, shard {args.shard} of {args.of}"
    job = f"evaluate_shard/{args.task}/{args.policy}/{share}"
    finished = {}
    for name in evaluation.counts:
        finished[name] = evaluation.working() / f"{name}-{share}.jsonl"
        for _ in evaluation.complete(name, finished[name], label, job, (args.shard - 1, args.of)):
            pass
    with replacing(args.folder) as folder:
        folder.mkdir()
        for name, path in finished.items():
            (folder / f"{name}.jsonl").write_bytes(path.read_bytes() if path.exists() else b"")
        write_json(folder / "environment.json", environment())
        seal(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--policy", required=True, help="the policy's name")
    parser.add_argument("--shard", required=True, type=int, help="which shard, from 1")
    parser.add_argument("--of", required=True, type=int, help="how many shards there are")
    parser.add_argument("--folder", required=True, type=Path, help="directory to write")
    run(main, parser)
