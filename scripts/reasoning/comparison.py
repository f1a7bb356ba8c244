"""A trained policy against the base model, paired by problem."""

from reasoning.faults import learned
from reasoning.pass_at_k import change_at_k
from reasoning.protocol import extractors_in_order
from reasoning.statistics import holm, over_seeds, paired


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


def compare_over_seeds(before, after):
    """`{extractor: over_seeds}` for two lists, each with one list of samples per seed."""
    found = {}
    for name in extractors_in_order(before[0][0]["correct"]):
        sides = [[outcomes(samples, name) for samples in side] for side in (before, after)]
        found[name] = over_seeds(*sides)
        if found[name]["high"] - found[name]["low"] < 1e-9:  # nothing varies, but for rounding
            found[name] |= {end: paired(sides[0][0], sides[1][0])[end] for end in ("low", "high")}
    return found
