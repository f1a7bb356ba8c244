"""Verify every published record, without a model, and compare a fresh run with it.

    snakemake --cores 1 verify

First the record itself: every number follows from the completions, the problems are made again from their source, and
config, commands, code, trainings, pages and figures are held to each other and to the repository at the record's
commit. Then, if this machine has the same run: is each score identical to the published one on the same kind of
machine, and elsewhere where one more training is expected? Exits with 1 on any mismatch.

With --rerun, published completions are made again by the models of this machine's run, problems drawn at random.
"""

import argparse
import random
from pathlib import Path

from reasoning.overrides import of_task
from reasoning.policies import measured_tasks
from record import (
    attestations,
    commands,
    earlier,
    origin,
    pages,
    readme,
    recompute,
    repository,
    signature,
    tokens,
    trainings,
)
from record.checksums import damage
from record.earlier import NOT_RECOMPUTED, format_of
from record.fresh import judge_again, judge_fresh, kind
from record.layout import FORMAT, read_samples, require_commit
from record.origin import made_again
from reporting.words import percent
from stage.files import read_json, sha256, write_json
from stage.screen import run, say

CHECKS = (recompute, origin, repository, trainings, commands, tokens, pages, readme)
CHECKS_OF_EARLIER = (earlier, readme)


def foreign_modules(config, record):
    """The modules of a record's tasks that may not be run to verify it: files that could have come with the record."""
    here, records = Path().resolve(), record.resolve().parent
    for module in [task.get("module", "") for task in config["tasks"].values()]:
        path = Path(module).resolve()
        if module.endswith(".py") and (path.is_relative_to(records) or not path.is_relative_to(here)):
            yield module


def verify(record, results, signers):
    """`(wrong, said)`: the mismatches of a record, one line each, and in words what was compared and what was not."""
    wrong, said = damage(record), []
    try:  # a record may hold anything, and one that cannot be read is a mismatch like any other
        require_commit(record)
        config, checks = read_json(record / "config.json"), CHECKS if format_of(record) == FORMAT else CHECKS_OF_EARLIER
        for module in foreign_modules(config, record):
            return [*wrong, f"config.tasks: {module} is no file of this repository, so it was not run"], said
    except (Exception, SystemExit) as error:
        return [*wrong, f"{record} cannot be recomputed: {type(error).__name__}: {error}"], said
    for check in checks:
        try:
            found, words = check.check(record, config, results)
        except (Exception, SystemExit) as error:
            subject = check.__name__.rpartition(".")[2]
            found, words = [f"{record} cannot be recomputed: {type(error).__name__}: {error} ({subject})"], []
        wrong, said = wrong + found, said + words
    found, words = signature.check(record, signers)
    return wrong + found, said + words


def rerun(record, results, count):
    """`(wrong, said)`: do the models of this machine's run write published completions again?

    Of each policy and task about `count` problems, drawn anew each time, in whole batches, which are part of the
    protocol.
    """
    from backends import backend
    from backends.decoding import decoding
    from backends.determinism import fix
    from backends.tokenizer import load_tokenizer, token_ids
    from stage.environment import environment
    from tasks import load

    wrong, said, config = [], [], read_json(record / "config.json")
    if any(foreign_modules(config, record)):  # which `verify` has said
        return wrong, said
    for task in measured_tasks(config):
        settings, prompt = of_task(config, "eval", task), of_task(config, "prompt", task)
        problems, _, _, _ = made_again(config, task, results)
        size = settings["batch_size"]
        starts = range(0, len(problems), size)
        for path in sorted((record / "eval" / task).iterdir()):
            model, metrics = results / "models" / path.name, read_json(path / "metrics.json")
            if {file.name: sha256(file) for file in model.glob("*.safetensors")} != metrics["weights"]:
                said.append(f"eval/{task}/{path.name}: NOT made again: {model} does not hold the published weights")
                continue
            drawn = sorted(random.SystemRandom().sample(starts, min(len(starts), -(-count // size))))
            chosen = [i for start in drawn for i in range(start, min(start + size, len(problems)))]
            fix(settings["seed"], settings["threads"])
            tokenizer = load_tokenizer(model, prompt)
            prompts = token_ids(tokenizer, [problem["prompt"] for problem in problems])
            how = decoding(settings["sampling"], model, tokenizer)
            made = backend("eval", settings["backend"]).generate(model, tokenizer, prompts, settings, how, drawn)
            there, here = kind([metrics["environment"]]), kind([environment()])
            published = read_samples(record, task, path.name)
            samples, same_kind = [published[i] for i in chosen], here is not None and here == there
            alike, enough = judge_again(
                samples, made, prompt, same_kind, config["headline"], load(config["tasks"][task]).answer
            )
            line = f"eval/{task}/{path.name}: {alike} of {len(chosen)} completions made again are as published"
            (said if enough else wrong).append(line)
    return wrong, said


def main(args):
    wrong, judged, unread = [], {}, False
    records = sorted(path for path in args.records.glob("*") if path.is_dir())
    if not records:
        raise SystemExit(f"error: {args.records} holds no record: clone the repository with its results/published")
    for record in records:
        results = args.results / record.name
        found, said = verify(record, results, args.signers)
        unsigned, stated = attestations.check(record, args.attestations)
        found, said = found + unsigned, said + stated
        if args.rerun and format_of(record) == FORMAT:
            again, words = rerun(record, results, args.rerun)
            found, said = found + again, said + words
        say(f"{record}: {'; '.join(said)}; {len(found)} mismatches")
        wrong, unread = wrong + found, unread or any(NOT_RECOMPUTED in words for words in said)
        if not found:
            judged |= {score["address"]: score for score in judge_fresh(record, results)}
    for line in wrong:
        say(f"mismatch: {line}")
    for score in judged.values():
        expected = "" if score["expected"] is None else ", expected {} to {}".format(*map(percent, score["expected"]))
        say(
            f"{score['address']}: published {percent(score['published'])}, here {percent(score['fresh'])}{expected}: "
            f"{score['verdict']}"
        )
    outside = [score for score in judged.values() if score["verdict"] not in ("identical", "within")]
    write_json(args.verified, {"wrong": wrong, "fresh": list(judged.values())})
    if wrong or outside:
        raise SystemExit(f"error: {len(wrong) + len(outside)} mismatches with the published results, listed above")
    every = "every published number was reproduced from its completions"
    say("no mismatches, in what could be recomputed" if unread else every)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, default=Path("results/published"), help="folder of published records")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of fresh runs")
    parser.add_argument("--verified", type=Path, default=Path("results/verified.json"), help="JSON to write")
    parser.add_argument(
        "--signers", type=Path, default=Path("results/published/allowed_signers"), help="as for ssh-keygen -Y verify"
    )
    parser.add_argument(
        "--attestations", type=Path, default=Path("attestations"), help="signed statements of others, by run"
    )
    parser.add_argument("--rerun", type=int, metavar="N", help="complete N published problems of each policy again")
    run(main, parser)
