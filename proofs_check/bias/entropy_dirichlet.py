"""Probabilities of S tokens drawn uniformly from the simplex have expected entropy 1/2 + 1/3 + ... + 1/S nats.

    E H(Dirichlet(1, .., 1)) = psi(S + 1) - psi(2) = sum_{i=2}^S 1/i

It is 29/20 = 1.45 for S = 6, where experiment A.2 prints 1.445 (mean over 50 contexts), and 5/6 for S = 3, where the
toy prints 0.8811 (3 contexts): both within one standard deviation of such a mean.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "bias/entropy-dirichlet",
    source="derived",
    verdict="proved",
    known=["Beta integrals", "moments of the Dirichlet law"],
)

S, s, t = sp.symbols("S s t", positive=True)
psi = sp.digamma


def moment(size: sp.Expr) -> sp.Expr:
    """E x_1^s x_2^t = Gamma(S) Gamma(1+s) Gamma(1+t) / Gamma(S+s+t)."""
    return sp.gamma(size) * sp.gamma(1 + s) * sp.gamma(1 + t) / sp.gamma(size + s + t)


@statement.proves(
    "x_1 has density (S-1) (1-x)^(S-2): the slice is a simplex shrunk by 1-x in S-2 dimensions; its integral is 1"
)
def marginal() -> bool:
    x, size = sp.Symbol("x", positive=True), sp.Symbol("S", positive=True)
    antiderivative = -((1 - x) ** (size - 1))
    slope = sp.simplify(sp.diff(antiderivative, x) - (size - 1) * (1 - x) ** (size - 2))
    # at 1 it is 0 for S > 1
    return bool(slope == 0 and antiderivative.subs(x, 0) == -1 and antiderivative.subs({x: 1, size: 1 + size}) == 0)


@statement.proves("E x^s = (S-1) B(s+1, S-1) = Gamma(S) Gamma(1+s) / Gamma(S+s), the moment with t = 0")
def beta() -> bool:
    integral = (S - 1) * sp.gamma(s + 1) * sp.gamma(S - 1) / sp.gamma(S + s)
    return bool(sp.gammasimp(integral / moment(S).subs(t, 0)) == 1)


@statement.proves("E[-x log x] is minus its derivative at s = 1; S times that is psi(S+1) - psi(2)")
def expected() -> bool:
    mean = -S * sp.diff(moment(S).subs(t, 0), s).subs(s, 1)
    return is_zero(sp.gammasimp(sp.expand_func(mean)) - sp.expand_func(psi(S + 1) - psi(2)))


@statement.proves("psi(S+1) - psi(2) is the sum: 0 at S = 1, and psi(S+2) - psi(S+1) = 1/(S+1)")
def harmonic() -> bool:
    step = sp.expand_func(psi(S + 2)) - sp.expand_func(psi(S + 1)) - 1 / (S + 1)
    return is_zero(step) and bool((psi(S + 1) - psi(2)).subs(S, 1) == 0)


@statement.proves("1/2 + ... + 1/6 = 29/20 and 1/2 + 1/3 = 5/6, also by integrating the density term by term")
def values() -> bool:
    x, k = sp.Symbol("x", positive=True), sp.Symbol("k", integer=True)
    for size, value in ((6, sp.Rational(29, 20)), (3, sp.Rational(5, 6))):
        polynomial = sp.Poly(sp.expand((size - 1) * (1 - x) ** (size - 2) * x), x)
        # the integral of -x^a log x over [0, 1] is 1/(a+1)^2
        integral = size * sum(c / sp.Integer(a + 1) ** 2 for (a,), c in polynomial.terms())
        if integral != value or sp.Sum(1 / k, (k, 2, size)).doit() != value:
            return False
    return True


def deviation(size: int, contexts: int) -> sp.Expr:
    """Standard deviation of the mean entropy of so many contexts, from the second moments of x log x."""
    own = sp.diff(moment(sp.Integer(size)).subs(t, 0), s, 2).subs(s, 2)
    cross = sp.diff(moment(sp.Integer(size)), s, t).subs({s: 1, t: 1})
    mean = sum(sp.Rational(1, i) for i in range(2, size + 1))
    variance = sp.simplify(sp.expand_func(size * own + size * (size - 1) * cross - mean**2))
    return sp.sqrt(variance / contexts)


@statement.proves(
    "1.445 is within one deviation of 29/20 (6 tokens, 50 contexts), and 0.8811 of 5/6 (3 tokens, 3 contexts)"
)
def printed() -> bool:
    near = abs(sp.Rational("1.445") - sp.Rational(29, 20)) < deviation(6, 50)
    toy = abs(sp.Rational("0.8811") - sp.Rational(5, 6)) < deviation(3, 3)
    return bool(near) and bool(toy)
