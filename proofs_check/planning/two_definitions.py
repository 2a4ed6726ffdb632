"""Two inequivalent kinds of myopic attention are in circulation: one value, two gradients.

Blocking the hidden states of other positions (variant 1) and blocking their keys and values (variant 2) give the
outputs of causal attention, and the same gradients for the own input and the query. The gradients of W_K and W_V
differ by the off-diagonal part, which is not 0: the two are different training methods.
"""

from __future__ import annotations

import sympy as sp

from ..kit.myopic import as_printed, equated, h, p, same, sg_u, sg_w, u, w
from ..statement import Statement

statement = Statement(
    "planning/two-definitions",
    source="derived; own runs",
    verdict="proved",
    needs=["planning/cut-hidden-states", "planning/cut-keys-values"],
)

first, second = as_printed(w, u), as_printed(sg_w, sg_u)


@statement.proves("equal outputs, for any number of positions")
def forward() -> bool:
    return same(equated(first), equated(second))


@statement.proves("equal gradients in the own input and in the query's weight")
def agree() -> bool:
    return all(same(equated(sp.diff(first, s)), equated(sp.diff(second, s))) for s in (h, p))


@statement.proves("different gradients in W_K and W_V")
def differ() -> bool:
    return not any(same(equated(sp.diff(first, s)), equated(sp.diff(second, s))) for s in (w, u))


@statement.proves(
    "in numbers: inputs 1 and 2 with W_K = 0, W_V = 1 and query 1: the gradients of (W_K, W_V) are (1/4, 3/2) in "
    "variant 1 and (1/2, 1) in variant 2"
)
def numbers() -> bool:
    w_past, u_past = sp.symbols("w_past u_past")
    past, own = sp.exp(w_past * 1), sp.exp(w * 2)
    out = (past * u_past * 1 + own * u * 2) / (past + own)
    at = {w_past: 0, w: 0, u_past: 1, u: 1}
    diagonal = [sp.diff(out, s).subs(at) for s in (w, u)]
    reader = [sp.diff(out.subs({w_past: w, u_past: u}), s).subs(at) for s in (w, u)]
    half, quarter = sp.Rational(1, 2), sp.Rational(1, 4)
    return reader == [quarter, 3 * half] and diagonal == [half, 1]
