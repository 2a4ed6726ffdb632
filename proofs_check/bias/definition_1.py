"""Data is compatible if some decoder has the data's log-odds as logit differences; S_j - 1 equations a context say so.

    (4)    (e_z - e_y)^T W h_j = log(p_jz / p_jy)    for all contexts j and z != y in the support S_j

h_j is the embedding, p_j the conditional probabilities, S_j > 0 the size of the support. With one fixed anchor a of
each support, (4) is equivalent to its S_j - 1 equations for the pairs (a, z); these are linearly independent within
a context whose embedding is not 0. (With h_j = 0 every left side of (4) is 0, and (4) asks for equal probabilities.)
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.algebra import is_zero, positives, reals
from ..kit.rational import rank
from ..statement import Statement

statement = Statement("bias/definition-1", source="2402.18551 Def. 1, Eq. (4)", verdict="proved")


@statement.proves("the equation of any pair (z, y) is the anchor's equation of y minus that of z, on both sides")
def differences() -> bool:
    la, lz, ly = reals("l", 3)  # logits of the anchor and of the pair
    pa, pz, py = positives("p", 3)
    odds = sp.log(pz) - sp.log(py)
    return is_zero((lz - ly) - ((la - ly) - (la - lz))) and is_zero(
        sp.expand_log(sp.log(pa / py)) - sp.expand_log(sp.log(pa / pz)) - odds
    )


@statement.proves(
    "the matrices (e_a - e_z) h^T are independent if h != 0: row z of sum_z c_z (e_a - e_z) h^T is -c_z h"
)
def independent_matrices() -> bool:
    t, z = sp.symbols("t z", integer=True)
    c, i = sp.IndexedBase("c"), sp.Symbol("i", integer=True)
    h = sp.IndexedBase("h")
    # entry (z, i) of the sum over t of c_t (e_a - e_t) h^T, at a token z that is not the anchor
    entry = sp.Sum(c[t] * (0 - sp.KroneckerDelta(t, z)) * h[i], (t, -sp.oo, sp.oo)).doit()
    return is_zero(entry + c[z] * h[i])


@statement.confirms(
    "one context: the pairs' matrices have rank S - 1, and 0 if h = 0", instances="all supports with V <= 5, h = (1, 2)"
)
def ranks() -> bool:
    for size in range(1, 6):
        for h in ([1, 2], [0, 0]):
            pairs = [(z, y) for z in range(size) for y in range(size) if z != y]
            rows = [[Fraction(((v == z) - (v == y)) * x) for v in range(5) for x in h] for z, y in pairs]
            if rank(rows) != (size - 1 if any(h) else 0):
                return False
    return True
