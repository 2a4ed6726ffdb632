"""One linear program finds the tokens that can be driven to probability 0; every solution of it has entries 0 and 1.

    maximise  sum_i t_i   over matrices W orthogonal to F and  0 <= t_i <= 1  with  <a_i, W> >= t_i

i = (j, v) runs over contexts j and their off-support tokens v, and a_i = (e_z - e_v) h_j^T, z in S_j (any one: on F's
orthogonal complement <a_i, W> does not depend on it). Let N be the set of i with <a_i, W> > 0 for some W in the cone R
= {W orthogonal to F, all <a_i, W> >= 0}. Every optimal t is the indicator of N; the optimal value is |N|.

Proof of the upper bound by duality: there are lambda_i with sum_i lambda_i a_i in F, lambda_i = 0 on N and
lambda_i > 1 off N. They are built in stages, as the supports grow by the tokens on which a relation with nonnegative
factors forces <a_i, W> = 0.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.data import Data, draw, extensions
from ..kit.rational import dot, rank, solve
from ..statement import Statement

statement = Statement(
    "bias/any-data-lp",
    source="derived (D3)",
    verdict="proved",
    needs=["bias/any-data", "bias/data-subspace"],
    known=["Gordan's theorem"],
)

# One i: its t, its margin m = <a_i, W> = t + slack, and lambda = 1 + extra off N.
t, slack, room = sp.symbols("t slack room", nonnegative=True)  # room = 1 - t
extra, w = sp.symbols("extra w", positive=True)


@statement.proves("<a_i, W> with z or z' of S_j differ by <(e_z - e_z') h_j^T, W>, which is 0 off F")
def any_token() -> bool:
    first, second, off = sp.symbols("l_z l_z' l_v")
    return is_zero((first - off) - (second - off) - (first - second))


@statement.proves("a relation sum u_i m_i = 0 with u_i > 0 forces m_i = 0: no such i is in N, and <a_i, W> = 0 there")
def forced() -> bool:
    # the other terms are >= 0 and sum up to rest; then u m = -rest
    u, rest = sp.symbols("u rest", nonnegative=True)
    m = sp.Symbol("m", positive=True)
    return bool(((u + extra) * m + rest).is_positive)


@statement.proves("later stages: relations modulo a_i of earlier ones; a multiple of the earlier lambda makes y_i > 1")
def stages() -> bool:
    size = sp.Symbol("y", nonnegative=True)  # the free factor is size or -size; the earlier lambda is 1 + extra
    new = [sign * size + (1 + size) * (1 + extra) for sign in (1, -1)]
    return all(sp.expand(value - 1).is_positive is True for value in new)


@statement.proves(
    "no relation left: some W is strict on the rest, 0 elsewhere (Gordan); over its least margin, t = 1_N"
)
def feasible() -> bool:
    least, other = w, w + slack
    return bool((other / least - 1).simplify().is_nonnegative) and is_zero(least / w - 1)


@statement.proves("per i off N: -t = (lambda - 1) t + lambda (m - t) - lambda m, and the last terms sum to <.., W> = 0")
def weak_duality() -> bool:
    multiplier, m = 1 + extra, t + slack
    rest = extra * t + multiplier * slack
    return is_zero(-t - (rest - multiplier * m)) and rest.is_nonnegative is True


@statement.proves(
    "|N| - sum t is so a sum of terms >= 0: 1 - t on N, and off N (lambda - 1) t, which is 0 only if t = 0"
)
def integral() -> bool:
    on, off = room, extra * t + (1 + extra) * slack
    positive = sp.Symbol("t", positive=True)
    return (
        on.is_nonnegative is True and bool(off.subs(t, positive).is_positive) and bool(off.subs({t: 0, slack: 0}) == 0)
    )


def multipliers(data: Data) -> tuple[list[tuple[int, int]], list[Fraction]]:
    """The tokens off N and their lambda, by stages."""
    joined: list[tuple[int, int]] = []
    factors: list[Fraction] = []
    for stage in extensions(data)[:-1]:
        found = {i: u for i, u in zip(stage.margins, stage.svm.multipliers, strict=True) if u}
        total = [
            sum((u * data.margins[i][k] for i, u in found.items()), Fraction(0))
            for k in range(data.vocab_size * data.dim)
        ]
        rows = [data.margins[i] for i in joined] + data.generators
        free = [Fraction(0)] * len(rows)
        if any(total):
            solved = solve([list(column) for column in zip(*rows, strict=True)], [-x for x in total]) if rows else None
            assert solved is not None
            free = solved
        scale = 2 / min(found.values())
        free = [scale * y for y in free[: len(joined)]]
        multiple = 1 + max((abs(y) for y in free), default=Fraction(0))
        factors = [y + multiple * factor for y, factor in zip(free, factors, strict=True)]
        joined += list(found)
        factors += [scale * u for u in found.values()]
    return joined, factors


@statement.confirms(
    "exact optimal W, t and multipliers of equal value; N empty, full and between", instances="24 datasets"
)
def optimal() -> bool:
    kinds, good = set(), True
    for seed in range(24):
        data = draw(seed, vocab_size=3 + seed % 2, dim=2, contexts=3 + seed % 3, sizes=[1, 2])
        off_n, factors = multipliers(data)
        last = extensions(data)[-1]
        point = last.svm.point if last.margins else [Fraction(0)] * (data.vocab_size * data.dim)
        assert point is not None
        margins = {i: dot(row, point) for i, row in data.margins.items()}
        indicator = {i: 0 if i in off_n else 1 for i in margins}
        total = [
            sum((f * data.margins[i][k] for i, f in zip(off_n, factors, strict=True)), Fraction(0))
            for k in range(len(point))
        ]
        good &= all(dot(row, point) == 0 for row in data.generators)
        good &= all(m >= 1 if indicator[i] else m == 0 for i, m in margins.items())
        good &= all(f > 1 for f in factors) and rank([*data.generators, total]) == data.dim_subspace
        kinds.add("full" if not off_n else "empty" if len(off_n) == len(margins) else "between")
    return good and kinds == {"full", "empty", "between"}
