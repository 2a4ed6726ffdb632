"""Normalised and Polyak steps train attention in finite time.

Reported (abstract): normalised gradient descent and Polyak's step have finite-time rates to the max-margin direction
and converge globally; jointly with the head the training loss falls like exp(-t^(1/3)). The exponents for the direction
were not at hand. Computed here, for any convex f >= 0 and for any f with gradients that see a direction u of unit norm:

    normalised steps with <-g, u> >= rho |g| have   rho eta k <= <W_k - W_0, u> <= |W_k - W_0| <= eta k;
    Polyak's step (f - f*) / |g|^2 comes closer to every minimiser, by (f - f*)^2 / |g|^2 in the square of the distance.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.matrices import matrices, transpose, vanishes
from ..statement import Statement

statement = Statement(
    "attention/ngd-polyak",
    source="2402.05738 (abstract)",
    verdict="open: source incomplete",
    missing="the theorems with their conditions and exponents: only the abstract and a summary were at hand",
)

eta, rho = sp.symbols("eta rho", positive=True)


@statement.proves("a normalised step, of length eta, adds at least rho eta along u: induction over k")
def norm_growth() -> bool:
    k, size, more = sp.symbols("k size more", nonnegative=True)
    along = rho * size + more  # <-g, u> >= rho |g|
    step = eta * along / size
    return is_zero(rho * eta * k + step - rho * eta * (k + 1) - eta * more / size)


@statement.proves(
    "Polyak: |W+ - Z|^2 <= |W - Z|^2 - (f - f*)^2 / |g|^2 by <g, W - Z> >= f(W) - f(Z), f convex, f(Z) = f*"
)
def polyak() -> bool:
    W, Z, g = matrices("W Z g")
    step = sp.Symbol("step", positive=True)
    after = W - step * g
    change = transpose(after - Z) * (after - Z) - transpose(W - Z) * (W - Z)
    identity = vanishes(change + 2 * step * transpose(g) * (W - Z) - step**2 * transpose(g) * g, trace=True)
    gap, square = sp.symbols("gap square", positive=True)
    bound = (-2 * step * gap + step**2 * square).subs(step, gap / square)
    return identity and is_zero(bound + gap**2 / square)
