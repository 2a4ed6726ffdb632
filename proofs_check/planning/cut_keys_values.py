"""Variant 2 blocks keys and values themselves: K' = sg(K), V' = sg(V), so W_K and W_V learn from the diagonal only.

As for blocked hidden states d l_n / d x_i = 0 for i < n at the input of every layer, and in addition the gradients of
W_K and W_V have no part through i < n: they equal the derivatives in the copies of these weights at n itself. Any
number of positions and layers.
"""

from __future__ import annotations

import sympy as sp

from ..kit.myopic import as_printed, attend, equated, h, p, past_u, past_w, same, sg_u, sg_w, u, w, x
from ..statement import Statement

statement = Statement(
    "planning/cut-keys-values",
    source="FutureGPT2-public; Rofin et al. code",
    verdict="proved",
    needs=["planning/forward-equality", "planning/cut-hidden-states"],
)

m = sp.Symbol("m", integer=True, positive=True)
myopic, plain = as_printed(sg_w, sg_u), attend(w, u, x)
copies = attend(past_w, past_u, x)  # position n reads what copies of the weights made at the past positions


@statement.proves("d out_n / d x_m = 0 for every past position m, and for a layer G(h_n, out_n) on top of it")
def past_input() -> bool:
    block = sp.Function("G")
    return bool(sp.diff(myopic, x[m]) == 0 and sp.diff(block(h, myopic), x[m]) == 0)


@statement.proves(
    "the own input and the query's weight keep the derivative of plain attention with the past held fixed"
)
def own_input() -> bool:
    return all(same(equated(sp.diff(myopic, s)), sp.diff(plain, s)) for s in (h, p))


@statement.proves("W_K and W_V: the gradient equals the derivative in the copy of position n, without those of i < n")
def weights() -> bool:
    pairs = [(equated(sp.diff(myopic, s)), equated(sp.diff(copies, s))) for s in (w, u)]
    return all(same(found, diagonal) for found, diagonal in pairs)


@statement.proves("what is missing from the plain gradient is exactly the off-diagonal part, which is not 0")
def missing_part() -> bool:
    for own, past in ((w, past_w), (u, past_u)):
        off = equated(sp.diff(copies, past))
        if not same(equated(sp.diff(myopic, own)) + off, sp.diff(plain, own)) or same(off, sp.S.Zero):
            return False
    return True
