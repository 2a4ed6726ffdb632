"""Printed: "Even if their distributions align perfectly, the output of the draft model may still be rejected."

In speculative sampling it never is.

The probability of keeping a draft is sum min(p, q), which is 1 at p = q. The sentence is true of another procedure,
that emits the target's own sample and keeps the draft if it coincides: it keeps it with probability sum p^2 there.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.decoding import keep, law, smaller, verify
from ..kit.generic import split
from ..statement import Statement

statement = Statement(
    "medusa/erratum-perfect-draft",
    source="2401.10774 Sec. 2.3.1",
    verdict="refuted as written",
    repair="proved",
    needs=["speculative/acceptance-rate", "speculative/sample-and-match"],
)

x, V = sp.symbols("x V", integer=True, positive=True)


@statement.refutes("p = q = (1/2, 1/3, 1/6): over all branches the draft is kept with probability 1")
def counterexample() -> bool:
    p = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
    return law(lambda choose: verify(choose, p, p, choose(p))[0]) == {True: 1}


@statement.proves(
    "repaired: at p = q every draft is kept for certain, min(1, p / p) = 1, and sum min(p, p) = sum p = 1"
)
def always() -> bool:
    p = sp.Symbol("p", positive=True)
    return bool(keep(p, p) == 1 and smaller(p, p) == p)


@statement.proves(
    "of sample-and-match it is true: refused with probability 1 - sum p^2 = sum p (1 - p) > 0 unless p is 0, 1"
)
def other_procedure() -> bool:
    p, t = sp.IndexedBase("p"), sp.Symbol("t")
    gap = split(sp.Sum(p[x] * (1 - p[x]), (x, 1, V))).subs(sp.Sum(p[x], (x, 1, V)), 1)
    laws = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
    kept = law(lambda choose: choose(laws) == choose(laws))[True]
    return bool(
        gap == 1 - sp.Sum(p[x] ** 2, (x, 1, V))
        and set(sp.roots(sp.Poly(t * (1 - t), t))) == {0, 1}
        and kept == Fraction(7, 18)
    )
