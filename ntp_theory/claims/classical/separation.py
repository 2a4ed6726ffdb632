"""Classical statements on separation and on other losses, on one-hot data."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from ...checks import Check
from ...conditions import check_separability, separability_probability
from ...conditions.threshold import wendel_probability
from ...construct import random
from ...dataset import NTPDataset
from ...predict import Limit, predict
from ..registry import at_most, claim, same

STEPS = 3000
# Confidence of an interval, chosen before the draws.
CONFIDENCE = 0.99

# From e^-u of the relative margins u of the other classes (m, V), 0 for the class itself: losses (m,) and forces.
LOSSES: dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "cross-entropy": lambda e: (torch.log1p(e.sum(1)), e / (1 + e.sum(1, keepdim=True))),
    "exponential": lambda e: (e.sum(1), e),
    "PairLogLoss": lambda e: (torch.log1p(e).sum(1), e / (1 + e)),
}


@claim("classical/perm", source="2411.01350", evidence="measured")
def perm() -> Iterator[Check]:
    """Three losses of relative margins have one implicit bias: cross-entropy, the exponential loss and PairLogLoss.

    Gradient descent on three contexts and three classes with steps over the loss, to log t of about 60, t the sum of
    the steps: from step 1500 to 3000 ``dW / dlog t`` is W_mm for each loss, up to what inactive constraints weigh.
    """
    limit = predict(random(vocab_size=3, dim=4, num_contexts=3, support_size=1, rng=2))
    assert limit.direction is not None
    for name, loss in LOSSES.items():
        (s0, before), (s1, after) = _descend(limit, loss)
        slope = (after - before) / (s1 - s0)
        yield at_most(
            0.0,
            float((slope - limit.direction).norm()) / limit.svm.norm,
            # forces of inactive constraints fade like t^-slack, slow modes like t^-rate
            slack=math.exp(-s0 * min(_least_slack(limit), float(limit.active.rates.min()))),
            evidence="measured",
            statement=f"{name}: dW / dlog t against W_mm, relative, log t {s0:.0f} to {s1:.0f}",
        )


def _descend(limit: Limit, loss: Callable[[Tensor], tuple[Tensor, Tensor]]) -> list[tuple[float, Tensor]]:
    """Log t and W after half of the steps and after all."""
    data = limit.data
    h, own = data.embeddings, data.pattern.tokens[:, None]
    first = 0.5 / float(h.square().sum(1).max())  # steps over the loss, which has curvature below loss * 2 max ||h||^2
    weights, time, found = torch.zeros(data.vocab_size, data.dim, dtype=h.dtype), 0.0, []
    for k in range(1, STEPS + 1):
        logits = h @ weights.T
        e = (logits - logits.gather(1, own)).exp().masked_fill(data.support, 0.0)
        value, forces = loss(e)
        step = first / float(value @ data.weights)
        forces = forces * data.weights[:, None]
        weights = weights + step * (-forces).scatter(1, own, forces.sum(1, keepdim=True)).T @ h
        time += step
        if k in (STEPS // 2, STEPS):
            found.append((math.log(time), weights))
    return found


def _least_slack(limit: Limit) -> float:
    """By how much the margins of the constraints that are not active exceed 1, at least."""
    assert limit.direction is not None
    logits = limit.data.embeddings @ limit.direction.T
    margins = limit.data.pattern.min(limit.data.pattern.inside(logits))[:, None] - logits
    idle = (limit.duals == 0) & ~limit.support
    return float((margins[idle] - 1).min())


@claim("classical/cover-wendel", source="Cover; Wendel", evidence="certified")
def cover_wendel() -> Iterator[Check]:
    """m points in general position in d dimensions can be separated in 2 sum_{i < d} C(m - 1, i) of the 2^m labellings.

    All labellings of 5 and of 6 integer points in three dimensions, each decided with a proof; 100 random sets of 10
    points in 4 dimensions with random labels, interval of confidence 0.99.
    """
    # on the moment curve any three of them are independent
    points = np.array([[1.0, t, t * t] for t in range(-3, 3)])
    for m in (5, 6):
        expected = sum(math.comb(m - 1, i) for i in range(3)) * 2
        found = sum(
            check_separability(NTPDataset(points[:m], np.eye(2)[list(labels)])).separable
            for labels in itertools.product(range(2), repeat=m)
        )
        yield same(expected, found, evidence="certified", statement=f"separable labellings of {m} points, d = 3")
        yield same(expected, int(wendel_probability(m, 3) * 2**m), evidence="certified", statement="by the formula")
    drawn = separability_probability(2, 4, 10, 1, draws=100, confidence=CONFIDENCE)
    expected_share = float(wendel_probability(10, 4))
    yield at_most(expected_share, drawn.low, evidence="measured", statement="m=10, d=4: lower end of the interval")
    yield at_most(drawn.high, expected_share, evidence="measured", statement="Wendel's value, upper end above it")
