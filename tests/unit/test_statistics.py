"""Scores and comparisons, compared with values computed by hand or published."""

from statistics import stdev

import numpy
import pytest
from reasoning.comparison import compare
from reasoning.contrasts import (
    holm,
    interval_of_changes,
    mean_over_seeds,
    new_training,
    over_seeds,
    paired,
    same_policy,
    tango,
)
from reasoning.protocol import MEASURED, protocol, protocol_hash, require_equal
from reasoning.statistics import interval_of_scores, mean_interval, quantiles, score
from scipy.optimize import minimize_scalar
from scipy.stats import bootstrap, norm, t, ttest_1samp, ttest_ind


def test_wilson_interval():
    """Newcombe 1998, Statistics in Medicine 17:857, table I: 81 of 263 gives 0.2553 to 0.3662."""
    value = score([True] * 81 + [False] * 182)
    assert (round(value["low"], 4), round(value["high"], 4)) == (0.2553, 0.3662)


def test_mcnemar_by_hand():
    """Won 1 and lost 5: p = 2 (C(6,0) + C(6,1)) / 2^6 = 14/64."""
    before, after = [False] + [True] * 5 + [True] * 4, [True] + [False] * 5 + [True] * 4
    change = paired(before, after)
    assert (change["won"], change["lost"], change["p"]) == (1, 5, pytest.approx(14 / 64))
    assert change["difference"] == pytest.approx(-0.4)
    assert change["low"] < -0.4 < change["high"]


def test_no_change():
    """Nothing differs, and still the interval has the width of what 20 problems can show."""
    change = paired([True, False] * 10, [True, False] * 10)
    low, high = change.pop("low"), change.pop("high")
    assert change == {"n": 20, "difference": 0.0, "won": 0, "lost": 0, "p": 1.0, "smallest_detectable": None}
    z2 = norm.ppf(0.975) ** 2
    assert (low, high) == (pytest.approx(-z2 / (20 + z2)), pytest.approx(z2 / (20 + z2)))


def test_what_can_be_detected():
    """Never more than the share of problems that differ, which is the largest difference there can be."""
    few, many = (paired([False] * 100, [True] * n + [False] * (100 - n)) for n in (7, 30))
    assert few["smallest_detectable"] is None
    assert many["smallest_detectable"] == pytest.approx(2.801585 * 30**0.5 / 100)


def rejected(won, lost, n, difference):
    """Whether the score test rejects a difference; the rest of the distribution is fitted numerically, unlike Tango."""

    def unlikely(only_lost):
        cells = (won, only_lost + difference), (lost, only_lost), (n - won - lost, 1 - 2 * only_lost - difference)
        return -sum(count * numpy.log(max(p, 1e-300)) for count, p in cells if count)

    bounds = max(0.0, -difference), (1 - difference) / 2
    only_lost = minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    variance = (2 * only_lost + difference - difference**2) / n
    return ((won - lost) / n - difference) ** 2 > norm.ppf(0.975) ** 2 * variance


@pytest.mark.parametrize(
    ("won", "lost", "n"), [(1, 0, 20), (0, 7, 30), (8, 3, 50), (60, 12, 300), (0, 0, 30), (30, 0, 30), (5, 5, 10)]
)
def test_tango_against_the_test_that_it_inverts(won, lost, n):
    low, high = tango(won, lost, n)
    assert -1 <= low < high <= 1 and low <= (won - lost) / n <= high
    assert tango(lost, won, n) == (pytest.approx(-high), pytest.approx(-low))
    for limit, outwards in ((low, -1), (high, 1)):
        if abs(limit) < 1:
            assert not rejected(won, lost, n, limit - outwards * 2e-3)
            assert rejected(won, lost, n, limit + outwards * 2e-3)


@pytest.mark.parametrize(("won", "lost"), [(0.02, 0.02), (0.1, 0.02), (0.3, 0.1)])
def test_tango_covers(won, lost):
    """In 95 % of simulated comparisons of 100 problems, within what 4,000 simulations can tell and few pairs allow."""
    counts = numpy.random.default_rng(0).multinomial(100, [won, lost, 1 - won - lost], 4000)
    limits = {pair: tango(*pair, 100) for pair in {(int(a), int(b)) for a, b, _ in counts}}
    inside = [limits[int(a), int(b)][0] <= won - lost <= limits[int(a), int(b)][1] for a, b, _ in counts]
    assert 0.935 <= sum(inside) / len(inside) <= 0.985


