"""How features are learned: one singular value after the other; and which data learned features can meet."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...checks import Check
from ...conditions import check_compatibility, check_separability
from ...construct.gaussian import random_rows
from ...dataset import NTPDataset
from ...geometry import (
    FeatureFlow,
    centred_supports,
    cross_entropy_gradient,
    feature_flow,
    half_time,
    mode_strength,
    spectral_start,
    square_loss_gradient,
)
from ...loss import evaluate
from ..bias.learned import learned_features
from ..registry import Budget, at_most, claim, close, same, shared

# Two tokens after each of six contexts: singular values of S~ well apart, and those of cross-entropy a sixth of a half.
PAIRS = ((0, 1), (0, 1), (0, 1), (0, 2), (3, 4), (2, 4))
VOCAB = 5
# Accumulated error of the integrator: 1e-9 a step, some hundred steps, growing e^2-fold at most while modes switch on.
INTEGRATED = 1e-6


@claim("geometry/saxe-dynamics", source="2505.08348 (recalled); derived", evidence="measured")
def saxe_dynamics() -> Iterator[Check]:
    """From a spectral start, square loss learns singular values by ``s' = 2 s (sigma - s)``, near time delta / sigma.

    The centred supports of six contexts: the closed form against the integrated equations of both factors; without the
    half in the loss at twice the speed; half of each mode at its time; the switch sharpens as delta grows.
    """
    target, delta = _target(), 4.0
    levels = torch.linalg.svdvals(target)
    start = spectral_start(target, delta, dim=7, rng=0)
    times = np.linspace(0.0, 2.0 * delta / float(levels[_rank() - 1]), 40)
    run = feature_flow(square_loss_gradient(target), *start, times)
    fast = feature_flow(lambda logits: 2 * (logits - target), *start, times / 2)
    closed = torch.stack([mode_strength(float(level), delta, times) for level in levels[: _rank()]], 1)
    for name, found in (("half the squares", run), ("the squares, in half the time", fast)):
        error = float((found.strengths(target)[:, : _rank()] - closed).abs().max())
        yield at_most(INTEGRATED, error, evidence="measured", statement=f"{name}: largest error of the closed form")
    for level in levels[: _rank()].tolist():
        half = feature_flow(square_loss_gradient(target), *start, [half_time(level, delta)])
        i = levels.tolist().index(level)
        yield close(
            level / 2,
            float(half.strengths(target)[0, i]),
            tolerance=INTEGRATED,
            evidence="measured",
            statement="strength at the half-time",
        )
    level, deep = float(levels[0]), 40.0
    before, after = mode_strength(level, deep, [0.9 * deep / level, 1.1 * deep / level]).tolist()
    # s <= e^(-2 delta / 10) before; sigma - s <= sigma^2 e^(-2 delta / 10) after
    yield at_most(
        max(1.0, level**2) * math.exp(-0.2 * deep),
        max(before, abs(level - after)),
        evidence="measured",
        statement="delta = 40: distance to 0 and to sigma at 0.9 and 1.1 of delta / sigma",
    )


@claim("geometry/semantics", source="2505.08348 (abstract)", evidence="measured")
def semantics() -> Iterator[Check]:
    """Embeddings come to singular factors of the centred supports, larger singular values first; signs tell orthants.

    From small random starts, five seeds. Square loss: the limit, the order, and the leading signs of the embeddings.
    Cross-entropy, observed only: how fast the first mode grows, and that the two largest reach 1 in their order; the
    others do not by then, for probabilities that are nearly right leave them little to learn.
    """
    target, rank = _target(), _rank()
    levels = torch.linalg.svdvals(target)[:rank]
    u, _, vt = torch.linalg.svd(target)
    ends, starts, orders, first_two, signs, growth = [], [], 0, 0, 0, []
    for seed in range(5):
        square = _random_start_flow(square_loss_gradient(target), np.linspace(0.0, 40.0, 401), seed)
        ends.append(float((square.logits[-1] - target).norm()))
        starts.append(float(square.logits[0].norm()))
        orders += _order(square, levels / 2, target) == list(range(rank))
        leading = torch.linalg.svd(square.features[-1])[2][0]
        signs += bool((leading * vt[0] * torch.sign(leading @ vt[0]) >= -1e-6).all())
        ce = _random_start_flow(cross_entropy_gradient(_pairs()), np.linspace(0.0, 240.0, 601), seed)
        strengths = ce.strengths(target)
        reached = (strengths[:, :rank] >= 1.0).any(0).tolist()
        first_two += reached == [True, True, False, False] and _order(ce, torch.ones(2), target) == [0, 1]
        strengths = strengths[:, 0]
        i, k = (int((strengths > x).int().argmax()) for x in (1e-2, 1e-1))
        growth.append(float((strengths[k] / strengths[i]).log() / (ce.times[k] - ce.times[i])))
    # what the target has no mode for does not grow, and fades like 1 / t only
    yield at_most(
        max(starts), max(ends), evidence="measured", statement="square loss: ||W H - S~||, largest, against the start"
    )
    yield same(
        5, orders, evidence="measured", statement="square loss: runs that learn half of each mode in their order"
    )
    yield same(5, first_two, evidence="measured", statement="cross-entropy: runs whose two largest modes alone reach 1")
    yield same(
        5, signs, evidence="measured", statement="square loss: runs with the leading signs of S~ on all contexts"
    )
    # at 0 minus the gradient of CE is S~ / (k m), k = 2 tokens of m = 6 contexts; its modes grow by 2 sigma / (k m)
    rate = 2 * float(levels[0]) / (2 * len(PAIRS))
    # at strength s the curvature of CE, 1 / (V m), has taken a share of s k / (V sigma) of that; twice its last value
    yield close(
        rate,
        float(np.mean(growth)),
        tolerance=2 * 0.1 * 2 / (VOCAB * float(levels[0])),
        evidence="measured",
        statement="cross-entropy: growth of the first mode from 0.01 to 0.1, mean",
    )


@claim(
    "bias/nonlinear-extension",
    source="2402.18551 (remark)",
    evidence="certified",
    standard="A 2-layer transformer of width 32, V = 32, 200 contexts: loss within 1e-3 nats of the entropy; the "
    "features then frozen, t (CE - H) within 2 % of ||W_mm||^2 and 1 - cos(dW/dlog t, W_mm) below 1e-3 at t = e^100.",
)
def nonlinear_extension(budget: Budget) -> Iterator[Check]:
    """With learned embeddings, (4) and (6) ask for some decoder and parameters; fixed parameters are the linear theory.

    Twelve contexts, random embeddings in 2 dimensions: neither compatible nor separable, by certificate. Embeddings
    that may be chosen, say supports beside log-probabilities, are both, and decoders are read off. Those that a
    transformer of width 8 learns on 12 contexts are both, and on them, frozen, the sharp laws hold.
    """
    rng = np.random.default_rng(5)
    mask = np.array([rng.permutation(VOCAB) < 2 for _ in range(12)])
    rows = random_rows(mask, rng)
    fixed = NTPDataset(rng.standard_normal((12, 2)), rows)
    yield same(
        False, check_separability(fixed).separable, evidence="certified", statement="fixed embeddings: separable"
    )
    yield same(
        False, check_compatibility(fixed).compatible, evidence="certified", statement="fixed embeddings: compatible"
    )
    logs = np.log(rows, where=mask, out=np.zeros_like(rows))
    learned = NTPDataset(np.hstack([mask.astype(float), logs]), rows)
    yield same(True, check_separability(learned).separable, evidence="certified", statement="learned ones: separable")
    yield same(
        True, check_compatibility(learned).compatible, evidence="certified", statement="learned ones: compatible"
    )
    eye, zero = np.eye(VOCAB), np.zeros((VOCAB, VOCAB))
    separating, matching = (torch.from_numpy(np.hstack(pair)) for pair in ((eye, zero), (zero, eye)))
    margins = learned.pattern.margins(learned.embeddings @ separating.mT)
    yield at_most(float(margins.min()), 1.0, evidence="certified", statement="1 against the least margin of W = [I 0]")
    gap = evaluate(matching + 60.0 * separating, learned).gap
    # at most the sum over the V - 2 tokens off a support of e^-60 over the least in-support weight of e^(mean log p)
    yield at_most(
        VOCAB * math.exp(-60.0 - float(logs.min())), gap, evidence="certified", statement="CE - H of [0 I] + 60 [I 0]"
    )
    yield from learned_features(budget)


@shared
def _pairs() -> NTPDataset:
    rows = np.zeros((len(PAIRS), VOCAB))
    for row, pair in zip(rows, PAIRS, strict=True):
        row[list(pair)] = 0.5
    return NTPDataset(np.eye(len(PAIRS)), rows)


@shared
def _target() -> Tensor:
    return centred_supports(_pairs())


def _rank() -> int:
    return int(torch.linalg.matrix_rank(_target()))


def _random_start_flow(gradient: Callable[[Tensor], Tensor], times: NDArray[np.float64], seed: int) -> FeatureFlow:
    rng = np.random.default_rng(seed)
    size = math.exp(-4.0)
    return feature_flow(
        gradient, size * rng.standard_normal((VOCAB, 6)), size * rng.standard_normal((6, len(PAIRS))), times
    )


def _order(run: FeatureFlow, thresholds: Tensor, target: Tensor) -> list[int]:
    """The modes by the time at which they reach their thresholds; those that never do are last, in reverse."""
    reached = run.strengths(target)[:, : len(thresholds)] >= thresholds
    first = torch.where(reached.any(0), reached.int().argmax(0), len(reached) + torch.arange(len(thresholds)).flip(0))
    order: list[int] = first.argsort(stable=True).tolist()
    return order
