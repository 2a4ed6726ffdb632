"""When every table of probabilities is compatible: counting dimensions, and forests.

Let E be the rows (e_a - e_z) h_j^T of (4): one for each context j and token z != a of its support, a the anchor.
(1) dim F <= min(sum_j (S_j - 1), (V - 1) rank H), H the embeddings.
(2) The data is compatible for all probabilities on the supports if and only if E is linearly independent.
(3) Then every pair of tokens is together in at most d supports.
(4) All S_j = 2, generic embeddings: dim F = min over subsets T of E of d r(T) + |E - T|, where r is the rank of the
multigraph with one edge a context; so E is independent iff |E(X)| <= d (|X| - 1) for all sets X of tokens.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from itertools import combinations, combinations_with_replacement, permutations, product

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.rational import rank
from ..statement import Statement

statement = Statement(
    "bias/compatibility-count",
    source="derived (D11)",
    verdict="proved",
    needs=["bias/definition-1", "bias/data-subspace", "bias/compatibility-exact"],
    known=[
        "matroid union: the best colouring of edges by d colours has sum_c r(colour c) = min d r(T) + |E - T|",
        "Nash-Williams: that is |E| exactly if |E(X)| <= d (|X| - 1) for all X",
        "a generic rank is no less than the rank at any special point",
    ],
)

v, z, y, i = sp.symbols("v z y i", integer=True)
delta = sp.KroneckerDelta
Edges = tuple[tuple[int, int], ...]


@cache
def forest(edges: Edges) -> int:
    """The rank of a graph: its vertices less its components, by merging components."""
    parts: list[set[int]] = []
    for edge in edges:
        touched = [part for part in parts if part & set(edge)]
        parts = [part for part in parts if part not in touched] + [set(edge).union(*touched)]
    return sum(len(part) - 1 for part in parts)


def generic_rank(edges: Edges, dim: int) -> int:
    """The minimum of (4)."""
    subsets = [kept for size in range(len(edges) + 1) for kept in combinations(edges, size)]
    return min(dim * forest(kept) + len(edges) - len(kept) for kept in subsets)


@statement.proves("(1): e_z - e_y = (e_1 - e_y) - (e_1 - e_z), V - 1 vectors, times combinations of rank H vectors")
def bound() -> bool:
    column_sum = sp.Sum(delta(v, z) - delta(v, y), (v, -sp.oo, sp.oo)).doit()
    entry = delta(v, z) - delta(v, y) - ((delta(v, 1) - delta(v, y)) - (delta(v, 1) - delta(v, z)))
    return column_sum == 0 and is_zero(entry)


@statement.proves("(2): p_z = e^(-b_z) / sum has log-odds b_z against the anchor, b = 0 there: all right sides b occur")
def onto() -> bool:
    b, rest = sp.Symbol("b", real=True), sp.Symbol("rest", positive=True)
    total = 1 + sp.exp(-b) + rest
    return is_zero(sp.expand_log(sp.log((1 / total) / (sp.exp(-b) / total)).simplify(), force=True) - b)


@statement.proves("(2): independent rows solve any b, by G^T (G G^T)^-1 b; if y^T G = 0, b = y has none: y^T b = |y|^2")
def both_ways() -> bool:
    k, N = sp.symbols("k N", integer=True, positive=True)
    G, W = sp.MatrixSymbol("G", k, N), sp.MatrixSymbol("W", N, 1)
    b, n = sp.MatrixSymbol("b", k, 1), sp.MatrixSymbol("y", k, 1)
    solved = (G * G.T * sp.Inverse(G * G.T) * b).doit() == b
    return bool(solved and (n.T * G * W).subs(n.T * G, sp.ZeroMatrix(1, N)).doit() == sp.ZeroMatrix(1, 1))


@statement.proves("(3): rows z, y of sum_j c_j (e_z - e_y) h_j^T are +-sum_j c_j h_j, others 0: more than d depend")
def pairs() -> bool:
    return [(delta(v, z) - delta(v, y)).subs({v: token, z: 1, y: 2}) for token in (1, 2, 3)] == [1, -1, 0]


@statement.proves("(4) at most: a forest of T spans T's e_a - e_b (adding up along paths): at most d r(T) dimensions")
def at_most() -> bool:
    # one more edge on a path a .. b: (e_a - e_b) + (e_b - e_c) = e_a - e_c, coordinate by coordinate
    a, b, c = sp.symbols("a b c", integer=True)
    path = (delta(v, a) - delta(v, b)) + (delta(v, b) - delta(v, c))
    h = sp.IndexedBase("h")
    # and (e_a - e_c) h^T is the sum over coordinates i of h_i (e_a - e_c) e_i^T
    expanded = sp.Sum(h[i] * delta(i, y), (i, -sp.oo, sp.oo)).doit()
    return is_zero(path - (delta(v, a) - delta(v, c))) and bool(expanded == h[y])


@statement.proves("(4) at least: with h_j = e_colour colours have columns of their own: rank sum_c r(colour c)")
def at_least() -> bool:
    (a, b, c), elsewhere = sp.symbols("a b c", integer=True), sp.Symbol("e", integer=True, nonzero=True)
    entry = (delta(v, a) - delta(v, b)) * delta(i, c)  # (v, i) of (e_a - e_b) e_c^T
    return is_zero(entry.subs(i, c) - (delta(v, a) - delta(v, b))) and is_zero(entry.subs(i, c + elsewhere))


@statement.confirms(
    "matroid union and Nash-Williams: the best colouring has the minimum as its rank",
    instances="all multigraphs on 4 tokens with at most 6 edges, d <= 3",
)
def forests() -> bool:
    seen = set()
    slots = list(combinations(range(4), 2))
    for edges in (e for size in range(7) for e in combinations_with_replacement(slots, size)):
        renamed = (tuple(sorted(tuple(sorted((p[a], p[b]))) for a, b in edges)) for p in permutations(range(4)))
        if (name := min(renamed)) in seen:
            continue
        seen.add(name)
        for dim in (1, 2, 3):
            least = generic_rank(edges, dim)
            colourings = product(range(dim), repeat=len(edges))
            best = max(colourings, key=lambda colours: _coloured(edges, colours, dim))
            units = [[Fraction(i == c) for i in range(dim)] for c in best]
            sets = [set(X) for size in range(1, 5) for X in combinations(range(4), size)]
            sparse = all(sum(set(edge) <= X for edge in edges) <= dim * (len(X) - 1) for X in sets)
            if rank(_rows(edges, units)) != least or sparse != (least == len(edges)):
                return False
    return True


def _coloured(edges: Edges, colours: Sequence[int], dim: int) -> int:
    return sum(forest(tuple(e for e, c in zip(edges, colours, strict=True) if c == i)) for i in range(dim))


def _rows(edges: Edges, embeddings: Sequence[Sequence[Fraction]]) -> list[list[Fraction]]:
    """``(e_a - e_b) h^T`` for every edge, flat."""
    return [
        [((t == a) - (t == b)) * x for t in range(6) for x in h] for (a, b), h in zip(edges, embeddings, strict=True)
    ]


@statement.confirms(
    "the minimum is the rank over the rationals", instances="30 random graphs, V = 6, m = 9, d = 1, 2, 3, large entries"
)
def ranks() -> bool:
    rng = random.Random(0)
    for trial in range(30):
        dim = 1 + trial % 3
        edges = tuple((a, rng.randrange(a)) for a in (rng.randint(1, 5) for _ in range(9)))
        embeddings = [[Fraction(rng.randint(-(10**6), 10**6)) for _ in range(dim)] for _ in edges]
        if rank(_rows(edges, embeddings)) != generic_rank(edges, dim):
            return False
    return True
