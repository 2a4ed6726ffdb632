"""The creativity score is the share of a sample that is coherent and not memorised, repetitions counted once.

    score(T)  =  |{ s in T : s coherent, s not in the training set }|  /  |T|

It lies in [0, 1], does not depend on the order of the sample, is 1 exactly if all outputs are new, coherent and
different, is 0 exactly if none is new and coherent, and falls when an output is repeated (unless it is 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import sympy as sp

from ..statement import Statement

statement = Statement("pitfalls/roll-the-dice", source="2504.15266 (secondary)", verdict="proved")


def score(sample: Sequence[int], coherent: set[int], memorised: set[int]) -> Fraction:
    """The score of a sample of at least one output."""
    return Fraction(len({s for s in sample if s in coherent and s not in memorised}), len(sample))


# Of n outputs, `valid` are coherent and new, and `different` of these are different.


@statement.proves("between 0 and 1, for 1 <= different <= valid <= n; 1 only for different = valid = n")
def bounds() -> bool:
    different = sp.Symbol("different", integer=True, positive=True)
    repeats, invalid = sp.symbols("repeats invalid", integer=True, nonnegative=True)
    n = different + repeats + invalid
    gap = sp.factor(1 - different / n)
    return bool(gap.is_nonnegative) and sp.numer(gap) == repeats + invalid and bool((different / n).is_positive)


@statement.proves("repeating an output: different / (n + 1) < different / n")
def repeated() -> bool:
    different, n = sp.symbols("different n", integer=True, positive=True)
    return sp.factor(different / n - different / (n + 1)).is_positive is True


@statement.confirms(
    "bounds, order, the cases 0 and 1, and repetition",
    instances="every sample of at most 4 outputs out of 3, every set of coherent and of memorised ones",
)
def samples() -> bool:
    sets = [{s for s in range(3) if bits >> s & 1} for bits in range(8)]
    for size in range(1, 5):
        for sample in product(range(3), repeat=size):
            for coherent, memorised in product(sets, sets):
                value, valid = score(sample, coherent, memorised), coherent - memorised
                right = 0 <= value <= 1 and value == score(sample[::-1], coherent, memorised)
                right = right and (value == 0) == (not valid & set(sample))
                right = right and (value == 1) == (set(sample) <= valid and len(set(sample)) == size)
                again = score((*sample, sample[0]), coherent, memorised)
                if not right or not (again < value or value == again == 0):
                    return False
    return True
