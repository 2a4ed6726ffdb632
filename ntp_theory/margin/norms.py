"""The norms in which the NTP-SVM can be posed: p-norms of the entries, the singular values or the rows of a decoder."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from ..errors import UsageError

__all__ = ["FROBENIUS", "NAMES", "Norm", "as_norm"]

Family = Literal["entrywise", "schatten", "tokenwise"]


@dataclass(frozen=True)
class Norm:
    """A norm of decoders (V, d): the p-norm of their entries, of their singular values, or of their row lengths.

    Parameters
    ----------
    family : {"entrywise", "schatten", "tokenwise"}
        *entrywise*: all V d entries; *schatten*: the singular values; *tokenwise*: the Euclidean lengths of the V rows,
        one a token.
    p : float
        From 1 to infinity. At p = 2 the three families are one norm, Frobenius.

    Raises
    ------
    UsageError
        If there is no such family, or p is not in that range.

    Notes
    -----
    Source: entrywise and Schatten norms are those of 2502.04664 (`steepest/setting`, `steepest/norm-order`).

    Examples
    --------
    >>> weights = torch.tensor([[3.0, 0.0], [0.0, -4.0]])
    >>> [Norm(family, 1).value(weights) for family in ("entrywise", "schatten", "tokenwise")]
    [7.0, 7.0, 7.0]
    >>> Norm("schatten", math.inf).name, Norm("schatten", 3).dual.name, Norm("schatten", 2) == FROBENIUS
    ('spectral', 'schatten-1.5', True)
    """

    family: Family
    p: float

    def __post_init__(self) -> None:
        if self.family not in get_args(Family):
            raise UsageError(f"family is {self.family!r}; it must be one of {', '.join(map(repr, get_args(Family)))}")
        if isinstance(self.p, bool) or not isinstance(self.p, (int, float)) or not self.p >= 1:
            raise UsageError(f"p is {self.p!r}; it must be a number from 1 to inf")
        object.__setattr__(self, "p", float(self.p))
        if self.p == 2:
            object.__setattr__(self, "family", "entrywise")

    @property
    def name(self) -> str:
        """Its usual name if it has one, otherwise family and exponent; `as_norm` reads it back."""
        usual = {norm: name for name, norm in NAMES.items()}
        return usual.get(self) or f"{self.family}-{self.p!r}".removesuffix(".0")

    @property
    def dual(self) -> Norm:
        """The norm ``max <W, Y>`` over ``||W|| <= 1``: the same family with exponent q, 1/p + 1/q = 1."""
        if self.p == 1:
            return Norm(self.family, math.inf)
        return Norm(self.family, 1.0 if self.p == math.inf else self.p / (self.p - 1))

    @property
    def is_linear(self) -> bool:
        """Whether its unit ball is a polytope."""
        return self.family == "entrywise" and self.p in (1, math.inf)

    @property
    def is_rotation_invariant(self) -> bool:
        """Whether rotations of the embedding space keep it; a projection of the rows then does not increase it."""
        return self.family != "entrywise" or self.p == 2

    def value(self, matrix: Tensor) -> float:
        """The norm of a matrix (V, d)."""
        if self.family == "entrywise":
            parts = matrix
        else:
            parts = torch.linalg.svdvals(matrix) if self.family == "schatten" else matrix.norm(dim=1)
        if self.p in (1, 2, math.inf):
            return float(torch.linalg.vector_norm(parts, self.p))
        top = float(parts.abs().max())  # powers of what is left neither overflow nor all vanish
        return top * float(torch.linalg.vector_norm(parts / top, self.p)) if top else 0.0

    def value_within(self, bounds: Tensor) -> float:
        """Upper bound on the norm of every matrix whose entries are at most ``bounds`` (V, d) in absolute value."""
        if self.family != "schatten":
            return self.value(bounds)
        # singular values know no order of entries: through Frobenius, which does
        return float(min(bounds.shape) ** max(0.0, 1 / self.p - 1 / 2)) * FROBENIUS.value(bounds)

    def copies(self, counts: Tensor) -> Tensor:
        """Factors (V,) of the rows of a matrix that give it the norm it has with row v repeated ``counts[v]`` times."""
        return counts ** (1 / 2 if self.family == "schatten" else 1 / self.p)


FROBENIUS = Norm("entrywise", 2)

NAMES: dict[str, Norm] = {
    "frobenius": FROBENIUS,
    "max": Norm("entrywise", math.inf),
    "sum": Norm("entrywise", 1),
    "spectral": Norm("schatten", math.inf),
    "nuclear": Norm("schatten", 1),
    "token": Norm("tokenwise", math.inf),
}
"""Norms with a name of their own: ``max`` is the largest entry, ``sum`` that of all, ``token`` the longest row."""


def as_norm(norm: str | Norm) -> Norm:
    """The norm itself, or the one of that name.

    Parameters
    ----------
    norm : str or Norm
        One of `NAMES`, or family and exponent, as ``"schatten-3"``, ``"entrywise-1.5"``, ``"tokenwise-1"``.

    Raises
    ------
    UsageError
        If it is neither.

    Examples
    --------
    >>> as_norm("nuclear")
    Norm(family='schatten', p=1.0)
    >>> as_norm("entrywise-inf").name
    'max'
    """
    if isinstance(norm, Norm):
        return norm
    if isinstance(norm, str):
        if norm in NAMES:
            return NAMES[norm]
        family, _, exponent = norm.partition("-")
        with suppress(ValueError):
            p = float(exponent)
            if family in get_args(Family):
                return Norm(family, p)  # type: ignore[arg-type]
    raise UsageError(
        f"norm is {norm!r}; it must be one of {', '.join(map(repr, NAMES))}, or 'entrywise-P', 'schatten-P' or "
        "'tokenwise-P' with a number P from 1 to inf, or a Norm"
    )
