"""Products of matrices to some 104 bits, made of products in double precision that are exact.

Each factor is cut into slices of so few bits that products of slices, summed over the inner axis, fit in a double; what
is left is to add them up without loss (Ozaki et al. 2012). Everything runs at the speed of matrix products, on a GPU
too. A number of more digits is an unevaluated sum ``high + low`` of two doubles (Dekker 1971).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["BITS", "Extended", "exact_product"]

# Bits that products keep, relative to the largest entries of a row and a column.
BITS = 104
# More of them in the slices: sums of what is dropped.
GUARD = 4


@dataclass(frozen=True, eq=False)
class Extended:
    """A tensor of numbers ``high + low``, low below the last digit of high.

    Attributes
    ----------
    high, low : Tensor

    Examples
    --------
    >>> third = Extended.of(torch.tensor([1.0 / 3], dtype=torch.float64))
    >>> rest = Extended.of(torch.tensor([1.0], dtype=torch.float64)) - (third + third + third)
    >>> rest.high.item() == 2.0**-54  # 1 - 3 (1/3), which double precision takes for 0
    True
    """

    high: Tensor
    low: Tensor

    @classmethod
    def of(cls, values: Tensor) -> Extended:
        """Double precision numbers, as they are."""
        return cls(values, torch.zeros_like(values))

    def __add__(self, other: Extended) -> Extended:
        high, low = _two_sum(self.high, other.high)
        return Extended(*_two_sum(high, low + (self.low + other.low)))

    def __sub__(self, other: Extended) -> Extended:
        return self + -other

    def __neg__(self) -> Extended:
        return Extended(-self.high, -self.low)

    def __getitem__(self, index: object) -> Extended:
        return Extended(self.high[index], self.low[index])  # type: ignore[index]

    @property
    def mT(self) -> Extended:  # noqa: N802 - as tensors have it
        """The last two axes swapped."""
        return Extended(self.high.mT, self.low.mT)

    def divided(self, numbers: Tensor) -> Extended:
        """Divided by whole numbers below 2^26."""
        quotient = self.high / numbers
        # both parts times such a number are exact, and so is what they leave
        large = quotient * (2.0**27 + 1)
        first = large - (large - quotient)
        left = (self.high - first * numbers) - (quotient - first) * numbers
        return Extended(*_two_sum(quotient, (left + self.low) / numbers))

    def rounded(self) -> Tensor:
        """In double precision."""
        return self.high + self.low


def exact_product(a: Extended, b: Extended) -> Extended:
    """``a @ b``, to a relative error of some ``2^-104`` of the largest entry of a row times the largest of a column.

    Parameters
    ----------
    a : Extended (..., m, n)
    b : Extended (..., n, k)

    Returns
    -------
    Extended (..., m, k)

    Notes
    -----
    Source: Ozaki, Ogita, Oishi, Rump, Numerical Algorithms 59 (2012).

    Examples
    --------
    >>> a = torch.tensor([[1e16, 1.0, -1e16]], dtype=torch.float64)
    >>> exact_product(Extended.of(a), Extended.of(torch.ones(3, 1, dtype=torch.float64))).high.item()
    1.0
    """
    inner = a.high.shape[-1]
    bits = (53 - math.ceil(math.log2(max(inner, 1)))) // 2
    count = math.ceil((BITS + GUARD) / bits)
    left, right = _slices(a, bits, count), [part.mT for part in _slices(b.mT, bits, count)]
    # smallest first: what rounding loses is small against the sum so far
    products = (left[i] @ right[total - i] for total in reversed(range(count)) for i in range(total + 1))
    high = low = a.high.new_zeros(*a.high.shape[:-1], b.high.shape[-1])
    for product in products:
        high, lost = _two_sum(high, product)
        low = low + lost
    return Extended(*_two_sum(high, low))


def _slices(x: Extended, bits: int, count: int) -> list[Tensor]:
    """Rows of x as a sum of parts, each of so many bits below its largest entry."""
    parts, high, low = [], x.high, x.low
    for _ in range(count):
        _, exponent = torch.frexp(high.abs().amax(-1, keepdim=True))
        # adding and taking away a number this large leaves multiples of 2^(exponent - bits)
        large = torch.ldexp(torch.full_like(high[..., :1], 0.75), exponent + (53 - bits))
        part = (high + large) - large
        parts.append(part)
        high, low = _two_sum(high - part, low)
    return parts


def _two_sum(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """``a + b`` rounded, and what rounding lost (Knuth)."""
    total = a + b
    virtual = total - a
    return total, (a - (total - virtual)) + (b - virtual)
