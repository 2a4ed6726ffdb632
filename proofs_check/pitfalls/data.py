"""Printed: between 200,000 training and 20,000 test graphs, collisions have negligible probability at N = 50.

The number of distinct labelled instances of G(d, l) with N ids is N! / ((N - |V|)! (d - 1)!), |V| = d (l - 1) + 1:
labels without collision, up to the order of the d - 1 arms without the goal; times |E|! edge orders as texts. For the
shipped (d, l, N) = (2, 2, 50) these are 117,600 instances and 235,200 texts: 200,000 training graphs repeat
instances, and a fresh test text is in the training set with probability above 1/2. For (2, 3, 50) about 0.66
collisions of texts and 15.7 of instances are expected. Repaired: the expected number of test graphs in the training
set, 4 10^9 / count, is below 0.02 as instances, hence as texts, for (2, 5, 50), (3, 3, 50) and (5, 3, 50).
"""

from __future__ import annotations

from itertools import permutations
from math import factorial, perm

import sympy as sp

from ..kit.path_star import Star, labelled
from ..statement import Statement

statement = Statement(
    "pitfalls/data", source="Next-Token-Failures b925a1e", verdict="refuted as written", repair="proved"
)

TRAIN, TEST = 200_000, 20_000


def instances(d: int, length: int, ids: int) -> int:
    """The number of distinct labelled instances."""
    return perm(ids, d * (length - 1) + 1) // factorial(d - 1)


def texts(d: int, length: int, ids: int) -> int:
    """The number of distinct texts."""
    return instances(d, length, ids) * factorial(d * (length - 1))


@statement.refutes(
    "(2, 2, 50): fewer instances than training graphs, so some repeat; a uniform test text avoids 200,000 uniform "
    "training texts with probability (1 - 1/235200)^200000 < 1/2"
)
def two_two() -> bool:
    count = texts(2, 2, 50)
    # (1 - 1/n)^n < 1/e < 3/8, and 200000 / n > 4/5; (3/8)^(4/5) < 1/2 as (3/8)^4 < (1/2)^5
    power = sp.Rational(TRAIN, count) > sp.Rational(4, 5) and sp.Rational(3, 8) ** 4 < sp.Rational(1, 2) ** 5
    return (
        instances(2, 2, 50) == 117_600 < TRAIN and count == 235_200 and bool(power and sp.exp(-1) < sp.Rational(3, 8))
    )


@statement.refutes("(2, 3, 50): the expected number of pairs of equal test and training texts is between 0.65 and 0.66")
def two_three() -> bool:
    pairs = sp.Rational(TRAIN * TEST, texts(2, 3, 50))
    equal_instances = sp.Rational(TRAIN * TEST, instances(2, 3, 50))
    return bool(sp.Rational(65, 100) < pairs < sp.Rational(66, 100) and 15 < equal_instances < 16)


def automorphisms_free(d: int, length: int) -> bool:
    """Whether the (d - 1)! orders of the other arms give one instance, and no other labelling does."""
    ids = d * (length - 1) + 1
    seen: dict[tuple[frozenset[tuple[int, int]], tuple[int, ...]], int] = {}
    for star in labelled(d, length, ids):
        key = (frozenset(star.edges), star.target)
        seen[key] = seen.get(key, 0) + 1
    return set(seen.values()) == {factorial(d - 1)} and len(seen) == instances(d, length, ids)


@statement.proves(
    "N! / (N - n)! labellings of n nodes: one more node has N - n free labels. An instance is a labelling up to "
    "the order of the other arms; their first labels differ, so of the (d - 1)! orders exactly one is increasing: "
    "inserting the largest label into an increasing list, one of k + 1 places keeps it so, and (k + 1) k! = (k + "
    "1)!"
)
def count() -> bool:
    ids, n, k = sp.symbols("N n k", integer=True, positive=True)
    labellings = sp.factorial(ids) / sp.factorial(ids - n)
    one_more = sp.gammasimp(labellings.subs(n, n + 1).rewrite(sp.gamma) / labellings.rewrite(sp.gamma))
    orders = sp.gammasimp(sp.factorial(k + 1).rewrite(sp.gamma) / sp.factorial(k).rewrite(sp.gamma))
    keeps = all(
        sum([*range(p), k0, *range(p, k0)] == list(range(k0 + 1)) for p in range(k0 + 1)) == 1 for k0 in range(4)
    )
    return sp.simplify(one_more - (ids - n)) == 0 and sp.simplify(orders - (k + 1)) == 0 and keeps


@statement.confirms("labellings counted one by one", instances="G(d, l) with at most 7 nodes, N = |V|, d <= 4")
def counted() -> bool:
    return all(automorphisms_free(d, length) for d in range(1, 5) for length in range(2, 6) if d * (length - 1) <= 6)


@statement.proves(
    "texts: an instance has |E|! orders of different edges; a test text in the training set is a test instance in it"
)
def orders() -> bool:
    star = Star(((0, 1), (0, 2), (1, 3), (2, 4)), (0, 1, 3))
    return len(set(permutations(star.edges))) == factorial(4) and texts(2, 3, 5) == 24 * instances(2, 3, 5)


@statement.proves("for (2, 5, 50), (3, 3, 50), (5, 3, 50) at most 0.02 test graphs are expected in the training set")
def rare() -> bool:
    bounds = [sp.Rational(TRAIN * TEST, instances(*size)) for size in ((2, 5, 50), (3, 3, 50), (5, 3, 50))]
    return bool(all(bound < sp.Rational(2, 100) for bound in bounds))
