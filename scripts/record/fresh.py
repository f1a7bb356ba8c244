"""How the scores of a fresh run compare with the published ones.

On the same kind of machine a fresh run is the published one again, completion for completion. On another, a trained
policy is one more training, and the base model is the same policy with other last bits.
"""

from reasoning.contrasts import new_training, same_policy
from reasoning.policies import arm_of
from reasoning.protocol import changed_fields, extractors_in_order
from reasoning.scoring import judge
from stage.files import read_json, read_jsonl

from record.layout import read_samples


def kind(environments):
    """The kind of machine that stages ran on: processors and versions; None on a GPU, or if one is not stated."""
    if any(not of or "processor" not in of or of["processor"]["gpu"] for of in environments):
        return None
    return [(of["processor"], of["packages"]) for of in environments]


def stated(path):
    """The value of a JSON file, empty if there is none: records of the first format have fewer."""
    return read_json(path) if path.exists() else {}


def kind_of(folder, task, policy):
    """The kind of machine that a policy of a run, or of its record, was trained and evaluated on."""
    found = [stated(folder / "eval" / task / policy / "metrics.json").get("environment")]
    return kind(found + ([stated(folder / "training" / policy / "environment.json")] if policy != "base" else []))


def expected(published, fresh, task, policy, name):
    """`(low, high)` of a fresh score by an extractor, with 95 %; both are `{(task, policy): samples}`."""

    def outcomes(of):
        return [sample["correct"][name] for sample in of]

    seeds = [outcomes(of) for (t, p), of in published.items() if t == task and arm_of(p) == arm_of(policy)]
    if len(seeds) > 1:
        return new_training(seeds)
    return same_policy(seeds[0], outcomes(fresh))


def difference(record, results, task, policy):
    """How a fresh run was made otherwise than the published one, in words; None if it was made alike.

    Another engine is no difference: its versions are part of the kind of machine.
    """
    path = f"eval/{task}/{policy}/metrics.json"
    if fields := set(changed_fields(read_json(record / path), read_json(results / path))) - {"engine"}:
        return f"measured differently ({', '.join(sorted(fields))})"
    path = f"training/{policy}/arguments.json"
    before, after = stated(record / path), stated(results / path)
    if changed := sorted(key for key in before.keys() & after.keys() if before[key] != after[key]):
        return f"trained differently ({', '.join(changed)})"
    return None


def judge_fresh(record, results):
    """`{address, published, fresh, expected, verdict}` of every score that a record and a run in `results` both have.

    The verdict is "identical" (every completion is), "within" or "outside" the interval `expected`, "not identical"
    although made on the same kind of machine, or how the run was made otherwise.
    """
    published = {
        (task.name, path.name): read_samples(record, task.name, path.name)
        for task in sorted((record / "eval").iterdir())
        for path in sorted(task.iterdir())
    }
    for (task, policy), samples in published.items():
        folder = results / "eval" / task / policy
        if not ((folder / "metrics.json").exists() and (folder / "samples.jsonl").exists()):
            continue
        fresh = read_jsonl(folder / "samples.jsonl")
        otherwise, here = difference(record, results, task, policy), kind_of(results, task, policy)
        alike = here is not None and here == kind_of(record, task, policy)
        for name in extractors_in_order(samples[0]["correct"]):
            a, b = (sum(sample["correct"][name] for sample in of) / len(of) for of in (samples, fresh))
            interval = None if otherwise else expected(published, fresh, task, policy, name)
            if otherwise:
                verdict = otherwise
            elif samples == fresh:
                verdict = "identical"
            elif alike:
                verdict = "not identical"
            else:
                verdict = "within" if interval[0] <= b <= interval[1] else "outside"
            yield {
                "address": f"eval/{task}/{policy}/metrics.json:{name}",
                "published": a,
                "fresh": b,
                "expected": interval,
                "verdict": verdict,
            }


def judge_again(samples, made, prompt, same_kind, headline, answer):
    """`(as published, whether that is enough)` for completions made again of published samples.

    `made` holds `(text, tokens, truncated, cuts)` as an engine yields them, `answer` is the answer's type. On the
    same kind of machine all have to be as published; on another, the score by the headline has to be one of the same
    policy.
    """
    again = [
        judge(sample["id"], sample["gold"], prompt["prefill"] + text, *told, prompt, answer, sample.get("facts"), cuts)
        for sample, (text, *told, cuts) in zip(samples, made, strict=True)
    ]
    alike = sum(fresh["completion"] == sample["completion"] for sample, fresh in zip(samples, again, strict=True))
    before, after = ([of["correct"][headline] for of in side] for side in (samples, again))
    low, high = same_policy(before, after)
    return alike, alike == len(samples) or (not same_kind and low <= sum(after) / len(after) <= high)
