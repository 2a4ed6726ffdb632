"""Printed: the acceleration rate is fitted by 0.477 log(number of candidates). At one candidate that is 0, not 1.

The acceleration rate is the number of tokens a decoding step emits, 1 by definition at one candidate.

log 1 = 0 to every base, so no choice of base and no other factor than 0.477 repairs it; an added constant must be 1.
"""

from __future__ import annotations

import sympy as sp

from ..statement import Statement

statement = Statement("medusa/erratum-acc-rate-fit", source="2401.10774", verdict="refuted as written")

base, factor = sp.symbols("b c", positive=True)
candidates = sp.Symbol("n", positive=True)
fit = sp.Rational(477, 1000) * sp.log(candidates) / sp.log(base)


@statement.refutes("at one candidate the fit is 0 to every base of the logarithm, not 1")
def at_one() -> bool:
    value = fit.subs(candidates, 1)
    return bool(value == 0 and value != 1)


@statement.refutes("with any factor in place of 0.477 it is still 0; with a constant c added it is c, so c must be 1")
def any_factor() -> bool:
    scaled = factor * sp.log(candidates) / sp.log(base)
    added = sp.solve((fit + factor).subs(candidates, 1) - 1, factor)
    return bool(scaled.subs(candidates, 1) == 0 and added == [1])
