"""One uniform number r for the tests of all positions of a block, instead of one a position, is not exact.

Position i keeps its draft if r <= p_i / q_i. A kept first draft makes r small, so a second test passes too easily. With
two tokens, the same p(0) = a and q(0) = b > a at two positions: the pair (0, 0) has probability a b, not a^2, and
(0, 1) has a (1 - b), not a (1 - a); the others are right. TV = a (b - a) > 0.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy as sp

from ..kit.decoding import Choose, Model, block, completed, distance, joint, keep, law, residual, table
from ..statement import Statement

statement = Statement("speculative/mutation-shared-r", source="derived", verdict="proved", needs=["speculative/step"])


def shared(choose: Choose, target: Model, draft: Model, length: int) -> tuple[int, ...]:
    """A block whose tests share r: the interval of r between the positions' thresholds is drawn by its length."""
    drafts: tuple[int, ...] = ()
    for _ in range(length):
        drafts = (*drafts, choose(draft(drafts)))
    thresholds: list[Any] = [keep(target(drafts[:i])[x], draft(drafts[:i])[x]) for i, x in enumerate(drafts)]
    cuts = [0, *sorted({t for t in thresholds if t != 1}), 1]
    upper = cuts[1:][choose([high - low for low, high in zip(cuts, cuts[1:], strict=False)])]
    for i, threshold in enumerate(thresholds):
        # r lies below its interval's upper end, which is one of the thresholds or 1
        if threshold != 1 and cuts.index(threshold) < cuts.index(upper):
            return (*drafts[:i], choose(residual(target(drafts[:i]), draft(drafts[:i]))))
    return drafts


@statement.proves("two tokens, all 0 < a < b < 1: the enumerated law of two tokens, r integrated over its intervals")
def symbolic() -> bool:
    x, y, z = sp.symbols("x y z", positive=True)
    a, b = x / (x + y + z), (x + y) / (x + y + z)
    p, q = [a, 1 - a], [b, 1 - b]
    found = law(lambda choose: completed(choose, shared(choose, lambda _: p, lambda _: q, 2), lambda _: p, 2))
    claimed = {(0, 0): a * b, (0, 1): a * (1 - b), (1, 0): (1 - a) * a, (1, 1): (1 - a) ** 2}
    return all(sp.cancel(found[path] - value) == 0 for path, value in claimed.items()) and len(found) == 4


@statement.proves("TV = a (b - a), positive for a < b")
def variation() -> bool:
    a, s = sp.symbols("a s", positive=True)
    b = a + s
    gaps = [a * b - a * a, a * (1 - b) - a * (1 - a)]
    return bool(sp.expand(sum(sp.Abs(sp.factor(gap)) for gap in gaps) / 2 - a * s) == 0 and (a * s).is_positive)


@statement.confirms("TV > 0, and 0 with a number for each position", instances="5 rational tables, V = 3, gamma = 3")
def tables() -> bool:
    def told(seed: int) -> bool:
        target, draft = table(seed, 3, 4), table(seed + 100, 3, 3)
        exact = joint(target, 3)
        wrong = law(lambda choose: completed(choose, shared(choose, target, draft, 3), target, 3))
        right = law(lambda choose: completed(choose, block(choose, target, draft, 3)[0], target, 3))
        return bool(distance(wrong, exact) > 0) and distance(right, exact) == Fraction(0)

    return all(told(seed) for seed in range(5))
