"""Typical acceptance: drafts are kept where they are likely enough, and the law of the model is not preserved."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from .choices import Law, check_law

__all__ = ["typical_threshold", "typical_tokens"]


def typical_threshold(law: Law, *, epsilon: float = 0.09, delta: float = 0.3) -> float:
    """``min(epsilon, delta exp(-H))``, H the entropy of the law in nats.

    Parameters
    ----------
    law : sequence (v,)
    epsilon, delta : number
        0.09 and 0.3 in the public code; delta is the square root of epsilon.

    Examples
    --------
    >>> f"{typical_threshold([0.25] * 4):.4f}"
    '0.0750'
    """
    _check(epsilon, delta)
    check_law("law", law)
    entropy = -math.fsum(float(p) * math.log(p) for p in law if p > 0)
    return min(float(epsilon), float(delta) * math.exp(-entropy))


def typical_tokens(
    law: Law, *, epsilon: float | Fraction = Fraction(9, 100), delta: float | Fraction = Fraction(3, 10)
) -> NDArray[np.bool_]:
    """Which tokens typical acceptance keeps: those of more than ``min(epsilon, delta exp(-H))``.

    Contract of a decoder with this rule: **neither** equal to greedy decoding nor equal in distribution to sampling.
    With delta < 1 the likeliest token is always among them (`medusa/argmax-accepted`).

    Parameters
    ----------
    law : sequence (v,)
        Of fractions: the rule is then decided exactly, with integer powers.
    epsilon, delta : number

    Returns
    -------
    ndarray (v,), bool

    Raises
    ------
    UsageError
        If epsilon or delta is not positive.

    Notes
    -----
    Source: Cai et al., 2401.10774 Sec. 2.3; `medusa/typical-acceptance`. With p = n / m, m the common denominator,
    ``p(x) > delta exp(-H)`` is ``p(x)^m > delta^m prod p^n``.

    Examples
    --------
    >>> typical_tokens([Fraction(97, 100), Fraction(2, 100), Fraction(1, 100)]).tolist()
    [True, False, False]
    """
    if not all(isinstance(p, Fraction) for p in law):
        threshold = typical_threshold(law, epsilon=float(epsilon), delta=float(delta))
        return np.array([p > threshold for p in law])
    _check(epsilon, delta)
    m = math.lcm(*(p.denominator for p in law))
    level = Fraction(delta) ** m * math.prod((p ** int(p * m) for p in law if p), start=Fraction(1))
    return np.array([p > epsilon or p**m > level for p in law])


def _check(epsilon: float | Fraction, delta: float | Fraction) -> None:
    for name, value in (("epsilon", epsilon), ("delta", delta)):
        if not value > 0:
            raise UsageError(f"{name} is {value}; it must be positive")
