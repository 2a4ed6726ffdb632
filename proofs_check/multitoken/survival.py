"""How often the j-th draft is kept follows from reported tokens per forward by differencing.

A forward with k heads emits 1 + (survival of draft 1) + .. + (survival of draft k - 1) tokens on average, if what is
drafted does not depend on k. From the reported tokens per forward with 1, 2, 3, 4 heads,

    Wikipedia 1.00 1.88 2.57 3.12,    Books 1.00 1.87 2.56 3.09,    Code 1.00 1.94 2.78 3.50,

the survival of drafts 1, 2, 3 is .88 .69 .55, .87 .69 .53 and .94 .84 .72; kept given that the draft before was kept:
.88 .784 .797, .87 .793 .768 and .94 .894 .857.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.decoding import smaller
from ..statement import Statement

statement = Statement("multitoken/survival", source="derived from Table S2", verdict="proved")

TOKENS = {
    "wiki": ("1.00", "1.88", "2.57", "3.12"),
    "books": ("1.00", "1.87", "2.56", "3.09"),
    "code": ("1.00", "1.94", "2.78", "3.50"),
}
SURVIVAL = {"wiki": (".88", ".69", ".55"), "books": (".87", ".69", ".53"), "code": (".94", ".84", ".72")}
CONDITIONAL = {
    "wiki": (".88", ".784", ".797"),
    "books": (".87", ".793", ".768"),
    "code": (".94", ".894", ".857"),
}


def differences(data: str) -> list[Fraction]:
    values = [Fraction(text) for text in TOKENS[data]]
    return [after - before for before, after in zip(values, values[1:], strict=False)]


@statement.proves(
    "with one draft more, min(kept, m) grows by 1 where at least m + 1 would be kept and by 0 elsewhere: its mean "
    "grows by the survival of draft m + 1"
)
def differencing() -> bool:
    m, e = sp.symbols("m e", nonnegative=True)
    longer, shorter = m + 1 + e, m - e
    grown = smaller(longer, m + 1) - smaller(longer, m)
    same = smaller(shorter, m + 1) - smaller(shorter, m)
    return bool(grown == 1 and same == 0)


@statement.proves("the differences of the reported numbers")
def values() -> bool:
    return all(differences(data) == [Fraction(text) for text in SURVIVAL[data]] for data in TOKENS)


@statement.proves("their ratios, rounded to three places")
def ratios() -> bool:
    def rounded(data: str) -> list[Fraction]:
        kept = [Fraction(1), *differences(data)]
        return [Fraction(round(1000 * b / a), 1000) for a, b in zip(kept, kept[1:], strict=False)]

    return all(rounded(data) == [Fraction(text) for text in CONDITIONAL[data]] for data in TOKENS)
