"""k parameters cannot fit arbitrary distributions on more than k / (zeta - 1) contexts: the rank of the Jacobian.

For a C^1 map from parameters theta in R^k to the logits of n contexts over zeta tokens, centred in each context, the
Jacobian has rank at most min(k, n (zeta - 1)). If k < N = n (zeta - 1), the image has volume 0 in the space R^N of
centred logits, which are in one-to-one smooth correspondence with the positive distributions. So almost no choice of n
distributions is attained: fitting every choice exactly needs n (zeta - 1) <= k. (Of fitting nearly it says nothing.)
"""

from __future__ import annotations

import random

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..kit.rational import rank
from ..statement import Statement

statement = Statement(
    "capacity/jacobian-rank",
    source="2405.13718 (summary)",
    verdict="proved",
    known=["a continuous slope is bounded on a cube, and countably many sets of volume 0 have a union of volume 0"],
)

v, zeta = sp.symbols("v zeta", integer=True, positive=True)
logit = sp.IndexedBase("l", real=True)
centre = sp.Sum(logit[v], (v, 1, zeta)) / zeta


@statement.proves(
    "zeta centred logits sum to 0 identically, and so do their slopes: a context adds at most zeta - 1 to the rank"
)
def centred() -> bool:
    theta, moving = sp.Symbol("theta", real=True), sp.Function("l")
    mean = sp.Sum(moving(v, theta), (v, 1, zeta)) / zeta
    total = sp.Sum(moving(v, theta), (v, 1, zeta)) - zeta * mean
    slopes = sp.Sum(sp.diff(moving(v, theta), theta), (v, 1, zeta)) - zeta * sp.diff(mean, theta)
    return bool(split(total) == 0 and split(slopes.doit()) == 0)


@statement.proves(
    "softmax of log p minus its mean is p, and log softmax of l minus its mean is l, for sum p = 1, sum l = 0"
)
def correspondence() -> bool:
    p, mean, level, one = sp.symbols("p m L l", positive=True)
    # the exponentials e^{log p_v - m} = p_v e^{-m} sum to e^{-m}; log softmax is l - L, whose mean is -L
    there = is_zero(sp.exp(sp.log(p) - mean) / sp.exp(-mean) - p)
    back = sp.expand(
        (one - level) - (split(sp.Sum(logit[v] - level, (v, 1, zeta)) / zeta).subs(split(centre), 0)) - one
    )
    return bool(there and back == 0)


@statement.proves(
    "volume: q^k cubes of edge 1/q cover a unit cube, each has its image in a cube of edge 2 M sqrt k / q (M bounds the"
    " slopes), and q^k (2 M sqrt k / q)^N -> 0 when N >= k + 1"
)
def volume() -> bool:
    k, more = sp.Symbol("k", positive=True), sp.Symbol("e", nonnegative=True)  # N = k + 1 + e
    slope, q = sp.symbols("M q", positive=True)
    total = q**k * (2 * slope * sp.sqrt(k) / q) ** (k + 1 + more)
    constant = (2 * slope * sp.sqrt(k)) ** (k + 1 + more)
    power = sp.simplify(sp.expand_log(sp.log(total / constant) + (1 + more) * sp.log(q)))
    return bool(power == 0 and sp.limit(q ** (-1 - more), q, sp.oo) == 0)


@statement.confirms(
    "exact ranks of Jacobians of centred logits, quadratic in theta with integer coefficients, are at most min(k, N)",
    instances="60 maps, k, n, zeta <= 4, at rational points",
)
def ranks() -> bool:
    rng = random.Random(0)
    for _ in range(60):
        k, n, size = rng.randint(1, 4), rng.randint(1, 4), rng.randint(2, 4)
        point = [sp.Rational(rng.randint(-9, 9), 7) for _ in range(k)]
        rows = []
        for _context in range(n):
            slopes = [[rng.randint(-5, 5) * x + rng.randint(-5, 5) for x in point] for _ in range(size)]
            means = [sum(column) / size for column in zip(*slopes, strict=True)]
            rows += [[x - m for x, m in zip(row, means, strict=True)] for row in slopes]
        if rank(rows) > min(k, n * (size - 1)):
            return False
    return True
