"""The replica A2 of experiment A.2 has the recorded entropy, norms, dimension and trajectories.

m = 50 contexts, V = 10, d = 60, supports of 6 tokens, seed 0 of the standard recipe:

    H = 1.4887,   ||W_mm||^2 = 9.238,   ||W*|| = 3.323,   dim F = 250,   L <= 1.877, so 1/(2L) = 0.266 < step 0.5 < 2/L

Gradient descent with step 0.5 from 0 has, after 10^4 steps: CE - H = 1.89e-3, cos(W, W_mm) = 0.933, and ||P_F W - W*||
= 5.8e-2. Also recorded: 3.8e-4, 0.956, 1.2e-2 for normalised GD; 2.6e-5, 0.951, 6.6e-3 for Adam; 146 active
constraints. The first line is proved here, for the recipe rounded to multiples of 2^-30: H is the entropy, W_mm the
max-margin decoder, W* the solution of the log-odds equations in F, L bounds the curvature of CE (`bias/smoothness`).
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from mpmath import iv

from ..kit.data import standard
from ..kit.decoders import Decoders, positive_definite
from ..kit.intervals import interval
from ..kit.rational import dot, rank
from ..statement import Statement

statement = Statement(
    "bias/a2-replica",
    source="derived (replica of 2402.18551 App. A.2)",
    verdict="open",
    missing="the trajectories of GD, normalised GD and Adam, the 146 active constraints and the least multiplier: "
    "known from floating-point runs alone",
    needs=["bias/data-subspace", "bias/definition-3", "bias/lemma-1", "bias/smoothness"],
)

DOMAIN = "the instance A2, rounded to multiples of 2^-30"


@cache
def instance() -> Decoders:
    """A2."""
    return Decoders(standard(0, 10, 60, 50, 6, bits=30), bits=30)


def rounds_to(value: Any, printed: str) -> bool:
    """Whether all of an interval rounds to the printed decimal."""
    half = Fraction(1, 2 * 10 ** len(printed.partition(".")[2]))
    low, high = interval(Fraction(printed) - half), interval(Fraction(printed) + half)
    return bool(low.b < value.a and value.b < high.a)


@statement.certifies("the entropy rounds to 1.4887", domain=DOMAIN)
def entropy() -> bool:
    data, total = instance().data, interval(0)
    for weight, row in zip(data.weights, data.probabilities, strict=True):
        total -= interval(weight) * sum((interval(p) * iv.log(interval(p)) for p in row if p), interval(0))
    return rounds_to(total, "1.4887")


@statement.certifies("the embeddings are independent, which makes the 50 . 5 generators so: dim F = 250", domain=DOMAIN)
def dimension() -> bool:
    # a combination of generators with coefficients c_jz has row -sum_j c_jz h_j at a token z that is no anchor; in
    # general it is sum_j c_j h_j^T with c_j of sum 0 on the support, 0 only if every c_j is
    data = instance().data
    sizes = [len(support) - 1 for support in data.supports]
    return rank(data.embeddings) == 50 and len(data.generators) == sum(sizes) == 250


@statement.certifies("||W*|| rounds to 3.323: least norm with the log-odds as logit differences", domain=DOMAIN)
def finite_part() -> bool:
    p = instance().data.probabilities
    low, high = instance().least_norm(lambda j, z: iv.log(interval(p[j][z])))
    return rounds_to(iv.mpf([low.a, high.b]), "3.323")


@statement.certifies("||W_mm||^2 rounds to 9.238: dual value below, feasible decoder above", domain=DOMAIN)
def max_margin() -> bool:
    low, high = instance().max_margin()
    return rounds_to(iv.mpf([low.a, high.b]), "9.238")


@statement.certifies("half the greatest eigenvalue of sum_j pi_j h_j h_j^T rounds to 1.877", domain=DOMAIN)
def smoothness() -> bool:
    # its nonzero eigenvalues are those of the Gram matrix (m, m) over m; a quotient x^T A x / x^T x bounds from below
    gram = [[Fraction(x, 4**30 * 100) for x in row] for row in instance().gram]
    top = np.linalg.eigh(np.array(gram, dtype=float))[1][:, -1]
    x = [Fraction(round(float(value) * 2**20)) for value in top]
    quotient = dot(x, [dot(row, x) for row in gram]) / dot(x, x)
    rows = enumerate(gram)
    rest = [[interval(Fraction("1.8775") * (i == j) - entry) for j, entry in enumerate(row)] for i, row in rows]
    return quotient > Fraction("1.8765") and positive_definite(rest)


@statement.certifies(
    "with L <= 1.8775: 1/(2L) >= 0.266 to three digits, below the step 0.5, and 0.5 < 2/L", domain=DOMAIN
)
def steps() -> bool:
    L = iv.mpf([interval("1.8765").a, interval("1.8775").b])
    return rounds_to(1 / (2 * L), "0.266") and bool((2 / L).a > 0.5)
