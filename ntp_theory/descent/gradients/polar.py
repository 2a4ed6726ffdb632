"""The orthogonal polar factor of a gradient, exact at any size of its singular values."""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg.lapack import dgejsv
from torch import Tensor

from ...errors import SolverError
from ...scaled import Scaled
from .rank_revealing import Array, Factors, factorise
from .residual import rounding

__all__ = ["polar_factor"]

# Singular values no smaller than this, relative, come out of an ordinary decomposition well enough: its singular
# vectors are off by rounding over this.
MILD = 1e-4
# Share of an embedding that must be new for it to count as independent of others: half of the digits.
INDEPENDENT = 2.0**-26
# Two groups of singular values with factors of e^40 between them do not see each other: e^-40 is below rounding.
APART = 40.0
# Range of logarithms that products of doubles stand.
RANGE = 600.0


def polar_factor(residual: Scaled, embeddings: Tensor) -> Tensor:
    """``U V^T`` of ``R^T H = U S V^T``, where U and V have a column for every singular value that is not zero.

    Parameters
    ----------
    residual : Scaled (m, V)
        R, rows of which sum to zero; ``log_scale`` (m, V).
    embeddings : Tensor (m, d)
        H.

    Returns
    -------
    Tensor (V, d)
        In the type and on the device of the embeddings; zero for a matrix of zeros, NaN if an entry is NaN.

    Notes
    -----
    All singular vectors have the same weight, so those of the smallest singular value must be right, though it may be
    e^-2000 times the largest; rounding errors of an ordinary decomposition would get that weight. ``R^T = X D Y^T`` by
    `factorise`; then ``H^T Y`` is made orthogonal in the order of D, and what is left is small, well conditioned but
    for a graded diagonal, and a matter for one-sided Jacobi rotations (Drmac, Veselic 2008). Source: ours
    (`bias/tail-exact`), for `steepest/setting`.

    Examples
    --------
    >>> sizes = torch.tensor([[0.0, -3000.0, 0.0], [0.0, -1000.0, 0.0]], dtype=torch.float64)
    >>> signs = torch.tensor([[-1.0, 0.5, 1.0], [-1.0, 1.0, 1.0]], dtype=torch.float64)
    >>> polar_factor(Scaled(signs, sizes), torch.eye(2, dtype=torch.float64)).round(decimals=4)
    tensor([[-0.2113, -0.7887],
            [-0.5774,  0.5774],
            [ 0.7887,  0.2113]], dtype=torch.float64)
    """
    top = residual.log_scale.amax()
    if bool(top == -torch.inf):
        return embeddings.new_zeros(residual.rows.shape[1], embeddings.shape[1])
    matrix = residual.times(-float(top)).dense().T.double() @ embeddings.double()
    if not bool(torch.isfinite(matrix).all()):
        return torch.full_like(matrix, torch.nan, dtype=embeddings.dtype)
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    rank = min(matrix.shape[0] - 1, *embeddings.shape)
    if bool(s[rank - 1] > MILD * s[0]):
        mild: Tensor = u[:, :rank] @ vh[:rank]
        return mild.to(embeddings.dtype)
    slack = float(rounding(residual).max()) + sum(residual.rows.shape) * torch.finfo(embeddings.dtype).eps
    sign, log = (x.double().cpu().numpy().T for x in (residual.rows.sign(), residual.rows.abs().log()))
    log = log + residual.log_scale.double().cpu().numpy().T
    found = _graded(factorise(sign, log, slack), embeddings.double().cpu().numpy())
    return torch.from_numpy(found).to(embeddings.device, embeddings.dtype)


def _graded(factors: Factors, h: Array) -> Array:
    """The polar factor of ``X D Y^T H``."""
    q, c, kept = _orthogonal(h.T @ factors.right)
    if not len(kept):
        return np.zeros((len(factors.left), h.shape[1]))
    log_d = factors.log_diagonal[kept]
    # D c = (D c E^-1) E, E being D at the new directions: c is zero before them, so nothing in brackets is large
    c = c * np.exp(np.minimum(factors.log_diagonal[:, None] - log_d, RANGE))
    left, core = np.linalg.qr(factors.left @ c)
    return left @ _polar_of_columns(core, log_d) @ q.T


def _orthogonal(columns: Array) -> tuple[Array, Array, list[int]]:
    """An orthonormal basis q (d, r) of the columns (d, k) in their order, ``columns = q c^T``, and c (k, r).

    Also the numbers of the columns with which the basis grew.
    """
    d, k = columns.shape
    q, c = np.zeros((d, min(d, k))), np.zeros((k, min(d, k)))
    kept: list[int] = []
    for i, column in enumerate(columns.T):
        rest = column
        for _ in range(2):  # the second time against rounding
            c[i] += rest @ q
            rest = rest - q @ (rest @ q)
        length = float(np.linalg.norm(rest))
        if length > INDEPENDENT * float(np.linalg.norm(column)):
            q[:, len(kept)], c[i, len(kept)] = rest / length, length
            kept.append(i)
    return q[:, : len(kept)], c[:, : len(kept)], kept


def _polar_of_columns(core: Array, log_sizes: Array) -> Array:
    """The polar factor of ``core @ diag(exp(log_sizes))``, core triangular and well conditioned, sizes decreasing."""
    top, bottom = float(log_sizes.max()), float(log_sizes.min())
    if top - bottom <= RANGE:
        _, u, v, _, _, status = dgejsv(core * np.exp(log_sizes - top), joba=0, jobr=0)
        if status:
            raise SolverError("the polar factor of a gradient was not found", status=f"dgejsv: info {status}")
        polar: Array = u @ v.T
        return polar
    # each half together with as much of the other half as it sees
    middle, polar = (top + bottom) / 2, np.zeros_like(core)
    above = log_sizes > middle
    for rows, near in ((above, log_sizes > middle - APART), (~above, log_sizes <= middle + APART)):
        polar[np.ix_(rows, near)] = _polar_of_columns(core[np.ix_(near, near)], log_sizes[near])[rows[near]]
    return polar
