"""Hold Snakemake's notes on the jobs to the config, the files, the code and the times that a record states."""

import gzip
import hashlib
import json
import math
import re
import shlex
from pathlib import Path

from reasoning.overrides import of_task, own_settings, with_implied_tasks
from reasoning.policies import arm_of, seed_of, without_controls
from reasoning.training import of_trainer
from stage.files import read_json, sha256

from record.compared import mismatches
from record.jobs import jobs, stage_of
from record.layout import JOBS, in_record, record_files
from record.repository import git, merge_of, section_of
from record.trainings import histories

POLICY = re.compile(r"(?<=/)(base|\w+-seed\d+)(?=(?:-step\d+)?(?:[/.]|$))")
# What a command has to state, without which it would not be bound to anything.
STATES = {
    "train": {"train-config", "rewards-config", "prompt-config", "seed"},
    "merge_adapters": {"merge-of", "seed", "model"},
    "evaluate": {"eval-config", "prompt-config", "task-config", "model"},
    "report": {"config"},
}


def flags(command):
    """The options of a shell command, `{name: [words]}`."""
    found, name = {}, None
    for word in shlex.split(command.replace("\\\n", " ")):
        if word.startswith("--"):
            name = word.removeprefix("--")
            found[name] = []
        elif name is not None and not word.startswith("2>"):
            found[name].append(word)
    return found


def policy_of(path):
    """The policy in an output's path, None if it is of no single one."""
    return next(iter(POLICY.findall(str(path))), None)


def train_of(config, policy):
    """The config section `train` of a policy."""
    return section_of(config, arm_of(policy), "train")


def learned_from(config, policy):
    """The other policies that a policy was made of, by the config: the base model, or those of the same seed."""
    if policy == "base":
        return set()
    train, seed, merged = train_of(config, policy), seed_of(policy), merge_of(config, arm_of(policy))
    others = [*merged["adapters"], train["start"]] if merged else [train["start"], train["teacher"]]
    return {name if name == "base" else f"{name}-seed{seed}" for name in others if name}


def by_config(config, flag, policy, task):
    """What an option of a job's command should hold by the config; None for one that the config does not say."""
    if flag in ("train-config", "rewards-config") and policy:
        section = section_of(config, arm_of(policy), flag.removesuffix("-config"))
        return of_trainer(section) if flag == "train-config" else section
    if flag == "task-config":
        stated = with_implied_tasks(config)["tasks"][task]
        return own_settings(stated)
    if flag == "task-module":
        return config["tasks"][config["task"]].get("module", "gsm8k")
    if flag == "modules":
        return {name: config["tasks"][name].get("module", "gsm8k") for name in config["evaluate_on"]}
    if flag in ("prompt-config", "eval-config"):
        section = flag.removesuffix("-config")
        return of_task(with_implied_tasks(config), section, task or config["task"])
    if flag == "config":
        return config
    if flag == "merge-of":
        return merge_of(config, arm_of(policy))
    if flag == "seed":
        return seed_of(policy)
    if flag == "source":
        start = train_of(config, policy)["start"] if policy else None
        return f"models/{start}-seed{seed_of(policy)}" if start else config["model"]["source"]
    return config.get(flag.removesuffix("-config")) if flag.endswith("-config") else None


def check_command(job, config, folder):
    """What a job's command states that is not the config's for its outputs, one line each."""
    stated, (output, *_) = flags(job["shellcmd"]), job["outputs"]
    policy, names = policy_of(output), {Path(part).stem for part in Path(output).relative_to(folder).parts}
    task = next((task for task in with_implied_tasks(config)["tasks"] if task in names), None)
    for flag in sorted(STATES.get(job["rule"], set()) - stated.keys()):
        yield f"jobs.{output}: its command has no --{flag}"
    for flag, words in stated.items():
        expected = by_config(config, flag, policy, task)
        if expected is not None and len(words) == 1:
            found = words[0] if isinstance(expected, str) else json.loads(words[0])
            if flag == "config" and policy:  # a package's
                found, expected = without_controls(found), without_controls(expected)
            yield from mismatches(found, expected, f"jobs.{output}: --{flag}", "by the config")
    if policy:
        named = {name for word in sum(stated.values(), []) if word.startswith(folder) for name in POLICY.findall(word)}
        known = {policy, "base", *learned_from(config, policy)}
        if not named <= known:
            yield f"jobs.{output}: its command is about {', '.join(sorted(named - known))}"
    if job["rule"] == "evaluate" and stated.get("model") != [f"{folder}/models/{Path(output).parent.name}"]:
        yield f"jobs.{output}: its command evaluates {stated.get('model')}"
    for path in job["outputs"]:
        if path not in job["shellcmd"]:
            yield f"jobs.{path}: its command does not write it"