def test_holm():
    """By its definition: the k-th smallest of m is multiplied by m - k + 1, and none is below a smaller one's."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0] and holm([]) == []
    rng = numpy.random.default_rng(0)
    for values in rng.uniform(0, 0.2, (50, 7)):
        ranks = numpy.argsort(numpy.argsort(values))
        expected = [max(min(1, (7 - ranks[j]) * values[j]) for j in range(7) if values[j] <= v) for v in values]
        assert holm(list(values)) == pytest.approx(expected)


def sample(i, strict, flexible):
    correct = {"strict": strict, "flexible": flexible, "math_verify": flexible}
    return {"id": i, "family": "f", "correct": correct}


PROMPT = {"examples": [{"question": "?", "completion": "4 + 5 = 9\n#### 9"}]}


def test_a_comparison_by_hand():
    """Of ten problems, five are newly right by the answer tag, one is lost."""
    base = [sample(i, False, False) for i in range(3)] + [sample(i, False, True) for i in range(3, 9)]
    base += [sample(9, True, True)]
    policy = [sample(i, True, True) for i in range(5)] + [sample(i, False, True) for i in range(5, 9)]
    policy += [sample(9, False, False)]
    result = compare(base, policy, PROMPT)
    change = result["extractors"]["strict"]
    assert change == paired([False] * 9 + [True], [True] * 5 + [False] * 5)
    assert result["families"]["f"]["strict"] == change | {"p_adjusted": change["p"]}
    assert result["faults"] is None  # the solutions' steps are not known


def test_families_are_compared_apart():
    base = [sample(i, i < 2, False) | {"family": "ab"[i % 2]} for i in range(6)]
    policy = [sample(i, i % 2 == 0, True) | {"family": "ab"[i % 2]} for i in range(6)]
    families = compare(base, policy, PROMPT)["families"]
    assert [*families] == ["a", "b"]
    counts = {name: (of["strict"]["won"], of["strict"]["lost"], of["strict"]["n"]) for name, of in families.items()}
    assert counts == {"a": (2, 0, 3), "b": (0, 1, 3)}


def test_score_by_hand():
    value = score([True] * 3 + [False])
    assert (value["n"], value["correct"], value["value"]) == (4, 3, 0.75)


def test_smallest_detectable_change_by_hand():
    """Of 100 problems 6 are discordant: (1.96 + 0.84) sqrt(6) / 100 is more than 6 %; 8 are enough to speak of one."""

    def of(won, lost, n=100):
        same = [True] * (n - won - lost)
        return paired([False] * won + [True] * lost + same, [True] * won + [False] * lost + same)

    assert of(1, 5)["smallest_detectable"] is None
    assert of(3, 5)["smallest_detectable"] == pytest.approx((1.959964 + 0.841621) * 8**0.5 / 100)
    assert (of(3, 5)["n"], of(3, 5)["won"], of(3, 5)["lost"], of(3, 5)["difference"]) == (100, 3, 5, -0.02)


def test_bootstrap_is_scipys():
    """The percentile bootstrap of 10,000 means, from the generator of seed 0."""
    values = [0.0, 0.1, 0.35, 0.4, 0.85, 1.3, 2.9]
    means = bootstrap(
        (values,), numpy.mean, n_resamples=10_000, method="percentile", rng=numpy.random.default_rng(0), batch=1000
    ).confidence_interval
    assert mean_interval(values) == (means.low, means.high)
    assert mean_interval(values, seed=1) != mean_interval(values)


@pytest.mark.parametrize("value", [0, 1])
def test_equal_scores_are_no_certainty(value):
    """Of scores that are all 0 or all 1 the interval is that of as many answers that are wrong or right."""
    few = score([float(value)] * 4)
    shares = score([bool(value)] * 4)
    assert few == shares | {"low": pytest.approx(shares["low"]), "high": pytest.approx(shares["high"])}
    assert few["high"] - few["low"] > 0.4
    low, high = interval_of_scores([0.25] * 4)
    assert low == pytest.approx(score([True] + [False] * 3)["low"]) and low < 0.25 < high
    assert interval_of_scores([0.25]) > (0.0, 0.25)


def test_equal_changes_are_no_certainty():
    nothing, half = ([0.5] * 20, [0.5] * 20), ([0.0] * 20, [0.5] * 20)
    found = [(paired(*pair)["low"], paired(*pair)["high"]) for pair in (nothing, half)]
    assert found[0] == tango(0, 0, 20) and found[1] == tango(10, 0, 20) and found[1][0] < 0.5 < found[1][1]
    assert interval_of_changes([-0.5] * 20) == pytest.approx(tuple(-end for end in reversed(found[1])))


def test_two_problems_are_enough_for_an_interval():
    result = over_seeds([[False, False]], [[True, False], [True, False]])
    assert (result["low"], result["high"]) == (-1.0, 1.0)  # 0.5 ± 12.7 · 0.5
    result = over_seeds([[0.0, 0.0]], [[0.01, 0.03], [0.01, 0.03]])
    assert interval(result) == (0.02 - 12.7062047 * 0.01, 0.02 + 12.7062047 * 0.01)


def test_other_problems_are_refused():
    with pytest.raises(SystemExit, match="different problems"):
        compare([sample(0, True, True)], [sample(1, True, True)], PROMPT)


MEASURED_VALUES = {"data_sha256": "0" * 64, "prompts": {}, "decoding": {}, "engine": {"torch": "2"}}


def test_other_protocols_are_refused_by_name():
    metrics = []
    for batch_size in (8, 16):
        value = protocol("t", "test", {"system": ""}, {"batch_size": batch_size}, MEASURED_VALUES)
        metrics.append({"protocol": value, "protocol_hash": protocol_hash(value)})
    with pytest.raises(SystemExit, match=r"measured differently \(eval\)"):
        require_equal(*metrics)
    require_equal(metrics[0], metrics[0])


def test_other_engine_versions_are_refused_by_name():
    versions = [MEASURED_VALUES | {"engine": {"torch": version}} for version in ("2.12", "2.13")]
    values = [protocol("t", "test", {}, {}, measured) for measured in versions]
    metrics = [{"protocol": value, "protocol_hash": protocol_hash(value)} for value in values]
    with pytest.raises(SystemExit, match=r"measured differently \(engine\): .*--forcerun evaluate"):
        require_equal(*metrics)


@pytest.mark.parametrize("field", MEASURED)
def test_what_was_measured_is_a_part_of_the_protocol(field):
    """The same config, but other problems, prompts as rendered, decoding as resolved, or engine."""
    values = [protocol("t", "test", {}, {}, MEASURED_VALUES | {field: value}) for value in ("a", "b")]
    metrics = [{"protocol": value, "protocol_hash": protocol_hash(value)} for value in values]
    with pytest.raises(SystemExit, match=rf"measured differently \({field}\)"):
        require_equal(*metrics)


def interval(result):
    return pytest.approx((result["low"], result["high"]))


def test_over_seeds():
    before, after = [False] * 40, [[True] * 10 + [False] * 30, [True] * 20 + [False] * 20, [True] * 30 + [False] * 10]
    result = over_seeds([before], after)
    assert (result["seeds"], result["n"], result["mean"], result["difference"]) == (3, 40, 0.5, 0.5)
    assert result["sd"] == pytest.approx(stdev([0.25, 0.5, 0.75]))
    assert result["low"] < 0.5 < result["high"]
    # If seeds differ, the interval is wider than over problems alone.
    alone = over_seeds([before], [after[1]])
    assert alone["sd"] is None and result["high"] - result["low"] > alone["high"] - alone["low"]
    assert alone["low"] == pytest.approx(paired(before, after[1])["low"], abs=0.03)


def test_over_one_seed_is_the_pair():
    before, after = [False] * 20 + [True] * 20, [True] * 15 + [False] * 5 + [True] * 18 + [False] * 2
    found = over_seeds([before], [after])
    assert interval(found) == tango(15, 2, 40) and found["p"] == paired(before, after)["p"]
    scores = [0.25] * 20 + [0.5] * 20
    assert interval(over_seeds([[0.0] * 40], [scores])) == interval_of_changes(scores)


def test_seeds_alone_are_students_t_over_seeds():
    """If problems do not differ, the result is the t interval of the seeds' scores, or Welch's for two arms."""
    first, second = [[0.2] * 40, [0.4] * 40, [0.6] * 40], [[0.1] * 40, [0.15] * 40, [0.3] * 40, [0.2] * 40]
    one = over_seeds([[0.1] * 40], first)
    expected = ttest_1samp([0.1, 0.3, 0.5], 0)
    assert interval(one) == tuple(expected.confidence_interval()) and one["p"] == pytest.approx(expected.pvalue)
    two = over_seeds(second, first)
    expected = ttest_ind([0.2, 0.4, 0.6], [0.1, 0.15, 0.3, 0.2], equal_var=False)
    assert interval(two) == tuple(expected.confidence_interval()) and two["p"] == pytest.approx(expected.pvalue)


def test_seeds_and_problems_are_analysis_of_variance():
    """The mean squares of seeds, problems and their interaction, and Satterthwaite's degrees of freedom."""
    rng = numpy.random.default_rng(1)
    found = rng.random((4, 30)) < rng.random((1, 30)) * 0.6 + rng.random((4, 1)) * 0.4
    seeds, items = found.shape
    seed = items * found.mean(1).var(ddof=1)
    item = seeds * found.mean(0).var(ddof=1)
    rest = ((found - found.mean()) ** 2).sum() - (seeds - 1) * seed - (items - 1) * item
    rest /= (seeds - 1) * (items - 1)
    assert seed > rest and item > rest
    sizes = ((seed, seeds - 1), (item, items - 1), (rest, (seeds - 1) * (items - 1)))
    freedom = (seed + item - rest) ** 2 / sum(size**2 / degrees for size, degrees in sizes)
    half = t.ppf(0.975, freedom) * ((seed + item - rest) / found.size) ** 0.5
    mean = found.mean()
    assert interval(over_seeds([[False] * 30], found)) == (mean - half, mean + half)


