"""Printed: for one-hot labels (every support has one token) "F reduces to the empty set". It reduces to {0}.

F is the span of the matrices (e_z - e_z') h_j^T with z, z' two different tokens of the support of context j. A span
has the zero matrix, also the span of nothing. Repaired: F = {0}, dim F = 0, its complement is everything, and the
entropy H is 0.
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import sympy as sp

from ..kit.data import draw
from ..kit.rational import dot
from ..statement import Statement

statement = Statement(
    "bias/erratum-E15",
    source="2402.18551 Remark 1",
    verdict="refuted as written",
    repair="proved",
    needs=["bias/data-subspace", "bias/entropy-floor"],
)


@statement.refutes("V = 3, d = 2, one-hot: the span of the generators has one element, the zero matrix, and not none")
def not_empty() -> bool:
    data = draw(0, vocab_size=3, dim=2, contexts=2, sizes=[1])
    # an element of F is what is orthogonal to the complement of F: the only one is the zero of V d entries
    elements = sp.Matrix([[sp.Rational(x) for x in row] for row in data.complement]).nullspace()
    zero = data.project([Fraction(1)] * 6)
    return (
        data.dim_subspace == 0
        and elements == []
        and zero == [0] * 6
        and all(dot(zero, c) == 0 for c in data.complement)
    )


@statement.proves(
    "a support of one token has no pair z != z', so F has no generator: its dimension is at most sum (S_j - 1) = 0"
)
def no_generators() -> bool:
    z, size, m = sp.Symbol("z"), sp.Symbol("S"), sp.Symbol("m", integer=True, positive=True)
    j = sp.Symbol("j", integer=True)
    pairs = list(itertools.permutations([z], 2))
    return bool(pairs == [] and sp.Sum((size - 1).subs(size, 1), (j, 1, m)).doit() == 0)


@statement.proves("the entropy of the distribution with all its mass on one token is -1 log 1 = 0")
def entropy() -> bool:
    p = sp.Symbol("p", positive=True)
    return bool((-p * sp.log(p)).subs(p, 1) == 0)


@statement.confirms("no generators, dimension 0, and a complement of dimension V d", instances="20 one-hot datasets")
def datasets() -> bool:
    sets = [draw(seed, vocab_size=4, dim=3, contexts=3, sizes=[1]) for seed in range(20)]
    return all(not s.generators and s.dim_subspace == 0 and len(s.complement) == 12 for s in sets)
