"""Whole numbers: primes, products of powers by unique factorisation, independence modulo a prime."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction

__all__ = ["PRIME_LIMIT", "coprime_base", "dependent_row", "is_prime", "product_of_powers"]

# The first composite number that passes the strong test for each of the first 13 primes (Sorenson and Webster, 2015).
PRIME_LIMIT = 3317044064679887385961981
WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)


def is_prime(n: int) -> bool:
    """Whether n < `PRIME_LIMIT` is prime: the strong test with witnesses that suffice below the limit."""
    if n < 2:
        return False
    if n in WITNESSES:
        return True
    twos = ((n - 1) & (1 - n)).bit_length() - 1
    odd = (n - 1) >> twos
    for witness in WITNESSES:
        x = pow(witness, odd, n)
        if x == 1:
            continue
        for _ in range(twos):
            if x == n - 1:
                break
            x = x * x % n
        else:
            return False
    return True


def coprime_base(numbers: Iterable[int]) -> list[int]:
    """Pairwise coprime integers > 1 of which each of the given positive integers is a product, found by gcds alone."""
    base: list[int] = []
    waiting = [n for n in set(numbers) if n > 1]
    while waiting:
        a = waiting.pop()
        for i, b in enumerate(base):
            common = math.gcd(a, b)
            if common > 1:
                if a != b:
                    base[i] = base[-1]
                    base.pop()
                    waiting += [x for x in (common, a // common, b // common) if x > 1]
                break
        else:
            base.append(a)
    return base


def product_of_powers(factors: Iterable[tuple[Fraction | int, int]]) -> dict[int, int]:
    """``prod x^y`` over pairs (x > 0, y), as the nonzero exponents of pairwise coprime integers; empty if it is 1.

    Nothing is multiplied out: by unique factorisation a product of powers of coprime integers > 1 is 1 only if every
    exponent is 0.
    """
    powers: dict[int, int] = {}
    for x, y in factors:
        for n, sign in ((x.numerator, 1), (x.denominator, -1)):
            powers[n] = powers.get(n, 0) + sign * y
    powers = {n: y for n, y in powers.items() if n > 1 and y}
    exponents = {}
    for b in sorted(coprime_base(powers)):
        total = sum(y * _valuation(n, b) for n, y in powers.items())
        if total:
            exponents[b] = total
    return exponents


def dependent_row(rows: Iterable[Mapping[tuple[int, int], int]], prime: int) -> int | None:
    """Index of the first row that depends, modulo a prime, on those before it; None if all are independent.

    Rows are sparse, from column to entry. Integer rows that are independent modulo a prime are independent over the
    rationals: some minor is not divisible by the prime, so it is not 0.
    """
    reduced: dict[tuple[int, int], dict[tuple[int, int], int]] = {}  # by first column, where the entry is 1
    for index, integers in enumerate(rows):
        row = {column: x % prime for column, x in integers.items() if x % prime}
        while row and (first := min(row)) in reduced:
            factor = row[first]
            for column, x in reduced[first].items():
                value = (row.get(column, 0) - factor * x) % prime
                if value:
                    row[column] = value
                else:
                    row.pop(column, None)
        if not row:
            return index
        inverse = pow(row[first], -1, prime)
        reduced[first] = {column: x * inverse % prime for column, x in row.items()}
    return None


def _valuation(n: int, base: int) -> int:
    """How often the base divides n."""
    count = 0
    quotient, rest = divmod(n, base)
    while rest == 0:
        count += 1
        quotient, rest = divmod(quotient, base)
    return count
