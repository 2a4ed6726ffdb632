"""Information in fractions: identities that hold exactly, and floats that agree with them."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import DatasetError, UsageError
from ntp_theory.multitoken import (
    LogSum,
    cross_entropy,
    decompose,
    entropy,
    mutual_information,
    relative_information,
)
from ntp_theory.testing import joint_laws

fractions = st.fractions(Fraction(1, 60), 60, max_denominator=60)
terms = st.lists(st.tuples(st.fractions(-3, 3, max_denominator=6), fractions), max_size=4)


@given(terms, terms)
def test_log_sums_are_a_vector_space_with_the_order_of_their_values(one, other) -> None:
    a, b = LogSum.of(one), LogSum.of(other)
    assert a + b == LogSum.of(one + other) and a - a == LogSum() and 2 * a == a + a
    value = math.fsum(float(c) * math.log(x) for c, x in one)
    assert float(a) == pytest.approx(value, abs=1e-12)
    if abs(float(a) - float(b)) > 1e-9:
        assert (a < b) == (float(a) < float(b)) and (a >= b) == (float(a) >= float(b))
    assert (a <= b and b <= a) == (a == b)


def test_equal_sums_are_equal_however_they_are_written() -> None:
    assert LogSum.of([(Fraction(1, 2), 4)]) == LogSum.of([(1, 2)]) != LogSum.of([(1, Fraction(2000001, 1000000))])
    assert str(LogSum.of([(-1, 2), (Fraction(1, 3), 5)])) == "-log 2 + 1/3 log 5" and str(LogSum()) == "0"
    assert LogSum.of([(193, 3)]) < LogSum.of([(306, 2)]) < LogSum.of([(193, 3), (1, Fraction(9, 8))])
    with pytest.raises(UsageError, match="logarithm of 0"):
        LogSum.of([(1, 0)])


@given(st.data())
def test_heads_lose_conditional_losses_and_twice_the_information(data) -> None:
    p = data.draw(joint_laws())
    q = data.draw(joint_laws(shape=p.shape, positive=True))
    h = data.draw(joint_laws(shape=(1, p.shape[1]), positive=True))[0]
    found = decompose(p, q, h)
    assert found.defect == LogSum()
    assert found.loss_x == found.x_given_y + found.information
    assert found.residual == cross_entropy(p.sum(0), h) - cross_entropy(p.sum(0), q.sum(0))
    assert decompose(p, q).residual == LogSum()
    # next-token prediction's own loss on both tokens is the joint cross-entropy
    assert found.loss_x + found.y_given_x == cross_entropy(p, q)


@given(joint_laws())
def test_information_is_that_of_entropies_and_not_negative(p) -> None:
    found = mutual_information(p)
    assert found == entropy(p.sum(0)) + entropy(p.sum(1)) - entropy(p) and found.sign >= 0
    product = np.multiply.outer(p.sum(1), p.sum(0))
    assert mutual_information(product) == relative_information(p, product) == LogSum()


@given(st.data())
def test_floats_agree_with_fractions(data) -> None:
    p = data.draw(joint_laws())
    q = data.draw(joint_laws(shape=p.shape, positive=True))
    exact, rounded = decompose(p, q), decompose(p.astype(float), q.astype(float))
    for name in ("loss_x", "loss_y", "x_given_y", "y_given_x", "information", "residual", "defect"):
        assert float(getattr(exact, name)) == pytest.approx(getattr(rounded, name), abs=1e-12)


def test_entropy_of_a_fair_choice() -> None:
    assert entropy([Fraction(1, 8)] * 8) == LogSum.of([(3, 2)]) and entropy([1, 0]) == LogSum()
    assert entropy([0.25] * 4) == pytest.approx(math.log(4))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: entropy([Fraction(1, 2), Fraction(1, 3)]), "law sums to 5/6"),
        (lambda: entropy([0.5, 0.6]), "law sums to 1.1"),
        (lambda: entropy([1.5, -0.5]), r"law\[1\] is -0.5"),
        (lambda: cross_entropy([0.5, 0.5], [1.0, 0.0]), r"model\[1\] is 0 where law is not"),
        (lambda: cross_entropy([0.5, 0.5], [1.0]), r"model has shape \(1,\) but law has \(2,\)"),
        (lambda: mutual_information([0.5, 0.5]), "joint must be a matrix"),
        (lambda: mutual_information([Fraction(1, 2)] * 2), "joint must have 2 dimensions"),
        (lambda: decompose([[1.0]], [[1.0]], [0.5, 0.5]), "head has shape"),
    ],
)
def test_refused(call, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        call()
