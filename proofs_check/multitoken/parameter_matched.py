"""Models of different n are compared at equal size: n - 1 head layers are added and n - 1 trunk layers removed.

With L layers in all the trunk has L - n and the n heads one each, next to one embedding and one shared unembedding: the
count does not depend on n. A token's path to a head has L - n + 1 layers, so depth falls as n grows. With an
unembedding for every head the counts differ by (n - 1) V d.
"""

from __future__ import annotations

import sympy as sp

from ..statement import Statement

statement = Statement(
    "multitoken/parameter-matched", source="2404.19737 Sec. 2", verdict="proved", needs=["multitoken/architecture"]
)

V, d, layer = sp.symbols("V d l", positive=True)
n, L = sp.symbols("n L", integer=True, positive=True)


def parameters(heads: sp.Expr, unembeddings: sp.Expr) -> sp.Expr:
    baseline_trunk = L - 1
    trunk = baseline_trunk - (heads - 1)
    return V * d + trunk * layer + heads * layer + unembeddings * V * d


@statement.proves("shared unembedding: the count is 2 V d + L l for every n")
def equal() -> bool:
    return bool(sp.expand(parameters(n, sp.Integer(1)) - (2 * V * d + L * layer)) == 0)


@statement.proves("one head more changes nothing: the count at n + 1 equals that at n")
def one_more() -> bool:
    return bool(sp.expand(parameters(n + 1, sp.Integer(1)) - parameters(n, sp.Integer(1))) == 0)


@statement.proves("an unembedding for every head: n heads have (n - 1) V d more than one")
def replicated() -> bool:
    return bool(sp.expand(parameters(n, n) - parameters(sp.Integer(1), sp.Integer(1)) - (n - 1) * V * d) == 0)


@statement.proves(
    "transformer layers of width d, 4 d^2 in attention and 8 d^2 in the MLP: still equal, 2 V d + 12 L d^2"
)
def transformer() -> bool:
    size = 4 * d**2 + 2 * d * (4 * d)
    return bool(sp.expand(parameters(n, sp.Integer(1)).subs(layer, size) - (2 * V * d + 12 * L * d**2)) == 0)
