"""If the joint law that parallel heads imply is the product of theirs, the relative mutual information is 0.

Lemma L.3 (`multitoken/lemma-L3`) needs a joint law q with marginals q_X and q_Y. Parallel heads give q_X and q_Y alone.
For q = q_X q_Y every summand log(q / (q_X q_Y)) is log 1: I_(p||q) = 0 for every p, the conditional losses are the
heads' losses, and a weight 2 on the information says nothing.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..statement import Statement

statement = Statement("multitoken/product-heads", source="derived", verdict="proved", needs=["multitoken/lemma-L3"])

q_x, q_y = sp.symbols("q_x q_y", positive=True)


@statement.proves("the product's marginals are the heads: sum_y q_X(x) q_Y(y) = q_X(x), for every vocabulary")
def marginals() -> bool:
    y, V = sp.symbols("y V", integer=True, positive=True)
    head = sp.IndexedBase("q")
    return bool(split(sp.Sum(q_x * head[y], (y, 1, V))).subs(sp.Sum(head[y], (y, 1, V)), 1) == q_x)


@statement.proves("the summand log(q / (q_x q_y)) vanishes at every pair, so I_(p||q) = 0 whatever p is")
def vanishes() -> bool:
    q = q_x * q_y
    return is_zero(sp.log(q / (q_x * q_y)))


@statement.proves("the conditional losses are the heads': log(q / q_y) = log q_x and log(q / q_x) = log q_y")
def conditionals() -> bool:
    q = q_x * q_y
    return is_zero(sp.log(q / q_y) - sp.log(q_x)) and is_zero(sp.log(q / q_x) - sp.log(q_y))
