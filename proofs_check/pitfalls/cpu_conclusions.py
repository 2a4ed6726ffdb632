"""The small path-star demonstration costs between 1/3000 and 1/1000 of the public code's run.

Training costs about 6 x parameters x tokens floating-point operations: 254,656 parameters, 576,000 examples of 15
places give 1.3 10^13; 10.6 million parameters, 200,000 graphs of 31 tokens, 100 epochs give 3.9 10^16. The other
conclusions of this label are measurements and are not decided here.
"""

from __future__ import annotations

from fractions import Fraction

from ..statement import Statement

statement = Statement("pitfalls/cpu-conclusions", source="own runs", verdict="proved", needs=["pitfalls/edge-packed"])

SMALL = 6 * 254_656 * (576_000 * 15)
PUBLIC = 6 * 10_600_000 * (200_000 * 31 * 100)


def rounded(number: int, digits: int) -> tuple[int, int]:
    """The leading digits and the power of ten of the first, rounded to nearest."""
    power = len(str(number)) - 1
    return int(Fraction(number, 10 ** (power - digits + 1)) + Fraction(1, 2)), power


@statement.proves("1.3 10^13 against 3.94 10^16")
def operations() -> bool:
    return rounded(SMALL, 2) == (13, 13) and rounded(PUBLIC, 2) == (39, 16) and rounded(PUBLIC, 3) == (394, 16)


@statement.proves("the ratio lies between 10^3 and 10^3.5: it is below 3000, whose square is below 10^7")
def ratio() -> bool:
    return 1000 * SMALL < PUBLIC < 3000 * SMALL and 3000**2 < 10**7
