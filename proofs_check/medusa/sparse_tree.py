"""Under independence the expected accepted length of a tree is a sum over its nodes, and greedy growth is optimal.

If the i-th best token of head k is right with probability a_k^(i), independently of the other heads, a node's path is
right with probability v = prod a along it, and the expected accepted length is the sum of v over all nodes: at every
depth at most one node is right. A child's v is at most its parent's. So adding the most valuable node next to the tree,
one at a time, gives the largest sum among all connected trees of that many nodes (among all sets of nodes, even).
"""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import sympy as sp

from ..kit.decoding import Choose, law
from ..statement import Statement

statement = Statement("medusa/sparse-tree", source="2401.10774; checked", verdict="proved", needs=["medusa/tree"])

Path = tuple[int, ...]
Accuracies = list[list[Fraction]]


def values(a: Accuracies) -> dict[Path, Fraction]:
    found: dict[Path, Fraction] = {(): Fraction(1)}
    for depth in range(1, len(a) + 1):
        for path in itertools.product(*(range(len(row)) for row in a[:depth])):
            found[path] = found[path[:-1]] * a[depth - 1][path[-1]]
    del found[()]
    return found


def greedy(v: dict[Path, Fraction], budget: int) -> Fraction:
    tree: list[Path] = []
    while len(tree) < budget:
        frontier = [path for path in v if path not in tree and (len(path) == 1 or path[:-1] in tree)]
        tree.append(max(frontier, key=lambda path: v[path]))
    return sum((v[path] for path in tree), Fraction(0))


def drawn(seed: int) -> Accuracies:
    numbers = random.Random(seed)
    rows = [sorted((numbers.randint(1, 9) for _ in range(3)), reverse=True) for _ in range(2)]
    return [[Fraction(x, sum(row) + numbers.randint(0, 9)) for x in row] for row in rows]


@statement.proves("E[length] = sum_depths P(a node of that depth is right), a sum over nodes, as at most one is right")
def expected_length() -> bool:
    # Length l counts the depths 1 .. l; an event of probability u + w is split between two nodes of its depth.
    length, depth = sp.symbols("l k", integer=True, positive=True)
    u, w = sp.symbols("u w", positive=True)
    either = law(lambda choose: choose([u, w, 1 - u - w]) < 2)[True]
    return bool(sp.Sum(1, (depth, 1, length)).doit() == length and sp.expand(either - u - w) == 0)


@statement.proves(
    "the most valuable unused node of all is on the frontier: a node beyond it has v = v(first unused ancestor) x "
    "product of accuracies, no more than that ancestor's"
)
def frontier() -> bool:
    ancestor, product = sp.Symbol("v", nonnegative=True), 1 / (1 + sp.Symbol("s", nonnegative=True))
    return sp.factor(ancestor - ancestor * product).is_nonnegative is True


@statement.proves(
    "so used nodes have values t + e >= t and unused ones t - f <= t, t the last one added; two sets of equal size "
    "have m nodes each outside their common part, and the sums there differ by sum e + sum f >= 0, for every m"
)
def exchange() -> bool:
    k, m = sp.symbols("k m", integer=True, positive=True)
    e, f, t = sp.IndexedBase("e", nonnegative=True), sp.IndexedBase("f", nonnegative=True), sp.Symbol("t")
    # One pair of nodes more in the difference
    gain = sp.expand((t + e[m + 1]) - (t - f[m + 1]))
    total = sp.Sum(t + e[k], (k, 1, 3)).doit() - sp.Sum(t - f[k], (k, 1, 3)).doit()
    return bool(gain == e[m + 1] + f[m + 1] and sp.expand(total - sum(e[i] + f[i] for i in (1, 2, 3))) == 0)


@statement.confirms("greedy against all connected trees of 3 to 6 nodes", instances="6 tables of two heads of 3 tokens")
def brute_force() -> bool:
    def optimal(seed: int) -> bool:
        v = values(drawn(seed))
        for budget in (3, 4, 5, 6):
            trees = (
                tree
                for tree in itertools.combinations(v, budget)
                if all(len(path) == 1 or path[:-1] in tree for path in tree)
            )
            if greedy(v, budget) != max(sum((v[path] for path in tree), Fraction(0)) for tree in trees):
                return False
        return True

    return all(optimal(seed) for seed in range(6))


@statement.confirms("expected length over all branches equals the sum over nodes", instances="6 tables, full trees")
def enumerated() -> bool:
    def equal(seed: int) -> bool:
        a = drawn(seed)

        def length(choose: Choose) -> int:
            for depth, row in enumerate(a):
                if choose([*row, 1 - sum(row)]) == len(row):
                    return depth
            return len(a)

        found = law(length)
        return bool(sum(k * weight for k, weight in found.items()) == sum(values(a).values()))

    return all(equal(seed) for seed in range(6))
