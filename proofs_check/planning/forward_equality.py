"""Myopic attention has the values of ordinary causal attention; only gradients differ.

With detached copies K' and V' that equal K and V in value, off-diagonal scores from q . K' and diagonal scores from
q . k, myopic attention is written A V' + diag(A) (V - V'). For any number of positions

    A V' + diag(A) (V - V')  =  sum_{i < n} A_ni V'_i + A_nn V_n   =  (A V)_n   once V' = V and K' = K,

and so, layer after layer, for any stack. (In floating point another order of summation may change last digits.)
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..kit.myopic import as_printed, attend, equated, same, sg_u, sg_w, sg_x, u, w, x
from ..kit.stacks import Stack
from ..statement import Statement

statement = Statement(
    "planning/forward-equality",
    source="FutureGPT2-public 22b86c1; derived",
    verdict="proved",
)


@statement.proves("blocked hidden states: equal to causal attention in value, for any number of positions")
def hidden_states() -> bool:
    return same(equated(as_printed(w, u)), attend(w, u, x))


@statement.proves("blocked keys and values: likewise")
def keys_and_values() -> bool:
    return same(equated(as_printed(sg_w, sg_u)), attend(w, u, x))


@statement.proves("before equating: the detached V'_n drops out, V_n counts live and every earlier value detached")
def drops_out() -> bool:
    return same(as_printed(w, u), attend(w, u, sg_x)) and same(as_printed(sg_w, sg_u), attend(sg_w, sg_u, sg_x))


@statement.proves("as matrices, entry by entry: (A V' + diag(A) (V - V'))_nc - (A V)_nc is 0 where V' = V")
def matrices() -> bool:
    j, n, c, size = sp.symbols("j n c size", integer=True, positive=True)
    A, V, blocked = (sp.IndexedBase(name) for name in ("A", "V", "Vb"))
    mixed = sp.Sum(A[n, j] * blocked[j, c], (j, 1, size)) + A[n, n] * (V[n, c] - blocked[n, c])
    return is_zero(split(mixed.subs(blocked, V)) - sp.Sum(A[n, j] * V[j, c], (j, 1, size)))


@statement.confirms(
    "the states of all layers agree once every detached value is put back: a layer of equal values gives equal values",
    instances="2 layers, 3 positions, any norms, scores, values and blocks; both variants",
)
def stacked() -> bool:
    plain, right = Stack(2, 3, "nothing"), []
    for variant in (Stack(2, 3, "hidden states"), Stack(2, 3, "keys and values")):
        for found, states in zip(variant.states, plain.states, strict=True):
            right += [variant.equated(a) == b for a, b in zip(found, states, strict=True)]
    return all(right)
