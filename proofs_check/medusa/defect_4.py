"""Nucleus mode is biased even for a single chain: P(x_1) = p_1 (2 - p_1) for the drafted x_1, at TV p_1 (1 - p_1).

On a mismatch the target's sample is thrown away, and the next step samples from the whole law p again. With m rows that
draft the same x_1 and are tested by independent samples, the excess is (1 - p_1)(1 - (1 - p_1)^m), larger for every row
more. If the mismatching sample is emitted, and rows share it, the law is exact.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.decoding import Choose, law
from ..statement import Statement

statement = Statement(
    "medusa/defect-4",
    source="FasterDecoding/Medusa e2a5d20",
    verdict="proved",
    needs=["speculative/mutation-nucleus-match"],
)

p = sp.Symbol("p", positive=True)
rows = sp.Symbol("m", integer=True, positive=True)


def drafted(mismatch: sp.Expr) -> sp.Expr:
    """Probability of x_1 if all tests fail with probability ``mismatch`` and x_1 is then drawn from p."""
    return (1 - mismatch) + mismatch * p


@statement.proves("one row: P(x_1) = p (2 - p), an excess of p (1 - p), which the other tokens lack: TV")
def one_row() -> bool:
    found = law(lambda choose: choose([p, 1 - p]) == 0 or choose([p, 1 - p]) == 0)
    claimed = p * (2 - p)
    others = (1 - p) ** 2 - (1 - p)
    return bool(
        sp.expand(found[True] - claimed) == 0
        and sp.expand(drafted(1 - p) - claimed) == 0
        and sp.expand((claimed - p) - p * (1 - p)) == 0
        and sp.expand(others + p * (1 - p)) == 0
    )


@statement.proves("m rows: the excess is (1 - p)(1 - (1 - p)^m), and one row more adds p (1 - p)^(m+1) > 0")
def more_rows() -> bool:
    miss = 1 - p
    excess = drafted(miss**rows) - p
    claimed = miss * (1 - miss**rows)
    growth = claimed.subs(rows, rows + 1) - claimed
    below_one = 1 / (1 + sp.Symbol("u", positive=True))
    positive = (p * (1 - p)).subs(p, 1 - below_one)
    return bool(
        sp.simplify(excess - claimed) == 0
        and sp.simplify(growth - p * miss ** (rows + 1)) == 0
        and sp.factor(positive).is_positive
    )


@statement.proves("predicted .4249 and .1833 belong to one p_1 = .24165, to the places given")
def numbers() -> bool:
    value = Fraction("0.24165")
    rounded = [Fraction(round(10_000 * x), 10_000) for x in (value * (2 - value), value * (1 - value))]
    return rounded == [Fraction("0.4249"), Fraction("0.1833")]


@statement.proves("emitting the mismatch: the first sample is the output, so P(x_1) = p")
def remedy() -> bool:
    def step(choose: Choose) -> bool:
        return choose([p, 1 - p]) == 0  # kept if it matches, emitted otherwise

    return bool(law(step)[True] == p)
