"""On separable data the norm of gradient descent grows like ||W_mm|| log k.

    ||W_k|| / log k  ->  ||W_mm||,   (||W_2k|| - ||W_k||) / log 2  ->  ||W_mm||,   d||W||/d log t -> ||W_mm|| in flow

Hypotheses and symbols of `bias/sharp-gd-expansion`: W_k = W_mm log k + W~ + o(1). With N = ||W_mm||, b = <W~, W_mm>/N
and c the length of W~ across W_mm, ||W_k|| = N log k + b + O(1/log k), up to o(1): the ratio lags by b/log k, the slope
does not.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "bias/sharp-gd-norm",
    source="derived (D4.2)",
    verdict="proved",
    needs=["bias/sharp-gd-expansion", "bias/sharp-gd-duals", "bias/log-time-flow"],
)

N, s, ratio = sp.symbols("N s rho", positive=True)
b, c = sp.symbols("b c", real=True)
# W = (N s + b, c) in the plane of W_mm and W~, s = log k; u = 1/s
u = sp.Symbol("u", positive=True)


@statement.proves("||W|| - N s - b = c^2 / (||W|| + N s + b), which tends to 0 for any bounded b and c")
def expansion() -> bool:
    norm = sp.sqrt((N * s + b) ** 2 + c**2)
    rest = c**2 / (norm + N * s + b)
    exact = is_zero((norm - N * s - b) * (norm + N * s + b) - c**2)
    return exact and bool(sp.limit(rest, s, sp.oo) == 0)


@statement.proves("||W||/s = sqrt((N + u b)^2 + u^2 c^2), continuous at u = 1/s = 0 in b and c: the limit is N")
def ratio_tends() -> bool:
    scaled = (N + u * b) ** 2 + u**2 * c**2
    same = is_zero(scaled.subs(u, 1 / s) - ((N * s + b) ** 2 + c**2) / s**2)
    return same and bool(scaled.subs(u, 0) == N**2)


@statement.proves("from k to rho k, with offsets b, c and b', c' that differ by o(1), ||W|| gains N log rho + b' - b")
def slope_tends() -> bool:
    later, across = sp.symbols("b' c'", real=True)
    norms = [
        sp.sqrt((N * (s + sp.log(ratio)) + later) ** 2 + across**2),
        sp.sqrt((N * s + b) ** 2 + c**2),
    ]
    return is_zero(sp.limit(norms[0] - norms[1], s, sp.oo) - (N * sp.log(ratio) + later - b))


@statement.proves("in flow d||W||/ds = <W/||W||, dW/ds> with dW/ds -> W_mm (`bias/log-time-flow`): the limit is N")
def flow() -> bool:
    f, g = sp.Function("f")(s), sp.Function("g")(s)
    chain = sp.diff(sp.sqrt(f**2 + g**2), s) - (f * f.diff(s) + g * g.diff(s)) / sp.sqrt(f**2 + g**2)
    drift = sp.symbols("e1 e2", real=True)  # dW/ds = (N + e1, e2)
    slope = ((N + u * b) * (N + drift[0]) + u * c * drift[1]) / sp.sqrt((N + u * b) ** 2 + u**2 * c**2)
    return is_zero(chain) and is_zero(slope.subs(u, 0).subs(drift[0], 0) - N)
