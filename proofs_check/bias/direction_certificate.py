"""A margin certifies a direction: cos(W, W_mm) >= (g(W)/||W||) / gamma, for W orthogonal to F with margin g(W) > 0.

g(W) is the smallest l_z - l_v over contexts, tokens z of the support and v off it; W_mm is the matrix of least norm
orthogonal to F with margin at least 1, and gamma = 1/||W_mm||. Proof: W/g(W) is feasible, W_mm is the point of the
convex feasible set nearest to 0, hence <W_mm, W/g(W)> >= ||W_mm||^2.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.data import Data, draw
from ..kit.rational import dot
from ..statement import Statement

statement = Statement(
    "bias/direction-certificate", source="derived (D5)", verdict="proved", needs=["bias/definition-3"]
)


@statement.proves(
    "margins are linear: W/g has margins l/g >= 1 where W has l >= g > 0, and a segment of feasible points is feasible"
)
def feasible() -> bool:
    g = sp.Symbol("g", positive=True)
    a, b = sp.symbols("a b", nonnegative=True)
    t = 1 / (1 + sp.Symbol("odds", nonnegative=True))  # in (0, 1]
    between = t * (1 + a) + (1 - t) * (1 + b) - 1
    return bool(sp.expand((g + a) / g - 1).is_nonnegative) and bool(sp.factor(between).is_nonnegative)


@statement.proves(
    "nearest point: if c = <W_mm, X - W_mm> < 0, moving by t = min(1, -c/D) towards X shortens, D = ||X - W_mm||^2"
)
def nearest_point() -> bool:
    down, D, t, more = sp.symbols("down D t more", positive=True)  # c = -down
    change = 2 * t * (-down) + t**2 * D  # of the squared norm
    inside = sp.simplify(change.subs(t, down / D))
    whole = sp.expand(change.subs(t, 1).subs(down, D + more))  # if -c/D >= 1
    return bool(inside.is_negative and whole.is_negative)


@statement.proves("<W_mm, W> >= g ||W_mm||^2 divided by the norms is the certificate")
def certificate() -> bool:
    g, norm, size, spare = sp.symbols("g norm size spare", positive=True)
    cosine = (g * size**2 + spare) / (norm * size)
    return is_zero(cosine - spare / (norm * size) - (g / norm) / (1 / size))


def margin(data: Data, matrix: list[Fraction]) -> Fraction:
    """g."""
    return min(dot(matrix, row) for row in data.margins.values())


@statement.confirms(
    "<W_mm, W> >= g(W) ||W_mm||^2", instances="20 separable rational datasets, 5 matrices each, in fractions"
)
def datasets() -> bool:
    found = 0
    for seed in range(60):
        data = draw(seed, vocab_size=4, dim=3, contexts=3, sizes=[1, 2, 3])
        point = data.svm.point
        if point is None or found == 20:
            continue
        found += 1
        for k, turn in enumerate(data.complement[:5]):
            scale = 4 + k
            W = [scale * w + x for w, x in zip(point, turn, strict=True)]
            if dot(point, W) < margin(data, W) * dot(point, point):
                return False
    return found == 20
