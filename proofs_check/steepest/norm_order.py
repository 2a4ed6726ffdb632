"""Every entrywise and every Schatten p-norm, p >= 1, lies between the largest entry and the sum of all entries.

    max_ij |A_ij|  <=  ||A||_p  <=  sum_ij |A_ij|,        ||A||_p entrywise, or that of the singular values of A.

In the proof ||A||_op = max |A x| / |x| is the largest singular value. The margins of one data set come in the reverse
order, and so do the dual norms.
"""

from __future__ import annotations

import sympy as sp

from ..kit.generic import nonnegative_from_zero, split
from ..statement import Statement

statement = Statement(
    "steepest/norm-order",
    source="2502.04664 Eq. (7)",
    verdict="proved",
    needs=["steepest/setting"],
    known=["singular value decompositions; the largest singular value is max |A x|/|x|"],
)

i, n = sp.symbols("i n", integer=True, positive=True)
a = sp.IndexedBase("a", nonnegative=True)


@statement.proves("lower, entrywise: the sum of a^p is (1 + w) times the largest power, w >= 0, and (1 + w)^{1/p} >= 1")
def largest_entry() -> bool:
    r, w = sp.symbols("r w", nonnegative=True)  # p = 1 + r; the other powers sum to w times that of the largest
    return bool((a[i] ** (1 + r)).is_nonnegative) and nonnegative_from_zero((1 + w) ** (1 / (1 + r)) - 1, w)


@statement.proves(
    "upper: entries over their sum are x = e^{-u} in (0, 1], and x^p = x e^{-ru} <= x with p = 1 + r: sum <= 1"
)
def sum_of_entries() -> bool:
    u, r, x = sp.Symbol("u", nonnegative=True), sp.Symbol("r", nonnegative=True), sp.Symbol("x", positive=True)
    ratio = sp.simplify((x ** (1 + r) / x).subs(x, sp.exp(-u)))
    return bool(sp.simplify(sp.log(ratio, evaluate=True) + r * u) == 0 and (r * u).is_nonnegative)


@statement.proves(
    "lower, Schatten: |A e_j|^2 = A_ij^2 + the other squares of the column, and |e_j| = 1, so |A_ij| <= ||A||_op,"
    " which is at most the p-norm of the singular values by the first step"
)
def largest_singular_value() -> bool:
    b, k, j = sp.IndexedBase("A", real=True), sp.Symbol("k", integer=True), sp.Symbol("j", integer=True, positive=True)
    width = j + sp.Symbol("e", integer=True, nonnegative=True)  # j is one of the columns 1 .. width
    entry = sp.simplify(sp.Sum(b[i, k] * sp.KroneckerDelta(k, j), (k, 1, width)).doit())  # (A e_j)_i
    length = sp.simplify(sp.Sum(sp.KroneckerDelta(k, j) ** 2, (k, 1, width)).doit())
    return bool(entry == b[i, j] and length == 1 and (b[i, j] ** 2).is_nonnegative)


@statement.proves(
    "upper, Schatten: <A, B> <= sum |A_ij| for ||B||_op <= 1, as |B_ij| <= 1; U V^T is such a B, of <A, B> = sum sigma,"
    " which is at least the p-norm of the singular values by the second step"
)
def nuclear() -> bool:
    below = sp.IndexedBase("r", nonnegative=True)  # B_ij sign(A_ij) = 1 - r_ij
    gap = split(sp.Sum(a[i], (i, 1, n)) - sp.Sum(a[i] * (1 - below[i]), (i, 1, n)))
    return bool(split(gap - sp.Sum(a[i] * below[i], (i, 1, n))) == 0 and (a[i] * below[i]).is_nonnegative)


@statement.proves("margins are reversed: N <= N' scales a W with N'(W) = 1 to N = 1 by a factor 1/N(W) >= 1")
def margins() -> bool:
    margin, small, more = sp.Symbol("m", positive=True), sp.Symbol("N", positive=True), sp.Symbol("r", nonnegative=True)
    large = small + more
    return bool(sp.factor(margin / small - margin / large).is_nonnegative)


@statement.confirms("exact p = 1, 2 and infinity, entrywise", instances="integer matrices 2 x 2 with entries -2..2")
def small_matrices() -> bool:
    entries = range(-2, 3)
    found = [(w, x, y, z) for w in entries for x in entries for y in entries for z in entries]
    return all(max(map(abs, row)) ** 2 <= sum(x * x for x in row) <= sum(map(abs, row)) ** 2 for row in found)
