"""The variance of v under a softmax s is at most 4 (1 - s_c) times the largest entry of v v^T, for every token c.

    v^T (diag(s) - s s^T) v  <=  4 (1 - s_c) ||v v^T||_max  =  4 (1 - s_c) max_k v_k^2

The norm of the statement may be any entrywise or Schatten p-norm: the largest entry is the smallest of them
(`steepest/norm-order`), so this form implies the others. The 4 cannot be lowered. Proof: the variance is at most the
mean square about any point; about v_c only tokens other than c count, each with (v_k - v_c)^2 <= (2 max |v|)^2.
"""

from __future__ import annotations

import sympy as sp

from ..kit.generic import split
from ..statement import Statement

statement = Statement("steepest/lemma-2", source="2502.04664 Lemma 2", verdict="proved", needs=["steepest/norm-order"])

k, N = sp.symbols("k N", integer=True, positive=True)  # k runs over the N = V - 1 tokens other than c
s, v = sp.IndexedBase("s", nonnegative=True), sp.IndexedBase("v", real=True)
centre = sp.Symbol("v_c", real=True)
mass = sp.Sum(s[k], (k, 1, N))  # 1 - s_c
CONSTANT = 4


@statement.proves(
    "variance = sum_{k != c} s_k (v_k - v_c)^2 minus the square of sum s_k (v_k - v_c), any number of tokens"
)
def about_a_token() -> bool:
    square = sp.Sum(s[k] * v[k] ** 2, (k, 1, N)) + (1 - mass) * centre**2
    first = sp.Sum(s[k] * v[k], (k, 1, N)) + (1 - mass) * centre
    moment = sp.Sum(s[k] * (v[k] - centre) ** 2, (k, 1, N))
    shift = sp.Sum(s[k] * (v[k] - centre), (k, 1, N))
    return bool(split(square - first**2 - (moment - split(shift) ** 2)) == 0)


@statement.proves("4 M^2 - (x - y)^2 = (2M - x + y)(2M + x - y) >= 0 for |x|, |y| <= M")
def spread() -> bool:
    # the gaps p = M - x, q = M + x, r = M - y, t = M + y are at least 0, and x = (q - p)/2, y = (t - r)/2
    x, y, size = sp.symbols("x y M", real=True)
    p, q, r, t = sp.symbols("p q r t", nonnegative=True)
    left, right = size - x + size + y, size + x + size - y
    factors = sp.expand(CONSTANT * size**2 - (x - y) ** 2 - left * right) == 0
    gaps = sp.expand(left.subs({x: size - p, y: t - size}) - p - t) == 0
    gaps_too = sp.expand(right.subs({x: q - size, y: size - r}) - q - r) == 0
    return bool(factors and gaps and gaps_too and (p + t).is_nonnegative and (q + r).is_nonnegative)


@statement.proves("summed: 4 M^2 (1 - s_c) minus the mean square about v_c is a sum of s_k (4 M^2 - (v_k - v_c)^2)")
def summed() -> bool:
    size = sp.Symbol("M", nonnegative=True)
    moment = sp.Sum(s[k] * (v[k] - centre) ** 2, (k, 1, N))
    rest = sp.Sum(s[k] * (CONSTANT * size**2 - (v[k] - centre) ** 2), (k, 1, N))
    return bool(split(CONSTANT * mass * size**2 - moment - rest) == 0)


@statement.proves("the largest entry of v v^T is max v^2: M^2 - |v_k v_l| >= 0 for |v_k|, |v_l| <= M")
def largest_entry() -> bool:
    x, y, p, q = sp.symbols("x y p q", nonnegative=True)  # M = x + p = y + q
    square = (x + p) * (y + q)
    return bool(sp.expand(square - x * y).is_nonnegative)


@statement.proves("4 is the least constant: for v = (1, -1) the ratio of the two sides' forms tends to 4 as s_c -> 1")
def sharp() -> bool:
    chance = sp.Symbol("s", positive=True)
    variance = (
        sp.Matrix([[1, -1]])
        * (sp.diag(chance, 1 - chance) - sp.Matrix([chance, 1 - chance]) * sp.Matrix([[chance, 1 - chance]]))
        * sp.Matrix([1, -1])
    )
    return bool(sp.limit(sp.factor(variance[0]) / (1 - chance), chance, 1) == CONSTANT)
