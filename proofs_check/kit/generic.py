"""Arguments for all sizes: sums over an index of symbolic range, and inequalities for all x >= 0."""

from __future__ import annotations

import sympy as sp

__all__ = ["nonnegative_from_zero", "split"]


def split(expression: sp.Expr) -> sp.Expr:
    """Every ``Sum`` as sums of its terms, with the factors that do not depend on the index taken out.

    Two expressions with equal results are equal, whatever the range of the index.

    Examples
    --------
    >>> s, c, u, N = sp.IndexedBase("s"), sp.Symbol("c", integer=True), sp.Symbol("u"), sp.Symbol("N", integer=True)
    >>> split(sp.Sum(u * s[c] + 2 * u, (c, 1, N)))
    2*N*u + u*Sum(s[c], (c, 1, N))
    """

    def apart(total: sp.Sum) -> sp.Expr:
        result = total.function
        for limit in total.limits:  # the innermost first
            terms, result = sp.Add.make_args(sp.expand(result)), sp.Integer(0)
            for term in terms:
                outside, inside = term.as_independent(limit[0], as_Add=False)
                rest = sp.Sum(inside, limit)
                result += outside * (rest.doit() if inside == 1 else rest)
        return result

    return sp.expand(expression.replace(lambda part: isinstance(part, sp.Sum), apart))


def nonnegative_from_zero(function: sp.Expr, symbol: sp.Symbol, *, order: int = 4) -> bool:
    """Whether ``function >= 0`` for all ``symbol >= 0``, from its derivatives.

    Up to ``order`` of them are taken: each is at least 0 at 0, until one is at least 0 everywhere by the assumptions
    on the symbols (the symbol itself must be declared nonnegative). True is a proof.

    Examples
    --------
    >>> x = sp.Symbol("x", nonnegative=True)
    >>> nonnegative_from_zero(sp.exp(x) - 1 - x, x), nonnegative_from_zero(1 + x - sp.exp(x), x)
    (True, False)
    """
    assert symbol.is_nonnegative
    for _ in range(order + 1):
        if sp.factor(sp.simplify(function)).is_nonnegative:
            return True
        if not sp.simplify(function.subs(symbol, 0)).is_nonnegative:
            return False
        function = sp.diff(function, symbol)
    return False
