"""Losses and accuracies of the guessing laws of path-star training.

Teacher forcing, "a child of the previous token" learned and r_1 guessed among the d children of the start: the answer
is right with probability 1/d, the loss is ln d at r_1 and 0 elsewhere, ln d / l on average (0.1386 for G(2, 5)), and
no law of r_1 that sees edges and start alone has a smaller mean loss. Teacherless before learning: r_1, .., r_{l-2}
guessed among the d (l - 2) inner nodes, each right with probability 1 / (d (l - 2)) and with loss ln(d (l - 2)): ln 6
= 1.792 and 1/6 for G(2, 5), ln 4 = 1.386 for G(2, 4).
"""

from __future__ import annotations

import sympy as sp
from mpmath import iv

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..kit.intervals import interval
from ..kit.path_star import SIZES, stars
from ..statement import Statement

statement = Statement(
    "pitfalls/chance-level",
    source="derived; own runs",
    verdict="proved",
    needs=["pitfalls/informative-tokens"],
)

d, count, arm = sp.symbols("d count arm", integer=True, positive=True)
ell = sp.Symbol("inner", integer=True, positive=True) + 2


@statement.proves(
    "r_1: the goal is on each arm with 1/d, a uniform guess loses ln d and is right with sum_a 1/d * 1/d = 1/d"
)
def first_token() -> bool:
    right = sp.Sum(1 / d * (1 / d), (arm, 1, d)).doit()
    loss = sp.Sum(1 / d * -sp.log(1 / d), (arm, 1, d)).doit()
    return is_zero(right - 1 / d) and is_zero(sp.expand_log(loss, force=True) - sp.log(d))


@statement.proves(
    "no law q of r_1 does better: -log y >= 1 - y for y = d q_a (least at y = 1), so the mean of -log(d q_a) is "
    "at least 1 - sum_a q_a = 0"
)
def least() -> bool:
    y, q = sp.Symbol("y", positive=True), sp.IndexedBase("q")
    f = -sp.log(y) - 1 + y
    convex = sp.diff(f, y, 2).is_positive is True and sp.solve(sp.diff(f, y), y) == [1] and f.subs(y, 1) == 0
    total = sp.Symbol("total")
    mean = split(sp.Sum((1 - d * q[arm]) / d, (arm, 1, d))).subs(sp.Sum(q[arm], (arm, 1, d)), total)
    return convex and is_zero(mean - (1 - total))


@statement.proves("the mean over l positions is ln d / l, and l = 5, d = 2 gives 0.1386")
def mean_loss() -> bool:
    position = sp.Symbol("position", integer=True)
    losses = sp.Sum(sp.log(d) * sp.KroneckerDelta(position, 1), (position, 0, ell - 1))
    value = iv.log(interval(2)) / 5
    return is_zero(sp.simplify(losses.doit()) - sp.log(d)) and bool(0.13855 < value.a and value.b < 0.13865)


@statement.proves(
    "teacherless: d (l - 2) inner nodes, loss ln(d (l - 2)), accuracy 1 / (d (l - 2)) at each inner position"
)
def inner_nodes() -> bool:
    place = sp.Symbol("place", integer=True, positive=True)
    inner = sp.Sum(1, (place, 1, ell - 2), (arm, 1, d)).doit()
    # whatever the law of the truth p over these nodes: sum p log n = log n and sum p / n = 1 / n
    p = sp.IndexedBase("p")
    total = sp.Sum(p[arm], (arm, 1, count))
    loss = split(sp.Sum(p[arm] * sp.log(count), (arm, 1, count))) - sp.log(count) * total
    right = split(sp.Sum(p[arm] / count, (arm, 1, count))) - total / count
    return is_zero(inner - d * (ell - 2)) and is_zero(loss) and is_zero(right)


@statement.proves("ln 6 = 1.792 and ln 4 = 1.386, in interval arithmetic")
def numbers() -> bool:
    six, four = iv.log(interval(6)), iv.log(interval(4))
    return bool(1.7915 < six.a and six.b < 1.7925 and 1.3855 < four.a and four.b < 1.3865)


@statement.confirms(
    "inner nodes and the d equally frequent r_1 counted", instances="all graphs with d <= 4 arms of l <= 5 nodes"
)
def counted() -> bool:
    right = []
    for arms, length in SIZES:
        found = list(stars(arms, length))
        inner = [v for v in found[0].nodes if found[0].parents(v) and found[0].children(v)]
        right.append(len(inner) == arms * (length - 2) and len({star.target[1] for star in found}) == arms)
    return all(right)
