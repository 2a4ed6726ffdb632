"""Sums of logarithms of rational numbers, exactly: by the logarithms of primes, which no rational relation connects."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from ..errors import UsageError

__all__ = ["LogSum"]


@dataclass(frozen=True)
class LogSum:
    """An exact real number ``sum_p c_p log p`` over primes p, with rational c_p.

    Two are equal exactly if their coefficients are: primes have unique factorisations. Made by `LogSum.of`.

    Attributes
    ----------
    coefficients : tuple of (int, Fraction)
        Primes in increasing order with their coefficients, none of them 0.

    Examples
    --------
    >>> entropy = LogSum.of([(Fraction(-1, 4), Fraction(1, 4)), (Fraction(-3, 4), Fraction(3, 4))])
    >>> print(entropy, round(float(entropy), 6))
    2 log 2 - 3/4 log 3 0.562335
    >>> LogSum.of([(2, 3)]) == LogSum.of([(1, 9)]), LogSum.of([(1, 9)]) > LogSum.of([(3, 2)])
    (True, True)
    """

    coefficients: tuple[tuple[int, Fraction], ...] = ()

    @classmethod
    def of(cls, terms: Iterable[tuple[Fraction | int, Fraction | int]]) -> LogSum:
        """``sum c log x`` of pairs (c, x) of rational numbers, x > 0.

        Raises
        ------
        UsageError
            If an x is not positive.
        """
        from sympy import factorint

        found: defaultdict[int, Fraction] = defaultdict(Fraction)
        for weight, argument in terms:
            weight, argument = Fraction(weight), Fraction(argument)
            if argument <= 0:
                raise UsageError(f"terms has the logarithm of {argument}; every argument must be positive")
            for part, sign in ((argument.numerator, 1), (argument.denominator, -1)):
                for prime, exponent in factorint(part).items():
                    found[int(prime)] += sign * exponent * weight
        return cls(tuple((prime, found[prime]) for prime in sorted(found) if found[prime]))

    def __add__(self, other: LogSum) -> LogSum:
        return LogSum.of([(c, p) for p, c in (*self.coefficients, *other.coefficients)])

    def __neg__(self) -> LogSum:
        return LogSum(tuple((prime, -weight) for prime, weight in self.coefficients))

    def __sub__(self, other: LogSum) -> LogSum:
        return self + -other

    def __rmul__(self, factor: Fraction | int) -> LogSum:
        return LogSum(tuple((prime, factor * weight) for prime, weight in self.coefficients if factor))

    @property
    def sign(self) -> int:
        """-1, 0 or 1, by comparing two products of prime powers."""
        scale = math.lcm(*(weight.denominator for _, weight in self.coefficients))
        exponents = [(prime, int(weight * scale)) for prime, weight in self.coefficients]
        above = math.prod(prime**e for prime, e in exponents if e > 0)
        below = math.prod(prime**-e for prime, e in exponents if e < 0)
        return int(above > below) - int(above < below)

    def __lt__(self, other: LogSum) -> bool:
        return (self - other).sign < 0

    def __gt__(self, other: LogSum) -> bool:
        return (self - other).sign > 0

    def __le__(self, other: LogSum) -> bool:
        return (self - other).sign <= 0

    def __ge__(self, other: LogSum) -> bool:
        return (self - other).sign >= 0

    def __float__(self) -> float:
        return math.fsum(float(weight) * math.log(prime) for prime, weight in self.coefficients)

    def __str__(self) -> str:
        words = ""
        for prime, weight in self.coefficients:
            size = "" if abs(weight) == 1 else f"{abs(weight)} "
            words += (" - " if weight < 0 else " + ") + f"{size}log {prime}"
        first = "-" if words.startswith(" -") else ""
        return first + words[3:] or "0"
