"""What an evaluation and its shards share: the problems, how they are completed, and batches that are kept."""

import json
from functools import partial
from pathlib import Path

from stage.checksums import model_rule, require_intact
from stage.environment import environment
from stage.files import read_jsonl, sha256
from stage.resume import fingerprint, left_behind, resumed
from stage.screen import progress, say

from backends import backend
from backends.chat_template import require_plain_template
from backends.decoding import decoding
from backends.determinism import fix
from backends.tokenizer import load_tokenizer, token_ids


def add_arguments(parser):
    """Add the options that say what is evaluated, on which task and how."""
    parser.add_argument("--eval-config", required=True, help="the config section `eval`, as JSON")
    parser.add_argument("--prompt-config", required=True, help="the config section `prompt`, as JSON")
    parser.add_argument("--task", required=True, help="the task's name")
    parser.add_argument("--task-config", required=True, help="the config section `tasks.<task>`, as JSON")
    parser.add_argument("--model", required=True, type=Path, help="directory of the policy")
    parser.add_argument("--data", required=True, type=Path, help="formatted problems, JSONL")
    parser.add_argument("--checkpoints", required=True, type=Path, help="directory for finished batches")
    parser.add_argument("--code", required=True, type=Path, nargs="+", help="the files whose change makes these old")


class Evaluation:
    """A policy's evaluation on a task: checked inputs, prompts as token ids, and decoding settings, by name.

    `args` are the arguments of the stage, `expected` is how many problems the split should have, None if any number.
    """

    def __init__(self, args, expected):
        self.args, self.settings, self.prompt = args, json.loads(args.eval_config), json.loads(args.prompt_config)
        require_intact(args.model, model_rule(args.model))
        require_intact(args.data, "format_task")
        self.problems = read_jsonl(args.data)
        if expected and len(self.problems) != expected:
            raise SystemExit(
                f"error: {args.data} has {len(self.problems)} problems and should have {expected}: format them again "
                "with snakemake --forcerun format_task"
            )
        fix(self.settings["seed"], self.settings["threads"])
        self.engine = backend("eval", self.settings["backend"])
        self.tokenizer = load_tokenizer(args.model, self.prompt)
        self.chats = [problem["prompt"] for problem in self.problems]
        require_plain_template(self.tokenizer, self.chats, self.prompt)
        self.prompts, draws = token_ids(self.tokenizer, self.chats), self.settings.get("draws")
        # How many completions of each problem, and how they are decoded.
        self.counts = {"sampling": 1} | ({"draws": draws["n"]} if draws else {})
        sections = {"sampling": self.settings["sampling"]} | ({"draws": draws["sampling"]} if draws else {})
        self.decoding = {name: decoding(section, args.model, self.tokenizer) for name, section in sections.items()}
        self.weights = {path.name: sha256(path) for path in sorted(args.model.glob("*.safetensors"))}

    def working(self):
        """The folder for finished batches of exactly this evaluation."""
        depends = [self.settings, self.prompts, self.decoding, self.weights, environment()]
        return self.args.checkpoints / fingerprint(depends, self.args.code)

    def complete(self, name, path, label, job, shard=(0, 1)):
        """Yield the completions of `decoding[name]`, in order, whose batches are kept in the file `path`.

        They are `[text, tokens, truncated, cuts]`, `counts[name]` of each problem one after the other. Of shard (i, n),
        only those of its share of the batches, which come one after the other.
        """
        prompts, size = [ids for ids in self.prompts for _ in range(self.counts[name])], self.settings["batch_size"]
        starts, (i, n) = range(0, len(prompts), size), shard
        starts = starts[len(starts) * i // n : len(starts) * (i + 1) // n]
        total = min(starts.stop, len(prompts)) - starts.start
        make = partial(
            self.engine.generate, self.args.model, self.tokenizer, prompts, self.settings, self.decoding[name]
        )
        if done := sum(map(len, left_behind(path))):
            say(f"  {label}: resumes after {done} of {total} completions")
        completions = resumed(path, make, starts, size)
        yield from progress(completions, label, total, "completions", done, job=job, rounds=size) if total else ()


def completions_of(shards, name):
    """The completions that the folders of shards hold, in order, as `Evaluation.complete` yields them."""
    for shard in shards:
        require_intact(Path(shard), "evaluate_shard")
    return [item for shard in shards for batch in left_behind(Path(shard, f"{name}.jsonl")) for item in batch]
