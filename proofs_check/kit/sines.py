"""Mean Huber losses (delta = 1) of sums of m independent sines of uniform angles, by series in integers and a tail."""

from __future__ import annotations

from fractions import Fraction
from math import factorial
from typing import Any

from mpmath import iv

from .intervals import interval

__all__ = ["BITS", "TERMS", "T", "mean_huber_losses"]

T, BITS, TERMS = 12, 420, 260
UNIT = 1 << BITS


def _times(a: list[int], b: list[int]) -> list[int]:
    """The product of two series in t^2, coefficients times T^(2k) in units, rounded down."""
    return [sum(a[j] * b[k - j] for j in range(k + 1)) >> BITS for k in range(TERMS)]


def mean_huber_losses() -> list[Any]:
    """Enclosures of ``(2/pi) int_0^oo (1 - J_0(t)^m) sin(t) / t^3 dt`` for m = 0..10.

    Examples
    --------
    >>> one = mean_huber_losses()[1]  # of a sine it is the mean of sin^2 / 2
    >>> bool(one.a < 0.25 < one.b)
    True
    """
    bessel = [(-1) ** k * UNIT * T ** (2 * k) // (4**k * factorial(k) ** 2) for k in range(TERMS)]
    sine = [(-1) ** k * UNIT * T ** (2 * k) // factorial(2 * k + 1) for k in range(TERMS)]  # sin(t) / t
    # sin(t) / t^3 beyond T: cos T / T^3 + 3 sin T / T^4 - 12 cos T / T^5 - 60 sin T / T^6, error at most 60 / T^6
    t = iv.mpf(T)
    tail = iv.cos(t) / t**3 + 3 * iv.sin(t) / t**4 - 12 * iv.cos(t) / t**5 - 60 * iv.sin(t) / t**6
    tail += 60 / t**6 * iv.mpf([-1, 1])
    found: list[Any] = [iv.mpf(0)]
    power = sine
    for m in range(1, 11):
        power = _times(power, bessel)
        # (1 - J^m) sin(t) / t^3 has the coefficients (sine - power)_k of t^(2k-2), k >= 1: integrated up to T
        series = sum((Fraction(sine[k] - power[k], T * UNIT * (2 * k - 1)) for k in range(1, TERMS)), Fraction(0))
        # beyond TERMS coefficients are below (m+1)^j T^j / j!, j = 2k; roundings add less than 2^-40
        rest = iv.sqrt(2 / (iv.pi * t)) ** m / (2 * t**2) + iv.mpf(2) ** -40
        found.append(2 / iv.pi * (interval(series) + tail + rest * iv.mpf([-1, 1])))
    return found
