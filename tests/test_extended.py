"""Products of more than double precision against fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.extended import BITS, Extended, exact_product


def fractions(x):
    pairs = zip(x.high.tolist(), x.low.tolist(), strict=True)
    return [[Fraction(high) + Fraction(low) for high, low in zip(*rows, strict=True)] for rows in pairs]


@st.composite
def factors(draw):
    """Matrices whose entries differ by hundreds of orders of magnitude, with and without more digits."""
    m, n, k = (draw(st.integers(1, 5)) for _ in range(3))
    r = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spread = draw(st.sampled_from([0.0, 1.0, 30.0]))

    def matrix(rows, columns):
        high = torch.from_numpy(
            r.standard_normal((rows, columns)) * np.exp(spread * r.standard_normal((rows, columns)))
        )
        high = torch.where(torch.from_numpy(r.random((rows, columns)) < 0.2), 0.0, high)
        return Extended(high, high * torch.from_numpy(r.uniform(-1, 1, (rows, columns))) * 2.0**-54)

    return matrix(m, n), matrix(n, k)


@given(factors())
def test_products_keep_the_bits_they_promise(both):
    a, b = both
    left, right, found = fractions(a), fractions(b), fractions(exact_product(a, b))
    for row, out in zip(left, found, strict=True):
        for j, value in enumerate(out):
            column = [r[j] for r in right]
            size = max(map(abs, row)) * max(map(abs, column)) * len(row)
            assert abs(value - sum(x * y for x, y in zip(row, column, strict=True))) <= size / 2**BITS


@given(factors())
def test_sums_and_differences_are_rounded_once(both):
    a, _ = both
    b = Extended.of(a.low)
    for total, exact in ((a + b, lambda x, y: x + y), (a - b, lambda x, y: x - y)):
        for i, j in np.ndindex(*a.high.shape):
            x, y, z = fractions(a)[i][j], fractions(b)[i][j], fractions(total)[i][j]
            assert abs(z - exact(x, y)) <= (abs(x) + abs(y)) / 2**100


def test_long_inner_products_stay_exact():
    """Slices get thinner as the inner axis gets longer, so that sums of their products still fit in a double."""
    r = np.random.default_rng(0)
    a, b = (torch.from_numpy(r.standard_normal(shape)) for shape in ((1, 5000), (5000, 1)))
    found = exact_product(Extended.of(a), Extended.of(b))
    exact = sum(Fraction(x) * Fraction(y) for x, y in zip(a[0].tolist(), b[:, 0].tolist(), strict=True))
    size = Fraction(float(a.abs().max())) * Fraction(float(b.abs().max()))
    assert abs(Fraction(found.high.item()) + Fraction(found.low.item()) - exact) <= 5000 * size / 2**BITS


def test_many_matrices_at_once():
    r = np.random.default_rng(1)
    a, b = (torch.from_numpy(r.standard_normal(shape)) for shape in ((3, 2, 4), (3, 4, 5)))
    together = exact_product(Extended.of(a), Extended.of(b))
    for i in range(3):
        alone = exact_product(Extended.of(a[i]), Extended.of(b[i]))
        # the sums of the low parts may be taken in another order
        assert torch.equal(together.high[i], alone.high)
        assert (together.low[i] - alone.low).abs().max() <= 2.0**-90
