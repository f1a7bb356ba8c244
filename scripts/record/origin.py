"""Hold a record's problems to their source: made again by the code that made them, not taken from the record."""

import shutil
import tempfile
from functools import partial
from pathlib import Path

from reasoning.contamination import halves
from reasoning.formatting import formatted
from reasoning.guess import guessed
from reasoning.overrides import of_task
from reasoning.policies import measured_tasks
from reasoning.scoring import about
from reasoning.splits import SPLITS, checked_splits, fetch
from stage.files import read_json, sha256, write_jsonl
from tasks import load, read_problems

from record.compared import mismatches
from record.layout import read_samples, scopes


def raw_splits(task, local, folder):
    """`({split: path}, where from)` of a task's raw problems, written into `folder`.

    `local` is a folder that may hold the splits of an earlier download; it saves one if the config pins their digests.
    Raises SystemExit if the source cannot be reached or holds something else.
    """
    check = partial(read_problems, load(task))
    copies = [local / f"{split}.jsonl" for split in SPLITS]
    pinned = all(task["sha256"].get(split) for split in task["size"])
    if pinned and all(path.exists() for path in copies):
        for path in copies:
            shutil.copy(path, folder)
        return checked_splits(task, folder, check), "a local copy with the pinned sha256"
    fetch(task["source"], folder, "dataset")
    return checked_splits(task, folder, check), task["source"]


def made_again(config, task, results):
    """`(problems, their digest, training problems, where from)` of a task as policies were asked, from its source.

    `results` is the folder of this machine's run of the same name. Raises SystemExit as `raw_splits` does.
    """
    settings = config["tasks"][task]
    with tempfile.TemporaryDirectory() as folder:
        raw, where = raw_splits(settings, results / "data" / task / "raw", Path(folder))
        splits = formatted(raw, of_task(config, "prompt", task), settings, load(settings))
        problems = splits[of_task(config, "eval", task)["split"]]
        path = Path(folder, "formatted.jsonl")
        write_jsonl(path, problems)
        return problems, sha256(path), splits["train"], where


def first_difference(samples, problems, name):
    """The first sample that is not about the problem in its place, as a line; None if all are."""
    for sample, problem in zip(samples, problems, strict=False):
        pairs = ((key, sample[key], made) for key, made in about(problem).items())
        for key, published, made in pairs:
            if published != made:
                return f"{name}.{problem['id']}: {key} published {published!r}, made again from the source {made!r}"
    if len(samples) != len(problems):
        return f"{name}: {len(samples)} problems published, {len(problems)} made again from the source"
    return None


def check(record, config, results):
    """`(wrong, said)`: where ids, gold, families, order, probe or digest are not those of problems made again.

    A source that cannot be reached, or that holds other data today, is said to be so.
    """
    wrong, said = [], []
    for task in measured_tasks(config):
        try:
            problems, digest, training, where = made_again(config, task, results)
        except SystemExit as error:
            source, reason = config["tasks"][task]["source"], str(error).removeprefix("error: ")
            if source.startswith(("generated://", "compositions://")):
                wrong.append(f"config.tasks.{task}: its problems cannot be made again: {reason}")
            else:
                said.append(f"{task}: NOT made again from {source}: {reason}")
            continue
        for path in sorted((record / "eval" / task).iterdir()):
            stated = read_json(path / "metrics.json")["protocol"]["data_sha256"]
            if stated != digest:
                wrong.append(
                    f"eval/{task}/{path.name}/metrics.protocol.data_sha256: published {stated!r}, made again from the "
                    f"source {digest!r}"
                )
            name = f"eval/{task}/{path.name}/samples"
            wrong += filter(None, [first_difference(read_samples(record, task, path.name), problems, name)])
        said.append(f"{task}: {len(problems)} problems made again from {where}")
        if task not in config["evaluate_on"]:
            continue
        guess = guessed(training, problems, load(config["tasks"][task]).answer)
        for scope in scopes(record):
            stated = read_json(record / scope / "results.json")["tasks"][task]["guess"]
            wrong += mismatches(stated, guess, f"{scope / 'results'}.tasks.{task}.guess", "by the training problems")
        asked = [(item["id"], item["second"]) for item in read_json(record / "probe" / f"{task}.json")["items"]]
        probed = problems[: config["probe"]["problems"]]
        if asked != [(problem["id"], halves(problem["prompt"][-1]["content"])[1]) for problem in probed]:
            wrong.append(f"probe/{task}.items: not the second halves of the first problems made again from the source")
    return wrong, said
