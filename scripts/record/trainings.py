"""Hold trainings to the config, and completions to the trainings: arguments, histories, merges, digests of weights."""

import csv
import math

from reasoning.policies import arm_of, measured_tasks, packaged_policies, policies_on, seed_of, trained_policies
from reasoning.protocol import problem_count
from reasoning.training import arguments
from stage.files import read_json, read_text, sha256

from record.compared import mismatches
from record.repository import merge_of, section_of

# A step's learning rate as a share of the config's, by lr_scheduler_type (transformers/optimization.py).
SCHEDULES = {
    "linear": lambda done, warmup, steps: done / warmup if done < warmup else (steps - done) / max(1, steps - warmup),
    "constant": lambda done, warmup, steps: 1.0,
}
SHARES = ("clip_ratio/", "completions/clipped_ratio", "frac_reward_zero_std", "masked", "mean_token_accuracy")
NOT_NEGATIVE = ("entropy", "grad_norm", "reward_std", "completions/min_length")


def policies_of(config):
    """The policies that the record of a config holds, those of the run before those of its controls."""
    return list(dict.fromkeys([*trained_policies(config), *trained_policies(config, controls=True)]))


def histories(record, policies):
    """The rows of each policy's history.csv, `{policy: rows}`."""
    paths = {policy: record / "training" / policy / "history.csv" for policy in policies}
    return {policy: list(csv.DictReader(read_text(path).splitlines())) for policy, path in paths.items()}


def check_arguments(record, config, policies):
    """Where training arguments are not the config's for their arm and seed, or differ where it states nothing."""
    wrong, rest = [], {}
    for policy in policies:
        if merged := merge_of(config, arm_of(policy)):
            found = read_json(record / "training" / policy / "arguments.json")
            expected = merged | {"seed": seed_of(policy)}
            wrong += mismatches(found, expected, f"training/{policy}/arguments", "by the config")
            continue
        train = section_of(config, arm_of(policy), "train")
        stated = {"seed": seed_of(policy), "data_seed": seed_of(policy)} | arguments(train)
        rewards = [weight for weight in section_of(config, arm_of(policy), "rewards").values() if weight]
        if train["trainer"] == "grpo":
            stated["reward_weights"] = rewards
        published = read_json(record / "training" / policy / "arguments.json")
        found, address = {key: published.get(key) for key in stated}, f"training/{policy}/arguments"
        if sorted(found.get("reward_weights") or []) == sorted(rewards):
            found["reward_weights"] = rewards  # JSON objects have no order
        wrong += mismatches(found, stated, address, "by the config")
        rest.setdefault(train["trainer"], {})[policy] = {k: v for k, v in published.items() if k not in stated}
    for of_trainer in rest.values():
        first, *others = of_trainer
        for policy in others:
            shared = of_trainer[first].keys() & of_trainer[policy].keys()
            pair = ({key: of_trainer[of][key] for key in shared} for of in (policy, first))
            wrong += mismatches(*pair, f"training/{policy}/arguments", f"in {first}")
    return wrong


def check_history(rows, stated, rewards):
    """What cannot be in the rows of a history.csv, in words.

    `stated` are the trainer's arguments, `rewards` the weights of the arm, None if it is not trained by rewards.
    """
    steps = stated["max_steps"]
    rows = [{key: float(value) for key, value in row.items() if value not in ("", None)} for row in rows]
    if [row["step"] for row in rows] != list(range(1, steps + 1)):
        yield f"its steps are not 1 to {steps}"
        return
    seen = 0.0
    for row in rows:
        at = f"step {row['step']:.0f}"
        if schedule := SCHEDULES.get(stated["lr_scheduler_type"]):
            rate = stated["learning_rate"] * schedule(row["step"] - 1, stated["warmup_steps"], steps)
            if not math.isclose(row["learning_rate"], rate, rel_tol=1e-6, abs_tol=1e-15):
                yield f"{at}: learning rate {row['learning_rate']}, by the arguments {rate:.6g}"
        if rewards is not None:
            yield from check_rewards(row, at, stated["max_completion_length"], rewards)
        if row["num_tokens"] <= seen:
            yield f"{at}: num_tokens does not grow"
        seen = row["num_tokens"]
        for key, value in row.items():
            if key.startswith(SHARES) and not 0 <= value <= 1:
                yield f"{at}: {key} is {value}, not a share"
            if key in NOT_NEGATIVE and value < 0:
                yield f"{at}: {key} is {value}, below 0"


