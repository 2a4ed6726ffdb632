"""Differences of scores as next-token data with two tokens: what makes the engine for any dataset answer for them.

A constraint ``<n, w> >= 1`` on a vector w is a context with embedding n whose next token is the first of two: its
logits differ by ``<n, W_0 - W_1>``, and ``w = W_0 - W_1`` is shortest exactly if W is, for then ``W_0 = -W_1 = w / 2``.
A constraint ``<n, w> = 0`` is a context where both tokens occur.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..conditions import ExtendedSupport, extended_support
from ..dataset import NTPDataset
from ..doors import dense
from ..errors import DatasetError, UsageError
from ..margin import SVMSolution, solve_svm

__all__ = ["PairSVM", "pair_dataset", "solve_pairs"]


def pair_dataset(normals: Tensor, tied: Sequence[bool]) -> tuple[NTPDataset, list[int]]:
    """Constraints as contexts of two tokens, each once.

    Parameters
    ----------
    normals : Tensor (n, D)
    tied : sequence of bool
        Whether the constraint asks for equality.

    Returns
    -------
    data : NTPDataset
    rows : list of int
        The context of every constraint. Of the same normal tied and free, tied is stricter and stays.

    Raises
    ------
    UsageError
        If ``normals`` is no finite matrix, or ``tied`` does not fit it.

    Notes
    -----
    Source: ours (`attention/unification`).

    Examples
    --------
    >>> data, rows = pair_dataset(torch.tensor([[1.0, -1.0], [0.0, 1.0], [1.0, -1.0]]), [False, False, True])
    >>> data.probabilities.to_dense().tolist(), rows
    ([[0.5, 0.5], [1.0, 0.0]], [0, 1, 0])
    """
    try:
        vectors = torch.from_numpy(dense("normals", normals, 2))
        together_or_not = [bool(x) for x in dense("tied", np.asarray(tied, dtype=bool), 1)]
    except (DatasetError, ValueError) as error:
        raise UsageError(str(error)) from error
    if len(together_or_not) != len(vectors):
        raise UsageError(
            f"tied has {len(together_or_not)} entries; it must have one for each of {len(vectors)} normals"
        )
    number: dict[tuple[float, ...], int] = {}
    rows = [number.setdefault(tuple((normal + 0.0).tolist()), len(number)) for normal in vectors]
    both = [False] * len(number)
    for row, together in zip(rows, together_or_not, strict=True):
        both[row] = both[row] or together
    probabilities = [[0.5, 0.5] if together else [1.0, 0.0] for together in both]
    return NTPDataset(list(number), probabilities), rows


@dataclass(frozen=True, eq=False)
class PairSVM:
    """The shortest w that the constraints allow, where some are found to hold with equality only.

    Attributes
    ----------
    direction : Tensor (D,)
        Zero if nothing can be driven apart.
    blocked : Tensor (n,), bool
        Constraints whose ``<n, w>`` is 0 for every w that meets all of them with ``>= 0``: all tied ones, and more.
    extended : ExtendedSupport
        Which those are, with the certificates of both sides.
    svm : SVMSolution or None
        The certificate of the direction, for decoders of two tokens; None if all are blocked.
    """

    direction: Tensor
    blocked: Tensor
    extended: ExtendedSupport
    svm: SVMSolution | None

    @property
    def distance_bound(self) -> float:
        """How far the direction may be from the true one, certified (Frobenius)."""
        return 0.0 if self.svm is None else 2**0.5 * self.svm.distance_bound()


def solve_pairs(normals: Tensor, tied: Sequence[bool]) -> PairSVM:
    """The max-margin vector of any constraints: those that cannot be met strictly are met with equality.

    Parameters
    ----------
    normals : Tensor (n, D)
    tied : sequence of bool

    Returns
    -------
    PairSVM

    Raises
    ------
    UsageError
        As `pair_dataset`.
    SolverError
        If the SVM was not solved to its accuracy.

    Notes
    -----
    Source: ours; `bias/any-data` for the data of `pair_dataset` (`attention/unification`).

    Examples
    --------
    >>> answer = solve_pairs(torch.tensor([[1.0, -1.0], [-1.0, 1.0], [0.0, 2.0]]), [False, False, False])
    >>> answer.blocked.tolist(), [round(x, 9) for x in answer.direction.tolist()]
    ([True, True, False], [0.5, 0.5])
    """
    data, rows = pair_dataset(normals, tied)
    extended = extended_support(data)
    both = extended.support[:, 1]
    blocked = both[torch.tensor(rows)]
    if bool(both.all()):
        return PairSVM(torch.zeros(data.dim, dtype=torch.float64), blocked, extended, None)
    probabilities = torch.where(both[:, None], torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0]))
    svm = solve_svm(NTPDataset(data.embeddings, probabilities))
    return PairSVM(svm.direction[0] - svm.direction[1], blocked, extended, svm)
