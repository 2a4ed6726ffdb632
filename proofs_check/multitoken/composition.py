"""Composition over F_7 is not well defined modulo X^5, except for inner polynomials without constant term.

X^5 is 0 in F_7[X] / (X^5), and 0 o (1 + X) = 0; but X^5 o (1 + X) = (1 + X)^5 = 1 + 5 X + 3 X^2 + 3 X^3 + 5 X^4 modulo
X^5. So the value of an expression depends on where it is reduced. If the inner polynomial has constant term 0 it does
not, and if its constant term is not 0 it always does for the outer polynomials 0 and X^5.
"""

from __future__ import annotations

import sympy as sp

from ..statement import Statement

statement = Statement("multitoken/composition", source="derived", verdict="proved")

X = sp.Symbol("X")
PRIME, DEGREE = 7, 5


def reduced(polynomial: sp.Expr) -> list[int]:
    """Coefficients modulo X^5 and 7, constant term first."""
    coefficients = sp.Poly(sp.expand(polynomial), X).all_coeffs()[::-1]
    return [int(c) % PRIME for c in (coefficients + [0] * DEGREE)[:DEGREE]]


@statement.proves("X^4 X, reduced before composing with 1 + X, gives 0; composed first it gives [1, 5, 3, 3, 5]")
def counterexample() -> bool:
    outer = X**4 * X
    first = sum(c * X**k for k, c in enumerate(reduced(outer)))
    before = reduced(sp.sympify(first).subs(X, 1 + X))
    after = reduced(outer.subs(X, 1 + X))
    return before == [0, 0, 0, 0, 0] and after == [1, 5, 3, 3, 5]


@statement.proves(
    "constant term 0: X^k o (X u) = X^k u^k has the factor X^5 for every k >= 5, so 0 stays 0 in the outer"
)
def outer_change() -> bool:
    extra, u = sp.Symbol("e", integer=True, nonnegative=True), sp.Symbol("u")
    k = DEGREE + extra
    composed = (sp.Symbol("X", positive=True) * u) ** k
    base = sp.Symbol("X", positive=True)
    return bool(sp.simplify(sp.expand_power_base(composed, force=True) / base**DEGREE - base**extra * u**k) == 0)


@statement.proves(
    "any inner g: a change by D = X^5 h changes g^k by a multiple of D, by induction on k; so does every sum"
)
def inner_change() -> bool:
    g, D, quotient, power = sp.symbols("g D quotient power")
    # (g + D)^k - g^k = D quotient and power = g^k: the next difference is D times a polynomial again
    following = (g + D) * (power + D * quotient) - g * power
    _, remainder = sp.div(sp.Poly(following, D), sp.Poly(D, D))
    return bool(remainder.is_zero)


@statement.proves("constant term c != 0: X^5 composed with it has constant term c^5, which is not 0 modulo 7 for any c")
def never_otherwise() -> bool:
    rest = sum(sp.Symbol(f"g{k}") * X**k for k in range(1, DEGREE))
    constants = [sp.expand((c + rest) ** DEGREE).subs(X, 0) for c in range(1, PRIME)]
    return all(int(constant) % PRIME != 0 for constant in constants) and len(constants) == PRIME - 1
