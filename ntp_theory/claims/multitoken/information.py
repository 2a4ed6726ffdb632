"""The information argument for several heads, in fractions: sums of logarithms that are equal are equal exactly."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checks import Check
from ...multitoken import (
    LogSum,
    cross_entropy,
    decompose,
    entropy,
    mutual_information,
    relative_information,
)
from ..registry import at_most, claim, same

Law = NDArray[Any]

DRAWN = 20


def _laws(count: int, seed: int, zeros: bool = False) -> list[Law]:
    """Joint laws in fractions, of 2 to 4 times 2 to 4 tokens; with zeros only where they may have some."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        shape = tuple(int(size) for size in rng.integers(2, 5, 2))
        found.append(_law(rng.integers(0 if zeros else 1, 7, shape)))
    return found


def _law(counts: NDArray[np.int64]) -> Law:
    counts[0, 0] += 1
    total = int(counts.sum())
    return np.array([[Fraction(int(c), total) for c in row] for row in counts], dtype=object)


def _pairs(seed: int) -> list[tuple[Law, Law]]:
    """A law with zeros, and a model without."""
    rng = np.random.default_rng(seed + 1)
    return [(p, _law(rng.integers(1, 7, p.shape))) for p in _laws(DRAWN, seed, zeros=True)]


def _conditional(joint: Law) -> LogSum:
    """``H(Y | X)``, the mean of the entropies of the rows."""
    rows = [(row.sum(), row / row.sum()) for row in joint if row.sum()]
    return sum((weight * entropy(law) for weight, law in rows), LogSum())


@claim("multitoken/information-identity", source="2404.19737 Sec. 5.2", evidence="exact")
def identity() -> Iterator[Check]:
    """H(X) + H(Y) = H(X|Y) + 2 I(X; Y) + H(Y|X).

    20 drawn joint laws in fractions, zeros included: both sides as sums of logarithms of primes; and I >= 0.
    """
    laws = _laws(DRAWN, 0, zeros=True)
    right = 0
    for p in laws:
        information = mutual_information(p)
        inside = _conditional(p.T) + 2 * information + _conditional(p)
        right += entropy(p.sum(1)) + entropy(p.sum(0)) == inside and information.sign >= 0
    yield same(DRAWN, right, statement="joint laws with equal sides and no negative information")


@claim("multitoken/definition-L2", source="2404.19737 Def. L.2", evidence="exact")
def definition() -> Iterator[Check]:
    """I_(p||q) = D(p || q_X q_Y) - D(p || q) = H(p_X, q_X) + H(p_Y, q_Y) - H(p, q).

    20 drawn pairs in fractions, as sums of logarithms of primes; at q = p it is the mutual information.
    """
    right = own = 0
    for p, q in _pairs(10):
        product = np.multiply.outer(q.sum(1), q.sum(0))
        divergences = (cross_entropy(p, product) - entropy(p)) - (cross_entropy(p, q) - entropy(p))
        losses = cross_entropy(p.sum(1), q.sum(1)) + cross_entropy(p.sum(0), q.sum(0)) - cross_entropy(p, q)
        right += relative_information(p, q) == divergences == losses
        own += relative_information(p, p) == entropy(p.sum(1)) + entropy(p.sum(0)) - entropy(p)
    yield same(DRAWN, right, statement="pairs of which the three forms are equal")
    yield same(DRAWN, own, statement="laws whose information in themselves is H(X) + H(Y) - H(X, Y)")


@claim("multitoken/lemma-L3", source="2404.19737 Lemma L.3", evidence="exact")
def lemma() -> Iterator[Check]:
    """H(p_X, q_X) + H(p_Y, q_Y) = H(p_(X|Y), q_(X|Y)) + 2 I_(p||q) + H(p_(Y|X), q_(Y|X)), and the same for one head.

    20 drawn pairs in fractions; one with 10 tokens in floats.
    """
    both = one = 0
    for p, q in _pairs(20):
        found = decompose(p, q)
        both += found.defect == found.residual == LogSum()
        one += found.loss_x == found.x_given_y + found.information
    yield same(DRAWN, both, statement="pairs with equal sides for two heads, and no residual")
    yield same(DRAWN, one, statement="pairs with equal sides for one head")
    p, q = np.random.default_rng(0).dirichlet(np.ones(100), 2).reshape(2, 10, 10)
    # 100 terms of at most 10 or so, each rounded to 1e-16 of its size
    yield at_most(0.0, abs(decompose(p, q).defect), slack=1e-13, evidence="certified", statement="defect in floats")