def test_one_problem_says_nothing():
    result = over_seeds([[False]], [[True], [False]])
    assert (result["difference"], result["low"], result["high"]) == (0.5, -1.0, 1.0)


@pytest.mark.parametrize("other", ["the base model", "an arm of other seeds", "an arm of the same seeds"])
@pytest.mark.parametrize("seeds", [3, 10])
def test_interval_over_seeds_covers(other, seeds):
    """In 1,000 simulated studies, the interval covers the true effect at least about 95 % of the time."""
    rng, effect, covered = numpy.random.default_rng(0), 0.2, 0
    spread = {
        "the base model": (0.0, 0.08),
        "an arm of other seeds": (0.08, 0.08),
        "an arm of the same seeds": (0.02, 0.02),
    }
    for _ in range(1000):
        problems, shared = rng.beta(0.5, 0.5, 100), rng.normal(0, 0.08, (seeds, 1))
        shared = shared if other == "an arm of the same seeds" else 0.0
        ours = [rng.normal(0, sd, (seeds, 1)) + shared for sd in spread[other]]
        count = 1 if other == "the base model" else seeds
        before = rng.random((count, 100)) < 0.1 + 0.5 * problems + ours[0][:count]
        after = rng.random((seeds, 100)) < 0.1 + 0.5 * problems + effect + ours[1]
        result = over_seeds(before, after, other == "an arm of the same seeds")
        covered += result["low"] <= effect <= result["high"]
    assert 0.935 <= covered / 1000