def digest(path):
    """The sha256 of a file as the run had it: a record keeps JSONL compressed."""
    if path.suffix == ".gz":
        return hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()
    return sha256(path)


def check_inputs(record, found, folder, made_at):
    """Where the files that jobs read are not those of the record, nor their code that of the commit, one line each."""
    read = {}
    for job in found:
        for path, checksum in job["input_checksums"].items():
            read.setdefault((path, checksum.removeprefix("sha256:")), job)
    for (path, checksum), job in sorted(read.items(), key=lambda item: item[0]):
        kept = in_record(path, Path(folder), record)
        if kept is not None and digest(record / kept) != checksum:
            yield f"{kept}: not what {job['rule']} read when it made {job['outputs'][0]}"
        if path.startswith(("scripts/", "workflow/")):
            code = git("show", f"{made_at}:{path}")
            if code is not None and hashlib.sha256(code).hexdigest() != checksum:
                yield f"jobs.{job['outputs'][0]}: made by another {path} than that of commit {made_at}"


def check_times(record, provenance, found):
    """Where times, speeds and memory of stages do not fit the jobs or the scores, one line each."""
    logs = {stage_of(log): job for job in found for log in job["log"]}
    for stage, cost in provenance["stages"].items():
        address, rule = f"provenance.stages.{stage}", stage.partition("/")[0]
        if stage not in logs:
            yield f"{address}: there was no such job"
            continue
        took = logs[stage]["endtime"] - logs[stage]["starttime"]
        if not 0 < cost["seconds"] <= took + 1:
            yield f"{address}: {cost['seconds']} seconds published, and the job took {took:.1f}"
        if rule == "evaluate":
            metrics = read_json(record / "eval" / stage.partition("/")[2] / "metrics.json")
            sampled = metrics["n"] * metrics["completion_tokens"]["mean"]
            if not math.isclose(cost["tokens_per_second"] * cost["seconds"], sampled, rel_tol=0.05):
                yield f"{address}.tokens_per_second: {cost['tokens_per_second']} are not its tokens in its seconds"
        if rule == "train":
            policy = Path(stage).name
            read = float(histories(record, [policy])[policy][-1]["num_tokens"])
            if not math.isclose(cost["tokens_per_second"] * cost["seconds"], read, rel_tol=0.05):
                yield f"{address}.tokens_per_second: {cost['tokens_per_second']} are not its tokens in its seconds"
            held = read_json(record / "training" / Path(stage).name / "gpu_memory.json")
            if cost.get("gpu") != held["gpu"]:
                yield f"{address}.gpu: {cost.get('gpu')!r}, and the training had {held['gpu']!r}"


def check(record, config, results):
    """`(wrong, said)`: where commands, inputs, code or times of the jobs are not those that the record states."""
    provenance, notes = read_json(record / "provenance.json"), read_json(record / JOBS)
    folder, found, wrong = provenance["folder"], jobs(notes), []
    for path in record_files(record):
        if f"{folder}/{path}" not in notes:
            wrong.append(f"{path}: jobs.json has no job that made it")
    for job in found:
        wrong += check_command(job, config, folder)
    wrong += check_inputs(record, found, folder, provenance["commit"])
    wrong += check_times(record, provenance, found)
    return wrong, [f"{len(found)} jobs held to config, files and code"]
