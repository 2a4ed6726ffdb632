"""Formulas for acceptances, and typical acceptance; survival is tried against enumeration in test_verification."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.sequence.decoding import (
    acceptance_rate,
    independent_tokens,
    operations_factor,
    survival,
    typical_threshold,
    typical_tokens,
    walltime_factor,
)
from ntp_theory.testing import table_pairs, tables

rates = st.fractions(0, 1, max_denominator=9)


@given(table_pairs(max_memory=0))
def test_acceptance_is_symmetric_and_1_only_for_equal_laws(pair):
    p, q = (table.law([]) for table in pair)
    assert acceptance_rate(p, q) == acceptance_rate(q, p) <= 1
    assert (acceptance_rate(p, q) == 1) == (list(p) == list(q))


@given(table_pairs(max_memory=1), st.integers(1, 4))
def test_survival_falls(pair, gamma):
    found = survival(pair[0].law, pair[1].law, gamma)
    assert len(found) == gamma and all(b <= a for a, b in zip(found, found[1:], strict=False))


@given(rates, st.integers(0, 6), rates)
def test_formulas(rate, gamma, cost):
    blocks = independent_tokens(rate, gamma)
    assert blocks * (1 - rate) == 1 - rate ** (gamma + 1) and 1 <= blocks <= gamma + 1
    assert walltime_factor(rate, gamma, cost) == blocks / (gamma * cost + 1)
    assert operations_factor(rate, gamma, cost) * blocks == gamma * cost + gamma + 1


@given(tables(max_memory=0, max_vocab_size=8, largest=9))
def test_typical_tokens(table):
    """In integers as in floats, away from equality; with the likeliest token among them, and not too many."""
    p = table.law([])
    kept, threshold = typical_tokens(p), typical_threshold(p)
    assert kept[p.argmax()] and kept.sum() * threshold < 1
    for x, value in enumerate(p):
        if not math.isclose(value, threshold, rel_tol=1e-9):
            assert kept[x] == (value > threshold) == typical_tokens(p.astype(float))[x]


def test_typical_tokens_at_equality():
    """Exactly delta exp(-H), with H = log 2: not more, so not kept."""
    half = [Fraction(1, 2)] * 2
    assert not typical_tokens(half, epsilon=1, delta=1).any() and typical_tokens(half, epsilon=1, delta=0.999).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: survival(None, None, 0), "gamma is 0"),
        (lambda: independent_tokens(1.5, 2), "rate is 1.5"),
        (lambda: independent_tokens(0.5, -1), "gamma is -1"),
        (lambda: walltime_factor(0.5, 2, -1), "cost is -1"),
        (lambda: operations_factor(0.5, 2, math.nan), "cost is nan"),
        (lambda: typical_tokens([0.5, 0.5], epsilon=0), "epsilon is 0"),
        (lambda: typical_tokens([Fraction(1)], delta=-1), "delta is -1"),
    ],
)
def test_doors(call, message):
    with pytest.raises(UsageError, match=message):
        call()