def test_the_same_seeds_are_a_t_test_of_their_differences():
    """If problems do not differ, and with what both arms owe to a seed in none of it."""
    before, after = [[0.1] * 40, [0.5] * 40, [0.3] * 40], [[0.2] * 40, [0.7] * 40, [0.45] * 40]
    found = over_seeds(before, after, same_seeds=True)
    assert interval(found) == tuple(ttest_1samp([0.1, 0.2, 0.15], 0).confidence_interval())
    assert found["high"] - found["low"] < 0.3 < (apart := over_seeds(before, after))["high"] - apart["low"]


@pytest.mark.parametrize("change", [1.0, 1 - 1e-10, -1 + 1e-10, -1.0])
def test_the_largest_changes(change):
    low, high = interval_of_changes([change] * 20)
    assert -1.0 <= low <= high <= 1.0 and high - low > 0.05


@pytest.mark.parametrize("k", range(1, 301, 15))
def test_rounding_hides_no_agreement(k):
    """All scores are equal, though their mean and so their variance are not exactly so."""
    found = over_seeds([[0.0] * 30], [[k / 301] * 30] * 3)
    assert interval(found) == interval_of_changes([k / 301] * 30)


def test_over_seeds_without_change():
    """What never varies still has the width of one pair."""
    same = [True, False, True, False]
    result = over_seeds([same], [same, same])
    assert (result["difference"], result["sd"]) == (0.0, 0.0) and interval(result) == tango(0, 0, 4)
    never = mean_over_seeds([[False] * 30] * 3)
    assert never["value"] == never["low"] == 0.0 and never["high"] == tango(0, 0, 30)[1] > 0.1


