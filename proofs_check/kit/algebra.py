"""Symbolic identities and inequalities, decided by normal forms and exact root counts."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

__all__ = ["entropy", "is_zero", "log_softmax", "over_pairs", "positive_on", "positives", "reals", "softmax"]


def reals(name: str, count: int) -> list[sp.Symbol]:
    """Real symbols ``name1 .. name<count>``."""
    return list(sp.symbols(f"{name}1:{count + 1}", real=True))


def positives(name: str, count: int) -> list[sp.Symbol]:
    """Positive symbols ``name1 .. name<count>``."""
    return list(sp.symbols(f"{name}1:{count + 1}", positive=True))


def softmax(logits: Sequence[sp.Expr]) -> list[sp.Expr]:
    """``exp(l_v) / sum_u exp(l_u)``."""
    total = sum(sp.exp(logit) for logit in logits)
    return [sp.exp(logit) / total for logit in logits]


def log_softmax(logits: Sequence[sp.Expr]) -> list[sp.Expr]:
    """``l_v - log sum_u exp(l_u)``."""
    level = sp.log(sum(sp.exp(logit) for logit in logits))
    return [logit - level for logit in logits]


def entropy(probabilities: Sequence[sp.Expr]) -> sp.Expr:
    """``- sum p log p`` in nats."""
    return -sum(p * sp.log(p) for p in probabilities)


def is_zero(expression: sp.Expr | sp.MatrixBase) -> bool:
    """Whether an expression vanishes identically: it is brought to one fraction, whose numerator expands to 0.

    True is a proof. False may only mean that the normal form was not found: logarithms of sums, for example, are
    taken as they stand.

    Examples
    --------
    >>> a, b = reals("a", 2)
    >>> is_zero(sp.exp(a + b) / (1 + sp.exp(b)) - sp.exp(a) / (1 + sp.exp(-b)))
    True
    """
    if isinstance(expression, sp.MatrixBase):
        return all(is_zero(entry) for entry in expression)
    expression = sp.expand_log(sp.sympify(expression), force=False)
    if sp.expand(expression) == 0:
        return True
    numerator = sp.numer(sp.together(sp.expand(expression, power_exp=True)))
    return bool(sp.expand(numerator, power_exp=True) == 0 or sp.simplify(numerator) == 0)


def positive_on(polynomial: sp.Expr, symbol: sp.Symbol, low: sp.Expr, high: sp.Expr) -> bool:
    """Whether a polynomial with rational coefficients is positive on the closed interval, by exact root counting.

    Examples
    --------
    >>> x = sp.Symbol("x")
    >>> positive_on(x**2 - x + 1, x, 0, 1), positive_on(x**2 - x, x, 0, 1)
    (True, False)
    """
    poly = sp.Poly(polynomial, symbol, domain="QQ")
    low, high = sp.Rational(low), sp.Rational(high)
    return bool(poly.count_roots(low, high) == 0 and poly.eval(low) > 0)


def over_pairs(polynomial: sp.Expr, x: sp.Symbol, y: sp.Symbol, moments: Sequence[sp.Expr]) -> sp.Expr:
    """``sum_u sum_v s_u s_v f(x_u, x_v)`` in the moments ``m_i = sum_u s_u x_u^i``, for any number of terms.

    Examples
    --------
    >>> x, y, m1, m2 = sp.symbols("x y m1 m2")
    >>> over_pairs((x - y) ** 2 / 2, x, y, [1, m1, m2])
    -m1**2 + m2
    """
    terms = sp.Poly(polynomial, x, y).terms()
    return sp.expand(sum(c * moments[a] * moments[b] for (a, b), c in terms))