def check_rewards(row, at, limit, rewards):
    """What cannot be in one row of a training by rewards, in words; `limit` is the longest completion."""
    total = sum(weight * row[f"rewards/{name}/mean"] for name, weight in rewards.items() if weight)
    if not math.isclose(row["reward"], total, rel_tol=1e-4, abs_tol=1e-5):
        yield f"{at}: reward {row['reward']} is not the weighted sum of its parts, {total:.6g}"
    lengths = [row[f"completions/{name}_length"] for name in ("min", "mean", "max")]
    if lengths != sorted(lengths) or lengths[2] > limit:
        yield f"{at}: completion lengths {lengths}, of at most {limit}"


def check_merge(merge, config):
    """What a merge check cannot have found, in words: its numbers need the models, their limits do not."""
    dev = problem_count(config["tasks"][config["task"]], "dev")[0]
    if merge["problems"] != min(dev, config["merge"]["problems"]):
        yield f"problems: {merge['problems']}, by the config {min(dev, config['merge']['problems'])}"
    if not 0 <= merge["mean_logit_difference"] <= merge["max_logit_difference"]:
        yield "logit differences: not mean at most max"
    if not (merge["tensors"]["merged"] > 0 and merge["tensors"]["largest_change"] > 0):
        yield "tensors: the adapter changed none"
    if not 0 <= merge["agreement"] <= 1:
        yield f"agreement: {merge['agreement']}, not a share"


def evaluated_on(config, policy):
    """The tasks of a config that a trained policy is evaluated on."""
    return [
        task
        for task in config["evaluate_on"]
        if policy in policies_on(config, task) + policies_on(config, task, controls=True)
    ]


def check_weights(record, config, policies):
    """Where the digests of a policy's weights differ: what was merged, what was evaluated, and what was packaged."""
    wrong, stated = [], read_json(record / "provenance.json")["weights"]

    def of(folder):
        return {name.removeprefix(folder): value for name, value in stated.items() if name.startswith(folder)}

    merged = {policy: read_json(record / "merge" / f"{policy}.json")["weights"] for policy in policies}
    for policy, weights in {"base": of("models/base/"), **merged}.items():
        for task in measured_tasks(config) if policy == "base" else evaluated_on(config, policy):
            address = f"eval/{task}/{policy}/metrics"
            evaluated = read_json(record / f"{address}.json")["weights"]
            wrong += mismatches(evaluated, weights, f"{address}.weights", "the weights of this policy")
    for policy, weights in merged.items():
        wrong += mismatches(of(f"models/{policy}/"), weights, f"provenance.weights.{policy}", "in its merge check")
        if not of(f"adapters/{policy}/"):
            wrong.append(f"provenance.weights: no digest of the adapter of {policy}")
    return wrong


def check_package(record, policy):
    """Where a package's manifest names other bytes than the record holds, or other weights than it states."""
    lines = read_text(record / "hub" / f"{policy}.sha256").splitlines()
    packaged = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    weights = read_json(record / "provenance.json")["weights"]
    held = [
        record / "results.json",
        *(record / "training" / policy / name for name in ("history.csv", "arguments.json")),
    ]
    known = {path.name: sha256(path) for path in held}
    known |= {name.rpartition("/")[2]: digest for name, digest in weights.items() if f"/{policy}/" in name}
    return [
        f"hub/{policy}.sha256: {name} is not that of the record"
        for name, digest in packaged.items()
        if known.get(name.rpartition("/")[2], digest) != digest
    ]


def check(record, config, results):
    """`(wrong, said)`: where trainings do not follow from the config, or completions are not of their policy."""
    policies = policies_of(config)
    wrong = check_arguments(record, config, policies) + check_weights(record, config, policies)
    for policy, rows in histories(record, policies).items():
        merge = read_json(record / "merge" / f"{policy}.json")
        wrong += [f"merge/{policy}: {words}" for words in check_merge(merge, config)]
        if merge_of(config, arm_of(policy)):
            wrong += [f"training/{policy}/history: a merge of adapters has no steps"] if rows else []
            continue
        by_rewards = section_of(config, arm_of(policy), "train")["trainer"] == "grpo"
        rewards = section_of(config, arm_of(policy), "rewards") if by_rewards else None
        found = check_history(rows, read_json(record / "training" / policy / "arguments.json"), rewards)
        wrong += [f"training/{policy}/history: {words}" for words in found]
    for policy in packaged_policies(config):
        wrong += check_package(record, policy)
    return wrong, [f"{len(policies)} trainings held to the config"]
