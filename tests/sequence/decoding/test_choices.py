"""The enumerator finds known laws, and samples follow them."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from ntp_theory.errors import UsageError
from ntp_theory.sequence.decoding import Sampled, law, total_variation
from ntp_theory.testing import tables


@given(st.integers(0, 6), st.fractions(0, 1, max_denominator=9))
def test_binomial_law(n, p):
    found = law(lambda choices: sum(choices.accept(p) for _ in range(n)))
    binomial = {k: math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)}
    assert found == {k: weight for k, weight in binomial.items() if weight}


@given(tables(max_memory=1))
def test_later_draws_may_depend_on_earlier_ones(table):
    found = law(lambda choices: (first := choices.draw(table.law([])), choices.draw(table.law([first]))))
    assert sum(found.values()) == 1
    assert all(weight == table.law([])[a] * table.law([a])[b] > 0 for (a, b), weight in found.items())


def test_a_decoder_runs_once_a_branch():
    runs = []
    law(lambda choices: runs.append([choices.accept(Fraction(1, 2)) for _ in range(3)]))
    assert sorted(runs) == [[a, b, c] for a in (False, True) for b in (False, True) for c in (False, True)]


def test_what_is_certain_is_no_branch():
    assert law(lambda choices: (choices.accept(1), choices.accept(0), choices.draw([0, 0, 1]))) == {(True, False, 2): 1}


@given(tables(max_memory=0, largest=9), st.integers(0, 100))
def test_samples_have_positive_probability(table, seed):
    choices, p = Sampled(seed), table.law([])
    assert all(p[choices.draw(p)] > 0 for _ in range(50))
    assert choices.accept(Fraction(1)) and not choices.accept(Fraction(0))


def test_samples_follow_the_law():
    """Sums in double precision; the p-value is of one fixed seed."""
    choices, p = Sampled(1), np.array([0.1, 0.0, 0.2, 0.7])
    counts = np.bincount([choices.draw(p) for _ in range(20_000)], minlength=4)
    assert counts[1] == 0 and chisquare(counts[p > 0], 20_000 * p[p > 0]).pvalue > 1e-3
    yes = sum(choices.accept(Fraction(1, 3)) for _ in range(20_000))
    assert chisquare([yes, 20_000 - yes], [20_000 / 3, 40_000 / 3]).pvalue > 1e-3


def test_total_variation():
    half = Fraction(1, 2)
    assert total_variation({0: 1}, {1: 1}) == 1
    assert total_variation({0: half, 1: half}, {0: 1}) == half
    assert total_variation({0: half, 1: half}, {1: half, 0: half}) == 0


def test_door():
    with pytest.raises(UsageError, match="rng is -1"):
        Sampled(-1)
