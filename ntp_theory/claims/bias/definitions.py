"""The quantities of 2402.18551 from their definitions: dense, slow, and independent of the library's own code."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linprog
from torch import Tensor

from ...dataset import NTPDataset

__all__ = [
    "cosine",
    "cross_entropy",
    "entropy",
    "gradient",
    "hessian",
    "in_support_loss",
    "least_log_tail",
    "log_softmax",
    "logit_scale",
    "off_support_mass",
    "probabilities",
    "random_decoders",
    "rounding",
    "smallest_margin",
    "strict_pairs",
]

EPS = torch.finfo(torch.float64).eps


def probabilities(data: NTPDataset) -> Tensor:
    """p_{j,z} as a dense matrix (m, V)."""
    return data.probabilities.to_dense()


def log_softmax(weights: Tensor, data: NTPDataset) -> Tensor:
    """Logarithms of the softmax of W h_j; (m, V)."""
    return torch.log_softmax(data.embeddings @ weights.T, 1)


def cross_entropy(weights: Tensor, data: NTPDataset) -> Tensor:
    """CE(W), Eq. (2); a scalar that autograd can differentiate."""
    return -(data.weights * (probabilities(data) * log_softmax(weights, data)).sum(1)).sum()


def gradient(weights: Tensor, data: NTPDataset) -> Tensor:
    """Gradient of CE by automatic differentiation; (V, d)."""
    variable = weights.clone().requires_grad_()
    (found,) = torch.autograd.grad(cross_entropy(variable, data), variable)
    return found


def entropy(data: NTPDataset) -> float:
    """H, nats."""
    p = probabilities(data)
    return -float((data.weights * torch.special.xlogy(p, p).sum(1)).sum())


def hessian(q: Tensor, pi: Tensor, h: Tensor) -> Tensor:
    """``sum_j pi_j (diag q_j - q_j q_j^T) (x) h_j h_j^T`` as a matrix (Vd, Vd)."""
    inner = torch.diag_embed(q) - q[:, :, None] * q[:, None, :]
    return torch.einsum("j,jab,jx,jy->axby", pi, inner, h, h).reshape(q.shape[1] * h.shape[1], -1)


def in_support_loss(weights: Tensor, data: NTPDataset) -> float:
    """CE_F(W), Eq. (12), term by term."""
    total = 0.0
    logits, p = data.embeddings @ weights.T, probabilities(data)
    for j, support in enumerate(data.support):
        inside = logits[j, support]
        others = torch.exp(inside[None, :] - inside[:, None]).sum(1)  # z' = z contributes the 1
        total += float(data.weights[j] * (p[j, support] * others.log()).sum())
    return total


def off_support_mass(weights: Tensor, data: NTPDataset) -> Tensor:
    """eps_j, the probability outside S_j; (m,)."""
    return torch.where(data.support, 0.0, log_softmax(weights, data).exp()).sum(1)


def smallest_margin(weights: Tensor, data: NTPDataset) -> float:
    """g(W): the smallest in-support minus off-support logit."""
    logits = data.embeddings @ weights.T
    lowest = logits.masked_fill(~data.support, torch.inf).amin(1)
    return float((lowest - logits.masked_fill(data.support, -torch.inf).amax(1)).min())


def strict_pairs(data: NTPDataset) -> Tensor:
    """The optimal t of `bias/any-data-lp`, from the program as it stands by a general solver; (m, V)."""
    support, (v, d) = data.support, (data.vocab_size, data.dim)
    off = (~support).nonzero().tolist()
    t = torch.zeros(support.shape, dtype=torch.float64)
    if not off:
        return t
    generators, apart = [], np.zeros((len(off), v * d + len(off)))

    def difference(j: int, z: int, other: int) -> NDArray[np.float64]:
        row = np.zeros((v, d))
        row[z] += data.embeddings[j].numpy()
        row[other] -= data.embeddings[j].numpy()
        return row.ravel()

    for j, tokens in enumerate(support):
        anchor, *others = tokens.nonzero()[:, 0].tolist()
        generators += [np.concatenate([difference(j, anchor, z), np.zeros(len(off))]) for z in others]
    for i, (j, w) in enumerate(off):
        apart[i, : v * d] = -difference(j, int(support[j].int().argmax()), w)
        apart[i, v * d + i] = 1.0
    cost = np.concatenate([np.zeros(v * d), -np.ones(len(off))])
    level = {"A_eq": np.array(generators), "b_eq": np.zeros(len(generators))} if generators else {}
    bounds = [(None, None)] * (v * d) + [(0, 1)] * len(off)
    found = linprog(cost, A_ub=apart, b_ub=np.zeros(len(off)), bounds=bounds, method="highs", **level)
    for i, (j, w) in enumerate(off):
        t[j, w] = float(found.x[v * d + i])
    return t


def logit_scale(data: NTPDataset) -> float:
    """The constant M = sqrt 2 max_j ||h_j||: two logits of a context differ by at most M ||W||."""
    return math.sqrt(2) * float(data.embeddings.norm(dim=1).max())


def least_log_tail(norm: float, data: NTPDataset) -> float:
    """Lower bound on the logarithm of CE - H over all decoders of this norm.

    The odds against the support of context j are at least r_j e^{-M ||W||}, r_j = (V - S_j)/S_j, and log(1 + x) >=
    x/(1 + x).
    """
    reach = logit_scale(data) * norm
    sizes = data.pattern.sizes.double()
    ratio = (data.vocab_size - sizes) / sizes
    return float((data.weights * ratio / (1 + ratio * math.exp(-reach))).sum().log()) - reach


def random_decoders(data: NTPDataset, count: int, seed: int, scale: float = 1.0) -> Iterator[Tensor]:
    """Decoders with Gaussian entries."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        shape = (data.vocab_size, data.dim)
        yield scale * torch.randn(shape, generator=generator, dtype=torch.float64)


def cosine(a: Tensor, b: Tensor) -> float:
    """Correlation <A, B> / (||A|| ||B||)."""
    return float((a * b).sum() / (a.norm() * b.norm()))


def rounding(data: NTPDataset, weights: Tensor) -> float:
    """What a sum over all (j, v) of terms of the size of the logits may lose: 4 m V eps (1 + max |logit|)."""
    largest = float((data.embeddings @ weights.T).abs().max())
    return 4 * data.num_contexts * data.vocab_size * EPS * (1 + largest)
