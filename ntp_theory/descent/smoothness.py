"""How large a gradient step may be: the smoothness constant of the cross-entropy."""

from __future__ import annotations

import torch

from ..dataset import NTPDataset, as_dataset

__all__ = ["default_step_size", "smoothness_bound"]


def smoothness_bound(data: NTPDataset) -> float:
    """Upper bound ``1/2 lambda_max(sum_j pi_j h_j h_j^T)`` on the smoothness constant L of the cross-entropy.

    Parameters
    ----------
    data : NTPDataset

    Returns
    -------
    float
        No Hessian of the loss has a larger eigenvalue. Gradient descent with a step size of at most one over
        it never increases the loss, and below two over it still decreases it wherever the gradient is not 0.

    Notes
    -----
    Source: derived (`bias/smoothness`); 2402.18551 uses L and gives no value.

    Examples
    --------
    >>> smoothness_bound(NTPDataset([[2.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [1.0, 0.0]]))
    1.0
    """
    as_dataset("data", data)
    rows = data.embeddings.double() * data.weights.double().sqrt()[:, None]
    alone, num_contexts = data.ranks.size == 1, sum(data.ranks.gather(data.num_contexts))
    gram = rows @ rows.T if alone and num_contexts <= data.dim else data.ranks.sum(rows.T @ rows)
    # rounding in the products and in the eigenvalue, so that this is a bound on a computer too
    rounding = 1 + (num_contexts + data.dim + 10) * torch.finfo(gram.dtype).eps
    largest = data.ranks.max(torch.linalg.eigvalsh(gram)[-1].clamp(min=0.0))
    return float(largest) / 2 * rounding


def default_step_size(data: NTPDataset) -> float:
    """One over `smoothness_bound`; a step then lowers the loss by ``||grad CE||^2`` times half of it or more.

    Parameters
    ----------
    data : NTPDataset

    Returns
    -------
    float
        1 if every embedding is zero: the loss is then constant.

    Notes
    -----
    Source: derived (`bias/smoothness`).

    Examples
    --------
    >>> round(default_step_size(NTPDataset([[2.0]], [[0.5, 0.5]])), 12)
    0.5
    """
    bound = smoothness_bound(data)
    return 1 / bound if bound > 0.0 else 1.0