@claim("multitoken/relative-information-sign", source="derived", evidence="exact")
def sign() -> Iterator[Check]:
    """I_(p||q) may be negative: uniform p and q = (2/5, 1/10; 1/10, 2/5) give (1/2) log(16/25).

    Exactly; and for how many of 1000 random models of one law of two tokens out of 4, drawn uniformly.
    """
    p = np.full((2, 2), Fraction(1, 4))
    q = np.array([[Fraction(2, 5), Fraction(1, 10)], [Fraction(1, 10), Fraction(2, 5)]])
    found = relative_information(p, q)
    yield same("2 log 2 - log 5", str(found), statement="(1/2) log(16/25)")
    yield same(-1, found.sign, statement="its sign")
    rng = np.random.default_rng(0)
    law = rng.dirichlet(np.ones(16)).reshape(4, 4)
    negative = sum(relative_information(law, rng.dirichlet(np.ones(16)).reshape(4, 4)) < 0 for _ in range(1000))
    yield same(True, negative > 0, evidence="measured", statement=f"negative for {negative} of 1000 random models")


@claim("multitoken/product-heads", source="derived", evidence="exact")
def product() -> Iterator[Check]:
    """Parallel heads say a product of laws: then I_(p||q) = 0 for every p, and there is nothing to count twice.

    20 drawn laws, and the product of the marginals of another as their model, in fractions.
    """
    right = 0
    for p, q in _pairs(40):
        found = decompose(p, np.multiply.outer(q.sum(1), q.sum(0)))
        right += found.information == found.defect == LogSum()
    yield same(DRAWN, right, statement="pairs without relative information")


@claim("multitoken/chain-residual", source="derived", evidence="exact")
def residual() -> Iterator[Check]:
    """With a second head h that is not the chain's marginal, Lemma L.3 fails by exactly H(p_Y, h) - H(p_Y, q_Y).

    20 drawn laws, chains and heads in fractions: with I of the chain's own marginals the left side is larger by it,
    with h in the place of q_Y inside I smaller.
    """
    rng = np.random.default_rng(5)
    own = other = contradicting = 0
    for p, q in _pairs(60):
        h = _law(rng.integers(1, 7, (1, p.shape[1])))[0]
        found = decompose(p, q, h)
        gap = cross_entropy(p.sum(0), h) - cross_entropy(p.sum(0), q.sum(0))
        own += found.residual == gap and found.defect == LogSum()
        inside = cross_entropy(p, np.multiply.outer(q.sum(1), h)) - cross_entropy(p, q)
        left = found.loss_x + found.loss_y
        other += left - (found.x_given_y + 2 * inside + found.y_given_x) == -gap
        contradicting += gap.sign != 0
    yield same(DRAWN, own, statement="heads with that residual, information of the chain's own marginals")
    yield same(DRAWN, other, statement="heads with the residual of opposite sign, h in the information")
    yield same(True, contradicting > 0, statement=f"{contradicting} of {DRAWN} heads contradict their chain")


@claim("multitoken/erratum-factorisation", source="2404.19737 Sec. 2", evidence="exact", verdict="refuted as written")
def factorisation() -> Iterator[Check]:
    """Printed: the loss is -sum_t log P(x|z) * P(z|x), a product; the logarithm of a product was meant, a sum.

    With P(x|z) = P(z|x) = 1/2 the printed expression is half of log 1/2, what is meant twice; with a deterministic
    trunk, P(z|x) = 1, both are log P(x|z).
    """
    half = Fraction(1, 2)
    for trunk, expected in ((half, "-1/2 log 2, -2 log 2"), (Fraction(1), "-log 2, -log 2")):
        printed, meant = LogSum.of([(trunk, half)]), LogSum.of([(1, half * trunk)])
        yield same(expected, f"{printed}, {meant}", statement=f"printed and meant, P(x|z) = 1/2, P(z|x) = {trunk}")
