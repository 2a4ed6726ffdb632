"""The misalignment of Lemma 5 in numbers: ||U - W_mm|| >= eps and ||U|| = ||W_mm|| give delta >= eps^2/(2 ||W_mm||^2).

U is orthogonal to F, and delta = 1 - g(U) is its margin deficit: g(U), of either sign, is the smallest l_z - l_v over
contexts, tokens z of the support and v off it. W_mm has the least norm among matrices orthogonal to F with g >= 1.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.data import draw
from ..kit.rational import dot
from ..statement import Statement

statement = Statement(
    "bias/lemma-5-modulus", source="derived (D5)", verdict="proved", needs=["bias/direction-certificate"]
)

N, eps = sp.symbols("N eps", positive=True)  # N = ||W_mm||
g = sp.Symbol("g", real=True)
BOUND = eps**2 / (2 * N**2)


@statement.proves("g <= 1: otherwise U/g would be feasible, with norm N/g < N")
def at_most_one() -> bool:
    more = sp.Symbol("more", positive=True)
    return bool(sp.factor(N - N / (1 + more)).is_positive)


@statement.proves(
    "U + (1 - g) W_mm has margins at least g + (1 - g) = 1, as 1 - g >= 0, so <W_mm, U> + (1 - g) N^2 >= N^2"
)
def feasible() -> bool:
    short, a, b = sp.symbols("short a b", nonnegative=True)  # 1 - g, and what margins of U and W_mm have beyond g and 1
    margin = ((1 - short) + a) + short * (1 + b)
    inner = sp.Symbol("inner", real=True)
    # <W_mm, X> >= ||W_mm||^2 for feasible X (`bias/direction-certificate`)
    return bool(sp.expand(margin - 1).is_nonnegative) and is_zero((inner + (1 - g) * N**2 - N**2) - (inner - g * N**2))


@statement.proves("equal norms: ||U - W_mm||^2 = 2 N^2 - 2 <W_mm, U> <= 2 N^2 (1 - g), so 1 - g >= BOUND")
def modulus() -> bool:
    spare, further = sp.symbols("spare further", nonnegative=True)
    inner = g * N**2 + spare
    squared = 2 * N**2 - 2 * inner  # = eps^2 + further
    delta = sp.solve(sp.Eq(squared, eps**2 + further), g)[0]
    return bool(sp.expand((1 - delta) - BOUND).is_nonnegative)


@statement.confirms(
    "1 - g >= ||U - W_mm||^2/(2 ||W_mm||^2)",
    instances="20 separable rational datasets, W_mm reflected in 5 ways, in fractions",
)
def datasets() -> bool:
    found = 0
    for seed in range(60):
        data = draw(seed, vocab_size=4, dim=3, contexts=3, sizes=[1, 2, 3])
        point = data.svm.point
        if point is None or found == 20:
            continue
        found += 1
        for k in range(5):
            mirror = [3 * w + x for w, x in zip(point, data.complement[k % len(data.complement)], strict=True)]
            share = 2 * dot(point, mirror) / dot(mirror, mirror)
            turned = [share * u - w for u, w in zip(mirror, point, strict=True)]  # of the same norm
            smallest = min(dot(turned, row) for row in data.margins.values())
            apart = [a - b for a, b in zip(turned, point, strict=True)]
            if 1 - smallest < dot(apart, apart) / (2 * dot(point, point)):
                return False
    return found == 20
