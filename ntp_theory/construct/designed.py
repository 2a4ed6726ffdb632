"""Datasets whose whole answer is known in closed form, with the argument for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..doors import one_of

__all__ = ["DESIGNED", "DesignedCase", "designed"]


@dataclass(frozen=True, eq=False)
class DesignedCase:
    """A dataset and its known answer.

    Attributes
    ----------
    data : NTPDataset
        Made from counts on integer embeddings, so that exact decisions apply.
    compatible, separable : bool
        `bias/definition-1` and `bias/definition-2`.
    infimum : float
        inf CE in nats.
    finite : Tensor (V, d)
        The finite part of the limit: the minimiser of the in-support loss on the extended data subspace
        (`bias/any-data`); W* where the data is compatible and separable.
    direction : Tensor (V, d) or None
        The smallest W that keeps extended supports level and every other token 1 below: W_mm where the data
        is separable; None if training does not diverge.
    reason : str
        Why all this holds.
    """

    data: NTPDataset
    compatible: bool
    separable: bool
    infimum: float
    finite: Tensor
    direction: Tensor | None
    reason: str


def designed(case: str) -> DesignedCase:
    """The designed case of that name; `DESIGNED` lists them.

    Parameters
    ----------
    case : str
        One of ``DESIGNED``: each way in which data can be compatible or not, separable or not, and stay
        finite or not.

    Returns
    -------
    DesignedCase

    Raises
    ------
    UsageError
        If there is no such case.

    Notes
    -----
    Source: ours; the cases are those of `bias/any-data`.

    Examples
    --------
    >>> designed("overlap").infimum == math.log(2)
    True
    >>> [name for name in DESIGNED if not designed(name).separable]
    ['partially-separable', 'overlap', 'neither']
    """
    one_of("case", case, DESIGNED)
    return _CASES[case]()


def _separable_compatible() -> DesignedCase:
    data = _data([[1, 0], [0, 1]], [[3, 1, 0], [0, 0, 4]])
    half = math.log(3.0) / 2
    return DesignedCase(
        data,
        compatible=True,
        separable=True,
        infimum=data.entropy,
        finite=_matrix([[half, 0], [-half, 0], [0, 0]]),
        direction=_matrix([[1, -1], [1, -1], [-2, 2]]) / 3,
        reason="The embeddings are orthonormal, so the logits of the contexts can be chosen one by one: W* "
        "has log-odds log 3 in the first, and each column of W_mm is the smallest vector with a gap "
        "of 1 between S_j and the rest, (V - S_j)/V on S_j and -S_j/V off it (`bias/svm-structure` "
        "vi).",
    )


def _one_hot() -> DesignedCase:
    data = _data([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    return DesignedCase(
        data,
        compatible=True,
        separable=True,
        infimum=0.0,
        finite=torch.zeros(3, 3, dtype=torch.float64),
        direction=torch.eye(3, dtype=torch.float64) - 1 / 3,
        reason="With one next token a context there is no log-odds constraint: F = {0} and H = 0 "
        "(`bias/remark-1`); the embeddings are orthonormal, so W_mm is I - 1/3 by the formula of "
        "`bias/svm-structure` vi.",
    )


def _separable_incompatible() -> DesignedCase:
    data = _data([[1], [2]], [[6, 2, 0], [1, 3, 0]])
    return DesignedCase(
        data,
        compatible=False,
        separable=True,
        infimum=math.log(2.0),
        finite=torch.zeros(3, 1, dtype=torch.float64),
        direction=_matrix([[1], [1], [-2]]) / 3,
        reason="Log-odds log 3 at h = 1 ask for -log 3 to be 2 log 3 at h = 2. With x = w_0 - w_1 the "
        "derivative of the in-support loss is 2/3 (s(x) - 3/4) + 2/3 (s(2x) - 1/4), s the logistic "
        "function, and vanishes at x = 0 where both contexts pay log 2. Token 2 never occurs: w_0 = "
        "w_1 = w_2 + 1 separates, and is smallest if centred.",
    )


def _partially_separable() -> DesignedCase:
    data = _data([[1], [2]], [[2, 0, 0], [0, 1, 0]])
    return DesignedCase(
        data,
        compatible=True,
        separable=False,
        infimum=math.log(2.0),
        finite=torch.zeros(3, 1, dtype=torch.float64),
        direction=_matrix([[1], [1], [-2]]) / 3,
        reason="One next token a context is compatible. Token 0 above token 1 at h = 1 is token 0 above "
        "token 1 at h = 2, against the data; token 2 never occurs and can be pushed away. So the "
        "extended supports are {0, 1}, and with x = w_0 - w_1 the derivative of the loss on them, "
        "2/3 (s(x) - 1) + 2/3 s(2x), vanishes at x = 0.",
    )


def _overlap() -> DesignedCase:
    data = _data([[1], [2]], [[2, 0], [0, 1]])
    return DesignedCase(
        data,
        compatible=True,
        separable=False,
        infimum=math.log(2.0),
        finite=torch.zeros(2, 1, dtype=torch.float64),
        direction=None,
        reason="The partially separable case without its third token: nothing is left that can be pushed "
        "away, and the loss is least at W = 0.",
    )


def _neither() -> DesignedCase:
    data = _data([[1], [-1]], [[2, 1, 0], [2, 1, 0]])
    return DesignedCase(
        data,
        compatible=False,
        separable=False,
        infimum=math.log(3.0),
        finite=torch.zeros(3, 1, dtype=torch.float64),
        direction=None,
        reason="Opposite embeddings with the same row: log-odds log 2 at h ask for -log 2 at -h, and token "
        "2 below the others at h is above them at -h. The gradient at W = 0 is a multiple of h_1 + "
        "h_2 = 0, so the uniform distribution is best; a direction that never hurts must be level "
        "on all tokens, so nothing diverges.",
    )


def _full_support() -> DesignedCase:
    data = _data([[1, 0], [0, 1]], [[3, 1], [1, 1]])
    half = math.log(3.0) / 2
    return DesignedCase(
        data,
        compatible=True,
        separable=True,
        infimum=data.entropy,
        finite=_matrix([[half, 0], [-half, 0]]),
        direction=None,
        reason="Every token follows every context: (6b) asks nothing, the embeddings are orthonormal, and "
        "the entropy is reached at the finite W* (`bias/erratum-E3`).",
    )


def _data(embeddings: list[list[int]], counts: list[list[int]]) -> NTPDataset:
    return NTPDataset.from_counts(embeddings, counts)


def _matrix(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


_CASES: dict[str, Callable[[], DesignedCase]] = {
    "separable-compatible": _separable_compatible,
    "one-hot": _one_hot,
    "separable-incompatible": _separable_incompatible,
    "partially-separable": _partially_separable,
    "overlap": _overlap,
    "neither": _neither,
    "full-support": _full_support,
}
DESIGNED: tuple[str, ...] = tuple(_CASES)
"""Names of the designed cases."""
