"""Monte Carlo of separability: its intervals, its draws, and the counts it is compared with."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import NTPDataset, check_separability
from ntp_theory.conditions import threshold
from ntp_theory.conditions.forests import generic_rank
from ntp_theory.conditions.threshold import Proportion, separability_probability, wendel_heuristic, wendel_probability
from ntp_theory.construct import random
from ntp_theory.errors import SolverError, UsageError
from tests.construct.oracles import is_separable


@st.composite
def samples(draw, undecided=0):
    draws = draw(st.integers(1, 300))
    successes = draw(st.integers(0, draws))
    open_ones = draw(st.integers(0, min(undecided, draws - successes)))
    return Proportion(draws, successes, open_ones, draw(st.sampled_from([0.5, 0.9, 0.95, 0.999])))


@given(samples())
def test_ends_are_where_the_tails_are_half_of_the_rest(found):
    tail = (1 - found.confidence) / 2
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    if found.successes > 0:
        at_least = scipy.stats.binom.sf(found.successes - 1, found.draws, found.low)
        assert at_least == pytest.approx(tail, rel=1e-8)  # the root is found to 1e-12; tails steepen it by < 1e4
    else:
        assert found.low == 0
    if found.successes < found.draws:
        assert scipy.stats.binom.cdf(found.successes, found.draws, found.high) == pytest.approx(tail, rel=1e-8)
    else:
        assert found.high == 1


# scipy overflows on probabilities below 1e-307
@given(st.integers(1, 12), st.just(0.0) | st.floats(1e-300, 1), st.sampled_from([0.8, 0.95]))
def test_interval_covers_as_often_as_it_says(draws, p, confidence):
    intervals = [Proportion(draws, k, confidence=confidence) for k in range(draws + 1)]
    covered = [k for k, found in enumerate(intervals) if found.low <= p <= found.high]
    assert scipy.stats.binom.pmf(covered, draws, p).sum() >= confidence - 1e-12  # rounding of the sum


@given(samples(undecided=20), st.data())
def test_interval_holds_whichever_way_the_undecided_fall(found, data):
    fallen = data.draw(st.integers(0, found.undecided))
    decided = Proportion(found.draws, found.successes + fallen, 0, found.confidence)
    assert found.low <= decided.low and decided.high <= found.high


def test_estimate_in_words():
    assert Proportion(40, 10).summary() == "10 of 40 draws: 0.250, between 0.127 and 0.412 at confidence 0.95"
    assert Proportion(40, 10, 30).summary().startswith("10 of 40 draws, 30 undecided: 0.250, between 0.127 and 1.000")


@given(st.integers(1, 60), st.integers(0, 70))
def test_wendel_counts_like_cover(n, d):
    """Cover's recursion on the number of separable labellings, its ends, and the symmetry of the sum."""
    count = 2**n * wendel_probability(n, d)
    assert count.denominator == 1
    if n == 1 or d == 0:
        assert count == (2 if d else 0)
    else:
        assert count == 2 ** (n - 1) * (wendel_probability(n - 1, d) + wendel_probability(n - 1, d - 1))
    assert (wendel_probability(n, d) == 1) == (d >= n)
    if d <= n:
        assert wendel_probability(n, d) + wendel_probability(n, n - d) == 1


@pytest.mark.parametrize(("points", "dim"), [(5, 2), (4, 3), (4, 5), (5, 1)])
def test_as_many_labellings_are_separable_as_cover_counts(points, dim):
    h = np.random.default_rng(points).standard_normal((points, dim))
    labellings = itertools.product(np.eye(2), repeat=points)
    separable = sum(check_separability(NTPDataset(h, np.stack(rows))).separable for rows in labellings)
    assert separable == wendel_probability(points, dim) * 2**points


@given(
    st.tuples(st.integers(2, 5), st.integers(1, 4), st.integers(1, 7)),
    st.integers(1, 3),
    st.integers(0, 2**32 - 1),
)
def test_draws_are_those_of_the_random_model(shape, size, seed):
    v, d, m = shape
    sizes = (1, min(size, v))
    found = separability_probability(v, d, m, sizes, draws=3, rng=seed)
    data = [random(v, d, m, sizes, rng) for rng in np.random.default_rng(seed).spawn(3)]
    assert found == Proportion(3, sum(is_separable(x.embeddings.numpy(), x.support.numpy()) for x in data))


@given(st.integers(2, 5), st.integers(1, 4), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_heuristic_is_the_count_in_the_complement_of_f(v, d, m, seed):
    """For supports of two tokens dim F is the generic rank of a graph."""
    data = [random(v, d, m, 2, rng) for rng in np.random.default_rng(seed).spawn(3)]
    counts = [wendel_probability(m * (v - 2), (v - 1) * d - generic_rank(x.pattern, d)) for x in data]
    assert wendel_heuristic(v, d, m, 2, draws=3, rng=seed) == sum(counts) / 3


def test_more_than_one_process_gives_the_same_answer():
    place = (3, 2, 4, (1, 3))
    draws = 2 * threshold.BATCH + 1
    assert separability_probability(*place, draws=draws, workers=2) == separability_probability(*place, draws=draws)


def test_a_generator_goes_on_and_a_seed_begins_again():
    rng = np.random.default_rng(5)
    place = (2, 2, 6, 1)
    first, second = (separability_probability(*place, draws=30, rng=rng) for _ in range(2))
    assert first == separability_probability(*place, draws=30, rng=5) != second


def test_with_as_many_dimensions_as_contexts_all_is_separable():
    assert separability_probability(4, 5, 5, (1, 4), draws=20).successes == 20
    assert wendel_heuristic(4, 5, 5, (1, 4), draws=20) == Fraction(1)


def test_what_cannot_be_decided_is_counted(monkeypatch):
    calls = iter(range(100))

    def stuck(data):
        if next(calls) % 4 == 0:
            raise SolverError("stuck")
        return check_separability(data)

    whole = separability_probability(2, 3, 3, 1, draws=40)
    monkeypatch.setattr(threshold, "check_separability", stuck)
    found = separability_probability(2, 3, 3, 1, draws=40)
    assert (whole.successes, whole.undecided) == (40, 0)
    assert found == Proportion(40, 30, 10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocab_size": 0}, "vocab_size is 0"),
        ({"support_size": 4}, "support_size is 4; it must be a whole number >= 1 and <= 3"),
        ({"draws": 0}, "draws is 0"),
        ({"workers": 0}, "workers is 0"),
        ({"confidence": 1.0}, "confidence is 1.0; it must be strictly between 0 and 1"),
        ({"confidence": float("nan")}, "confidence is nan"),
        ({"rng": -1}, "rng is -1"),
    ],
)
def test_wrong_input_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        separability_probability(**{"vocab_size": 3, "dim": 2, "num_contexts": 4, "support_size": 1} | options)


def test_numbers_that_are_no_sample_are_refused():
    with pytest.raises(UsageError, match="successes is 3; it must be a whole number >= 0 and <= 2"):
        Proportion(2, 3)
    with pytest.raises(UsageError, match="undecided is 2"):
        Proportion(3, 2, 2)
    with pytest.raises(UsageError, match="num_points is -1"):
        wendel_probability(-1, 2)
