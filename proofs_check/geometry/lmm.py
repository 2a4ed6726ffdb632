"""The max-margin logits: the least nuclear norm under the margin constraints of the supports.

    L_mm  in  argmin ||L||_*   subject to   L[z, j] = L[z', j] on the support S_j,   L[z, j] - L[v, j] >= 1 off it.

Such logits exist for all supports; the columns of a solution sum to 0; and a matrix D of spectral norm at most 1, with
columns that sum to 0 and entries <= 0 off the supports, bounds the least value from below by minus the sum of those
entries. (That L_mm is the limit of the direction of trained logits is geometry/ufm-limit. Nothing here says that the
solution is unique.)
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import sympy as sp

from ..kit.algebra import is_zero
from ..kit.matrices import diagonals, matrices, transpose, vanishes
from ..kit.spectra import eigenvalues, nuclear_norm
from ..statement import Statement

statement = Statement(
    "geometry/lmm",
    source="2408.15417 (as recalled)",
    verdict="proved",
    needs=["geometry/ufm-nuclear"],
    known=["a continuous function on a compact set has a minimum"],
)

W, H, D = matrices("W H D")
h = transpose(H)


@statement.proves(
    "there are such logits: the centred support, 1 - S_j / V on it and -S_j / V off it; so the least value is "
    "attained, on the closed set of feasible logits of no larger norm"
)
def feasible() -> bool:
    size, V = sp.symbols("S V", positive=True)
    on, off = 1 - size / V, -size / V
    return is_zero(on - off - 1) and is_zero(size * on + (V - size) * off)


@statement.proves(
    "columns of a solution sum to 0: with the factors W, H of L that cost ||L||_*, (1 - P) W and H, P = 1 1' / V, cost "
    "|P W|^2 / 2 less, and their product is feasible: it has the differences of L"
)
def centred() -> bool:
    (P,) = diagonals("P")
    moved, lost = (1 - P) * W, P * W
    pythagoras = transpose(moved) * moved + transpose(lost) * lost - transpose(W) * W
    a, b, mean = sp.symbols("a b mean")
    return vanishes(pythagoras, {P * P: P}, trace=True) and is_zero((a - mean) - (b - mean) - (a - b))


@statement.proves(
    "||L||_* >= <L, D> if 1 - D'D >= 0: twice the cost of any L = W H exceeds 2 <L, D> by |W - D H'|^2 plus the trace "
    "of H (1 - D'D) H'"
)
def dual_bound() -> bool:
    cost, rest = transpose(W) * W + H * h - 2 * transpose(D) * W * H, W - D * h
    return vanishes(cost - transpose(rest) * rest - H * (1 - transpose(D) * D) * h, trace=True)


@statement.proves(
    "<L, D> >= minus the sum of D off the supports: entries a on a support and a - 1 - x off it, x >= 0, against a "
    "column of D that sums to 0 and is -g <= 0 off it"
)
def column_by_column() -> bool:
    # `off` is the sum of g over one column; on the support D sums to the same. One entry g, x stands for the rest.
    a = sp.Symbol("a", real=True)
    off, g, x = sp.symbols("off g x", nonnegative=True)
    level = a * off + (a - 1) * (-off)
    excess = sp.expand((a - 1 - x) * (-g) - (a - 1) * (-g))
    return is_zero(level - off) and excess.is_nonnegative is True


@statement.confirms(
    "primal and dual matrices, found in floating point and checked in fractions, enclose the least value",
    instances="V = 5, supports {0, 1}, {0, 2}, {3, 4}: between 2.9486 and 2.9487",
)
def enclosed() -> bool:
    masks = np.array([[v in s for s in ((0, 1), (0, 2), (3, 4))] for v in range(5)])
    lower = np.zeros((5, 3))
    lower[:, 2] = [-0.8, 0.2, 0.2, 0.2, 0.2]
    # the solution is S~ with token 0 lowered in the third context, by about 0.29057
    found = masks - masks.mean(0) + 0.29057 * lower
    u, _, vt = np.linalg.svd(found, full_matrices=False)
    primal, dual = (sp.Matrix(5, 3, [_rational(x) for x in matrix.ravel()]) for matrix in (found, u @ vt))
    off = [(v, j) for v, j in itertools.product(range(5), range(3)) if not masks[v, j]]
    for v, j in off:
        primal[v, j] = min(primal[v, j], primal[min(z for z in range(5) if masks[z, j]), j] - 1)
        dual[v, j] = min(dual[v, j], 0)
    for j in range(3):
        on = [z for z in range(5) if masks[z, j]]
        primal[on[1], j] = primal[on[0], j]
        dual[on[0], j] -= sum(dual[:, j])
    dual *= sp.Rational(99_999, 100_000)
    short = all(value.b <= 1 for value, _ in eigenvalues(dual.T * dual))
    bound = -sum(dual[v, j] for v, j in off)
    return bool(short and 2.9486 < bound and nuclear_norm(primal).b < 2.9487)


def _rational(x: float) -> sp.Rational:
    return sp.Rational(str(Fraction(x).limit_denominator(10**8)))
