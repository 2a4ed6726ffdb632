"""Exact numbers as text: in full while they are short, else as a rounded decimal; no limit on their size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from fractions import Fraction

__all__ = [
    "approximate",
    "exact",
    "figure",
    "inverse_root",
    "listed",
    "log_of_product",
    "shortened",
    "spelled",
    "whole",
]

SHORT_BITS = 128
DIGITS = 12
SHOWN = 8


def whole(digits: str) -> int:
    """The integer with these decimal digits, however many (``int`` refuses more than some thousands)."""
    if digits.startswith("-"):
        return -whole(digits[1:])
    if len(digits) <= 600:
        return int(digits)
    half = len(digits) // 2
    power: int = 10**half
    return whole(digits[:-half]) * power + whole(digits[-half:])


def exact(number: Fraction | int) -> str:
    """A short number in full, a long one rounded, with its size."""
    x = Fraction(number)
    if _is_short(x):
        return str(x)
    top, bottom = x.numerator.bit_length(), x.denominator.bit_length()
    size = f"{top} bits" if x.denominator == 1 else f"{top} over {bottom} bits"
    return f"about {approximate(x)} (exactly: {size})"


def spelled(number: Fraction) -> str:
    """As `exact`, with the decimals of a short fraction behind it."""
    is_short_fraction = number.denominator != 1 and _is_short(number)
    return f"{number} ({approximate(number)})" if is_short_fraction else exact(number)


def approximate(number: Fraction, digits: int = DIGITS) -> str:
    """The number rounded to so many digits."""
    with localcontext(_context(digits)):
        return str(Decimal(number.numerator) / Decimal(number.denominator))


def inverse_root(number: Fraction) -> str:
    """``1 / sqrt(number)``, rounded to 12 digits."""
    with localcontext(_context(DIGITS + 8)):
        root = (Decimal(number.denominator) / Decimal(number.numerator)).sqrt()
    return str(_context(DIGITS).plus(root))


def log_of_product(powers: Mapping[int, int]) -> str:
    """The logarithm of ``prod base^exponent`` to 6 digits, for a product that is not 1.

    The terms may cancel: the precision grows until what is left stands clear of the rounding errors.
    """
    digits = 30
    while True:
        with localcontext(_context(digits)):
            terms = [exponent * Decimal(base).ln() for base, exponent in powers.items()]
            total, size = sum(terms, Decimal(0)), sum(map(abs, terms), Decimal(0))
            if abs(total) > size * (len(terms) + 2) * Decimal(10) ** (8 - digits):
                return str(_context(6).plus(total))
        digits *= 2


def figure(number: Fraction) -> dict[str, str | None]:
    """A number for a program to read: exactly if it is short, and rounded."""
    return {"exact": str(number) if _is_short(number) else None, "decimal": approximate(number)}


def listed(lines: Iterable[str], count: int) -> list[str]:
    """The first of so many lines, indented, and how many more there are."""
    shown = [f"  {line}" for line, _ in zip(lines, range(SHOWN), strict=False)]
    return shown + ([f"  and {count - SHOWN} more"] if count > SHOWN else [])


def shortened(text: str, limit: int = 60) -> str:
    """A text with its middle left out if it is long."""
    return text if len(text) <= limit else f"{text[: limit // 2]}...{text[-limit // 4 :]}"


def _is_short(number: Fraction) -> bool:
    return max(number.numerator.bit_length(), number.denominator.bit_length()) <= SHORT_BITS


def _context(digits: int) -> Context:
    return Context(prec=digits, Emax=MAX_EMAX, Emin=MIN_EMIN)
