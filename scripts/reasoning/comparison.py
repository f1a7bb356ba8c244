"""A trained policy against the base model, paired by problem."""

from reasoning.faults import learned
from reasoning.pass_at_k import change_at_k
from reasoning.protocol import EXTRACTORS
from reasoning.statistics import holm, over_seeds, paired


def outcomes(samples, extractor, family=None):
    """Whether each sample is correct by an extractor, in order; only one family's samples if `family` is given."""
    return [s["correct"][extractor] for s in samples if family in (None, s["family"])]


def by_family(base, policy):
    """`{family: {extractor: paired}}`; `p_adjusted` is by Holm over the families."""
    names = sorted({s["family"] for s in base})
    found = {
        family: {name: paired(outcomes(base, name, family), outcomes(policy, name, family)) for name in EXTRACTORS}
        for family in names
    }
    for name in EXTRACTORS:
        for family, p in zip(names, holm([found[family][name]["p"] for family in names]), strict=True):
            found[family][name]["p_adjusted"] = p
    return found


def compare(base, policy, prompt):
    """The paired comparison of two lists of samples of the same problems, overall, by family and by what was wrong.

    `prompt` is the config section of both.
    """
    if [s["id"] for s in base] != [s["id"] for s in policy]:
        raise SystemExit("error: the two policies were evaluated on different problems: evaluate both again")
    return {
        "extractors": {name: paired(outcomes(base, name), outcomes(policy, name)) for name in EXTRACTORS},
        "faults": learned(base, policy, prompt),
        "at_k": change_at_k(base, policy),
        "families": by_family(base, policy),
    }


def compare_over_seeds(before, after):
    """`{extractor: over_seeds}` for two lists, each with one list of samples per seed."""
    return {
        name: over_seeds([outcomes(s, name) for s in before], [outcomes(s, name) for s in after]) for name in EXTRACTORS
    }
