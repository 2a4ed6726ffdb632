"""A path-star graph G(d, l) has d (l - 1) + 1 nodes and d (l - 1) edges, and its target has l nodes with the start.

d arms share the centre, which is the start; each has l nodes with the centre. For d >= 2 exactly one node, the centre,
has out-degree d, and d nodes, the ends of the arms, are leaves. G(2, 5): 9 nodes, 8 edges, a target of 5.
"""

from __future__ import annotations

import sympy as sp

from ..kit.path_star import SIZES, stars
from ..statement import Statement

statement = Statement("pitfalls/path-star", source="2403.06963 (extract); 2510.26745 app. B.1", verdict="proved")

# Node t of arm a, 1 <= t <= l - 1; the centre is t = 0 of every arm. Edges go from t to t + 1.
a, t, d = sp.symbols("a t d", integer=True, positive=True)
inner = sp.Symbol("inner", integer=True, nonnegative=True)
ell = inner + 2


@statement.proves("nodes: 1 + sum over arms of l - 1; edges: one into every node but the centre, d (l - 1)")
def counts() -> bool:
    others = sp.Sum(1, (t, 1, ell - 1), (a, 1, d)).doit()
    edges = sp.Sum(1, (t, 0, ell - 2), (a, 1, d)).doit()
    return bool(sp.expand(others - d * (ell - 1)) == 0 and sp.expand(edges - others) == 0)


@statement.proves(
    "out-degrees: d at the centre, 1 at the d (l - 2) inner nodes, 0 at the d ends; they add up to the number of edges"
)
def degrees() -> bool:
    inner_nodes, ends = sp.Sum(1, (t, 1, ell - 2), (a, 1, d)).doit(), sp.Sum(1, (a, 1, d)).doit()
    total = d + 1 * inner_nodes + 0 * ends
    return bool(sp.expand(total - d * (ell - 1)) == 0 and sp.expand(1 + inner_nodes + ends - (d * (ell - 1) + 1)) == 0)


@statement.confirms(
    "nodes, edges, leaves, targets, and for d >= 2 the one node of out-degree d",
    instances="all graphs with d <= 4 arms of l <= 5 nodes",
)
def built() -> bool:
    right = []
    for arms, length in SIZES:
        for star in stars(arms, length):
            degree = {node: len(star.children(node)) for node in star.nodes}
            right.append(len(star.nodes) == arms * (length - 1) + 1 and len(star.edges) == arms * (length - 1))
            right.append(list(degree.values()).count(0) == arms and len(star.target) == length)
            hubs = [node for node in degree if degree[node] == arms]
            right.append(arms == 1 or hubs == [star.target[0]])
    return all(right)


@statement.proves("G(2, 5) has 9 nodes, 8 edges and a target of 5")
def example() -> bool:
    first = next(stars(2, 5))
    return (len(first.nodes), len(first.edges), len(first.target)) == (9, 8, 5)
