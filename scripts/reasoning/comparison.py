"""A trained policy against the base model, paired by problem."""

from reasoning.pass_at_k import change_at_k
from reasoning.protocol import extractors_in_order
from reasoning.statistics import holm, mean_interval, over_seeds, paired


def outcomes(samples, extractor, family=None):
    """Whether each sample is correct by an extractor, or its score, in order; `family` chooses one family's."""
    return [s["correct"][extractor] for s in samples if family in (None, s["family"])]


def gain(base, policy, *signs):
    """The mean over problems of a signed sum of changes, `{difference, low, high}`; `signs` are `(sign, extractor)`."""
    changes = [
        sum(sign * (p["correct"][name] - b["correct"][name]) for sign, name in signs)
        for b, p in zip(base, policy, strict=True)
    ]
    low, high = mean_interval(changes)
    return {"difference": sum(changes) / len(changes), "low": low, "high": high}


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


def compare(base, policy):
    """The paired comparison of two lists of samples of the same problems, overall and by family."""
    if [s["id"] for s in base] != [s["id"] for s in policy]:
        raise SystemExit("error: the two policies were evaluated on different problems: evaluate both again")
    extractors = extractors_in_order(base[0]["correct"])
    return {
        "extractors": {name: paired(outcomes(base, name), outcomes(policy, name)) for name in extractors},
        # A policy that has only learned to write the answer tag gains by `strict` but not by `flexible`.
        "reasoning_gain": gain(base, policy, (1, "flexible")),
        "format_gain": gain(base, policy, (1, "strict"), (-1, "flexible")),
        "at_k": change_at_k(base, policy),
        "families": by_family(base, policy),
    }


def compare_over_seeds(before, after):
    """`{extractor: over_seeds}` for two lists, each with one list of samples per seed."""
    return {
        name: over_seeds([outcomes(s, name) for s in before], [outcomes(s, name) for s in after])
        for name in extractors_in_order(before[0][0]["correct"])
    }
