"""A trained policy against the base model, paired by problem."""

from reasoning.contrasts import holm, interval_of_changes, over_seeds, paired
from reasoning.faults import learned
from reasoning.pass_at_k import values, with_interval
from reasoning.protocol import extractors_in_order


def outcomes(samples, extractor, family=None):
    """Whether each sample is correct by an extractor, or its score, in order; `family` chooses one family's."""
    return [s["correct"][extractor] for s in samples if family in (None, s["family"])]


def by_family(base, policy):
    """`{family: {extractor: paired}}`; `p_adjusted` is by Holm over the families."""
    names, extractors = sorted({s["family"] for s in base}), extractors_in_order(base[0]["correct"])
    found = {
        family: {name: paired(outcomes(base, name, family), outcomes(policy, name, family)) for name in extractors}
        for family in names
    }
    for name in extractors:
        for family, p in zip(names, holm([found[family][name]["p"] for family in names]), strict=True):
            found[family][name]["p_adjusted"] = p
    return found


def change_at_k(base, policy):
    """The differences between two policies, paired by problem, in the same form as `pass_at_k.at_k`."""
    if "draws" not in base[0]:
        return {}
    changes = {}
    for name in extractors_in_order(base[0]["correct"]):
        before, after = values(base, name), values(policy, name)
        differences = {k: [b - a for a, b in zip(before[k], after[k], strict=True)] for k in before}
        changes[name] = {k: with_interval(of, interval_of_changes) for k, of in differences.items()}
    return changes


def compare(base, policy, prompt):
    """The paired comparison of two lists of samples of the same problems, overall, by family and by what was wrong.

    `prompt` is the config section of both.
    """
    if [s["id"] for s in base] != [s["id"] for s in policy]:
        raise SystemExit("error: the two policies were evaluated on different problems: evaluate both again")
    extractors = extractors_in_order(base[0]["correct"])
    return {
        "extractors": {name: paired(outcomes(base, name), outcomes(policy, name)) for name in extractors},
        "faults": learned(base, policy, prompt),
        "at_k": change_at_k(base, policy),
        "families": by_family(base, policy),
    }


def compare_over_seeds(before, after, same_seeds=False):
    """`{extractor: over_seeds}` for two lists, each with one list of samples per seed, of the `same_seeds` or not."""
    return {
        name: over_seeds(*([outcomes(of, name) for of in side] for side in (before, after)), same_seeds)
        for name in extractors_in_order(before[0][0]["correct"])
    }
