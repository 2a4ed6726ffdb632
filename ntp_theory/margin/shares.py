"""How much of the largest margin a decoder has, in the norm in which it was sought."""

from __future__ import annotations

import math

from numpy.typing import ArrayLike
from torch import Tensor

from ..doors import as_decoder
from ..errors import UsageError
from ..subspace import data_subspace
from .norms import FROBENIUS
from .solution import SVMSolution

__all__ = ["margin_share"]


def margin_share(weights: ArrayLike | Tensor, solution: SVMSolution) -> float:
    """The smallest margin of P_perp W over its norm, as a share of the largest that there is.

    Parameters
    ----------
    weights : array-like (V, d)
        W: a decoder in training, or the head of a model on the features that the data is made of.
    solution : SVMSolution
        W_mm in the norm that is meant: ``solve_svm(data, norm=...)``.

    Returns
    -------
    float
        At most 1, up to rounding, since the largest margin is bounded from above by the multipliers; 1 at W_mm;
        negative where an off-support token is ahead; 0 if P_perp W is 0.

    Raises
    ------
    UsageError
        If ``weights`` does not fit the data of the solution, or ``solution`` is none.

    Notes
    -----
    On one-hot data F is 0 and P_perp W is W. Source: 2402.18551 Definition 3 (`bias/definition-3`); other norms as in
    2502.04664 (`steepest/setting`).

    Examples
    --------
    >>> from ntp_theory import NTPDataset, solve_svm
    >>> data = NTPDataset([[2.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])
    >>> weights = [[1.0, -1.0], [-1.0, 1.0]]
    >>> [round(margin_share(weights, solve_svm(data, norm=norm)), 6) for norm in ("frobenius", "max")]
    [0.790569, 1.0]
    """
    if not isinstance(solution, SVMSolution):
        raise UsageError(f"solution is {solution!r}; it must be an SVMSolution")
    data = solution.data
    decoder = as_decoder(weights, (data.vocab_size, data.dim), data.embeddings)
    part = data_subspace(data).project_complement(decoder)
    size = solution.geometry.value(part)
    if size == 0.0:
        return 0.0
    # in the Frobenius norm the dual is that of ||W||^2 / 2
    least = math.sqrt(2 * solution.dual_value()) if solution.geometry == FROBENIUS else solution.dual_value()
    return float(data.pattern.margins(data.embeddings @ part.T).min()) / size * least
