"""Node ids can be drawn without collision if and only if there are N >= d (l - 1) + 1 of them.

Drawing again after every collision ends with probability 1 exactly then, after sum_{u=0}^{|V|-1} N / (N - u) draws on
average; with fewer ids the last node never finds a free one and the loop runs for ever. G(20, 5) needs N >= 81, so N
= 50 cannot do it. A generator should therefore refuse N < d (l - 1) + 1.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import sympy as sp

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "pitfalls/generator", source="Next-Token-Failures b925a1e", verdict="proved", needs=["pitfalls/path-star"]
)


def needed(d: int, length: int) -> int:
    """|V|."""
    return d * (length - 1) + 1


@statement.proves(
    "with u ids used a draw is new with probability (N - u) / N: at u = N it is 0, so node N + 1 is never found; "
    "for u < N it is positive, and the waiting time has the mean N / (N - u)"
)
def waiting() -> bool:
    ids, used, spare = sp.symbols("N u spare", integer=True, positive=True)
    new = (ids - used) / ids
    draws, q = sp.Symbol("draws", integer=True, positive=True), sp.Symbol("q")
    series = sp.Sum(draws * q ** (draws - 1), (draws, 1, sp.oo)).doit()  # mean = sum k (1 - new)^(k-1) new
    finite = series.args[0][0] if isinstance(series, sp.Piecewise) else series
    mean = sp.simplify(finite.subs(q, 1 - new) * new)
    positive = new.subs(ids, used + spare).is_positive is True
    return new.subs(used, ids) == 0 and positive and is_zero(mean - ids / (ids - used))


@statement.proves(
    "the number of ways to name n nodes with N ids, N (N - 1) .. (N - n + 1), is positive for N = n + spare and 0 "
    "for less"
)
def feasible() -> bool:
    n, spare, missing = sp.symbols("n spare missing", integer=True, nonnegative=True)
    # below: the factor N - u is 0 at u = N, one of u = 0, .., n - 1, as n = N + 1 + missing
    below = ((n + 1 + missing) - 1 - n).is_nonnegative is True
    enough = sp.gammasimp(sp.factorial(n + spare) / sp.factorial(spare)).is_positive is True
    return below and enough


@statement.confirms("names exist exactly from the bound on", instances="d <= 3, l <= 3, N up to two above the bound")
def listed() -> bool:
    sizes = [(d, length) for d in range(1, 4) for length in range(2, 4) if needed(d, length) <= 5]
    return all(
        (next(permutations(range(ids), needed(d, length)), None) is not None) == (ids >= needed(d, length))
        for d, length in sizes
        for ids in range(needed(d, length) + 3)
    )


@statement.proves("G(20, 5) needs 81 > 50 ids; G(2, 5) with N = 9 takes 9 (1 + 1/2 + .. + 1/9) < 26 draws on average")
def example() -> bool:
    draws = sum(Fraction(9, 9 - used) for used in range(needed(2, 5)))
    return needed(20, 5) == 81 and needed(2, 5) == 9 and 25 < draws < 26
