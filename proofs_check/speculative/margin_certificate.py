"""A token is certain when the two largest logits differ by more than twice the largest error of a logit.

If every logit of a second computation is within delta of the first and the margin between the largest and every other
is more than 2 delta, the second computation has the same largest logit. The constant 2 is the best possible: at a
margin of exactly 2 delta a tie can arise, and any smaller margin can be turned.
"""

from __future__ import annotations

import sympy as sp

from ..statement import Statement

statement = Statement("speculative/margin-certificate", source="derived", verdict="proved")

delta = sp.Symbol("delta", nonnegative=True)
top, spare = sp.Symbol("l", real=True), sp.Symbol("s", positive=True)
# An error in [-delta, delta] is -delta + u or delta - v with u, v >= 0.
u, v = sp.symbols("u v", nonnegative=True)


@statement.proves(
    "margin 2 delta + s, any two errors: the margin after them is s + u + v > 0, against every other token"
)
def kept() -> bool:
    other = top - (2 * delta + spare)
    after = (top - delta + u) - (other + delta - v)
    return bool(sp.expand(after - (spare + u + v)) == 0 and (spare + u + v).is_positive)


@statement.proves("at a margin of 2 delta the errors -delta and delta make a tie")
def tie() -> bool:
    return bool(sp.expand((top - delta) - (top - 2 * delta + delta)) == 0)


@statement.proves("at a margin of 2 delta - s they turn the order")
def turned() -> bool:
    after = sp.expand((top - delta) - (top - (2 * delta - spare) + delta))
    return bool(after == -spare and after.is_negative)
