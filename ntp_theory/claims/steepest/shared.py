"""One-hot data that the claims on steepest descent look at, and its loss and proxy term by term."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...construct import random
from ...dataset import NTPDataset
from ...descent import Method, NormalisedGradientDescent, SignDescent, SpectralDescent, Trajectory, descend
from ...margin import solve_svm
from ...margin.norms import as_norm
from ..bias import definitions as define
from ..registry import shared

__all__ = [
    "FIRST",
    "NORMS",
    "STEPPERS",
    "Point",
    "best_margins",
    "decoders",
    "dual_norm",
    "largest_sum",
    "margin_bounds",
    "one_hot",
    "points",
    "run",
    "smoothness",
    "step_sizes",
]

NORMS = ("max", "spectral", "frobenius")
"""The norms of sign descent, spectral descent and normalised gradient descent."""

STEPPERS: dict[str, type[SignDescent] | type[SpectralDescent] | type[NormalisedGradientDescent]] = {
    "max": SignDescent,
    "spectral": SpectralDescent,
    "frobenius": NormalisedGradientDescent,
}
STEPS = 300
FIRST = 0.1
"""2 B eta_0: the first step of a run moves no logit difference by more than that, in nats."""


class Point(NamedTuple):
    """L(W) in nats, the proxy G(W), and grad L(W) (V, d), of terms that rounding does not cancel."""

    loss: float
    proxy: float
    gradient: Tensor

    @classmethod
    def at(cls, weights: Tensor, data: NTPDataset) -> Point:
        """Of one-hot data, from the odds of the other tokens."""
        own = data.pattern.tokens[:, None]
        logits = data.embeddings @ weights.T
        odds = (logits - logits.gather(1, own)).exp().scatter(1, own, 0.0)
        total = odds.sum(1, keepdim=True)
        residual = (odds / (1 + total)).scatter(1, own, -total / (1 + total))
        mean = data.weights[:, None]
        return cls(
            float((mean * total.log1p()).sum()),
            float((mean * total / (1 + total)).sum()),
            (mean * residual).T @ data.embeddings,
        )


@shared
def one_hot() -> NTPDataset:
    """Six contexts of equal weight, four tokens, eight dimensions."""
    return random(vocab_size=4, dim=8, num_contexts=6, support_size=1, rng=3)


def best_margins(data: NTPDataset, norm: str, tol: float = 1e-8) -> tuple[float, float]:
    """Certified numbers below and above the best margin of some data in a norm."""
    found = solve_svm(data, norm=norm, tol=tol)
    # in the Frobenius norm the dual is that of ||W||^2 / 2
    least = math.sqrt(2 * found.dual_value()) if norm == "frobenius" else found.dual_value()
    return 1 / found.norm, 1 / least


@shared
def margin_bounds(norm: str) -> tuple[float, float]:
    """Certified numbers below and above the best margin of `one_hot` in a norm."""
    return best_margins(one_hot(), norm)


def largest_sum(data: NTPDataset) -> float:
    """The constant B = max_i ||h_i||_1 of the paper."""
    return float(data.embeddings.abs().sum(1).max())


@shared
def run(norm: str) -> Trajectory:
    """Steepest descent on `one_hot` from a decoder that fits, by eta_0 / sqrt(t + 1); every step is recorded."""
    method: Method[Any] = STEPPERS[norm](step_size=FIRST / 2 / largest_sum(one_hot()), decay=0.5)
    # margins of 4: three other tokens have odds of at most 3 e^-4, less than 1/n
    return descend(one_hot(), method, steps=STEPS, init=4 * solve_svm(one_hot()).direction, record="all")


@shared
def decoders() -> tuple[Tensor, ...]:
    """Random decoders from nearly level logits to logits of some tens, and every tenth of the three runs."""
    drawn = [w for scale in (0.1, 1.0, 3.0) for w in define.random_decoders(one_hot(), 30, seed=28, scale=scale)]
    return (*drawn, *(w for norm in NORMS for w in run(norm).weights[:: STEPS // 10]))


@shared
def points() -> tuple[Point, ...]:
    """Loss, proxy and gradient at `decoders`."""
    return tuple(Point.at(w, one_hot()) for w in decoders())


def dual_norm(matrix: Tensor, norm: str) -> float:
    """||matrix||_*, the largest product with a matrix of norm 1."""
    return as_norm(norm).dual.value(matrix)


def step_sizes() -> Tensor:
    """eta_t of the steps of `run`."""
    return FIRST / 2 / largest_sum(one_hot()) / torch.arange(1, STEPS + 1, dtype=torch.float64).sqrt()


def smoothness() -> float:
    """``2 B^2 e^{2 B eta_0}``, which is gamma times the paper's alpha_{s1}."""
    return 2 * largest_sum(one_hot()) ** 2 * math.exp(FIRST)
