"""What the data predicts for late points of the ridge path, from `Limit` alone.

With ``t + log t = -log lambda``: ``W_lambda = W_mm t + offset + bend / t + O(1/t^2)``, where ``bend = -(sum alpha n
n^T)^+`` of the offset in F_perp, n the normals of the active constraints. For with ``rho_i = pi_j softmax_v / lambda``
the equation ``P_perp W = sum rho_i n_i`` and ``log rho_i = -log lambda + log a_i - <n_i, W>`` are met by ``rho_i =
alpha_i (t - <n_i, bend>) + O(1/t)``. The part in F follows the multipliers rho linearly.
"""

from __future__ import annotations

import math

import torch

from ntp_theory import subspace
from ntp_theory.asymptotics import finite_constant
from ntp_theory.finite_part import InSupportLoss


def time(log_ridge):
    """The t with t + log t = -log lambda, for lambda < 1/e."""
    t = max(1.0, -log_ridge)
    for _ in range(100):
        t -= (t + math.log(t) + log_ridge) / (1 + 1 / t)
    return t


def normals(limit):
    """``P_perp (e_z - e_v) h_j^T`` for the active pairs (j, v), as rows; contexts and tokens of the pairs."""
    data = limit.svm.data
    contexts, tokens = limit.duals.nonzero(as_tuple=True)
    rows = []
    for j, v in zip(contexts, tokens, strict=True):
        matrix = torch.zeros(data.vocab_size, data.dim, dtype=torch.float64)
        matrix[data.pattern.anchors[j]] += data.embeddings[j]
        matrix[v] -= data.embeddings[j]
        rows.append(subspace.project_complement(matrix, data).flatten())
    return torch.stack(rows), contexts, tokens


def bend(limit):
    """The coefficient of 1/t in W, and the change of the multipliers (m, V) against alpha t."""
    rows, contexts, tokens = normals(limit)
    alpha = limit.duals[contexts, tokens]
    beyond = (limit.offset - limit.finite).flatten()
    found = -torch.linalg.pinv((rows.T * alpha) @ rows, rtol=1e-12, hermitian=True) @ beyond
    change = torch.zeros_like(limit.duals)
    change[contexts, tokens] = -alpha * (rows @ found)
    return found.reshape(limit.offset.shape), change


def drift(limit, t):
    """``(P_F W - W*) / lambda`` up to O(1/t): F follows the multipliers, and the ridge pulls at W*."""
    reference = limit.svm.data
    pull = InSupportLoss(reference).solve_hessian(limit.finite, limit.finite)
    constant = finite_constant(reference, limit.finite, bend(limit)[1]) - subspace.project(pull, reference)
    return t * limit.finite_constant + constant