def test_quantiles():
    assert quantiles([3, 1, 2]) == {
        "mean": 2.0,
        "p10": pytest.approx(1.2),
        "p50": 2.0,
        "p90": pytest.approx(2.8),
        "max": 3,
    }


def test_new_training_by_hand():
    """Three seeds that solve 4, 6 and 8 of 10: s = 0.2, t(0.975, 2) = 4.3027, so 0.6 ± 4.3027 · 0.2 · sqrt(4/3)."""
    seeds = [[i < solved for i in range(10)] for solved in (4, 6, 8)]
    assert new_training(seeds) == (0.0, 1.0)  # 0.6 ± 0.99
    seeds = [[i < solved for i in range(1000)] for solved in (590, 600, 610)]
    half = 4.302653 * 0.01 * (4 / 3) ** 0.5
    assert new_training(seeds) == pytest.approx((0.6 - half, 0.6 + half), abs=1e-6)


def test_seeds_that_agree_do_not_promise_that_all_will():
    """Half an item may flip: with 300 items three or four more or fewer are expected, not 30."""
    low, high = new_training([[i < 100 for i in range(300)]] * 3)
    assert 1 / 3 - 0.02 < low < 1 / 3 - 1 / 300 and 1 / 3 + 1 / 300 < high < 1 / 3 + 0.02


def test_half_an_item_by_hand():
    """Three seeds with the same 100 of 300 items: s² is half an item of 301 a training, and t(0.975, 2) = 4.3027."""
    half = 4.302653 * (0.5 / 301 / 300 * (1 + 1 / 3)) ** 0.5
    assert new_training([[i < 100 for i in range(300)]] * 3) == pytest.approx((1 / 3 - half, 1 / 3 + half), abs=1e-6)


def covered(rng, seeds, spread, runs=400, items=300):
    """How often an honest new training is within the interval, if trainings differ by `spread` on the logit scale."""
    hits = 0
    for _ in range(runs):
        skill = rng.normal(0, 2, items) + rng.normal(0, spread, (seeds + 1, 1))
        outcomes = rng.random((seeds + 1, items)) < 1 / (1 + numpy.exp(-skill))
        low, high = new_training(outcomes[:-1].tolist())
        hits += low <= outcomes[-1].mean() <= high
    return hits / runs


@pytest.mark.parametrize("spread", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("seeds", [3, 5])
def test_an_honest_training_is_accepted_as_often_as_is_said(seeds, spread):
    """95 %, give or take three standard errors of 400 trials, or more because of the least variance."""
    assert covered(numpy.random.default_rng(0), seeds, spread) >= 0.95 - 3 * (0.95 * 0.05 / 400) ** 0.5


def test_same_policy_by_hand():
    """Ten items differ: of ten fair coins 2 to 8 are heads with at least 95 %, so 6 fewer to 6 more of 100."""
    before = [True] * 50 + [False] * 50
    after = [True] * 45 + [False] * 5 + [True] * 5 + [False] * 45
    assert same_policy(before, after) == pytest.approx((0.44, 0.56))
    assert same_policy(before, before) == (0.5, 0.5)


def test_five_points_for_the_same_policy_are_too_many():
    before, after = [False] * 221 + [True] * 79, [False] * 206 + [True] * 94
    assert sum(after) / 300 > same_policy(before, after)[1]
