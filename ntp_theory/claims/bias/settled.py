"""Small random datasets on which descent has settled after a number of steps, so say their predictions alone.

What still separates the laws from their limits at time ``T = eta k`` follows from the prediction:

- a shift of time by ``T_0 = burn_in + M ||X|| + 1/mu``, with X the finite constant, M = sqrt(2) max ||h_j|| and mu the
  least curvature on F: until then the decoder does not point along W_mm, or its part in F still moves the logits. It
  changes the laws by ``T_0 log(k) / T``;
- slow modes: multipliers that are wrong by a factor of order 1 at T_0 are wrong by ``(T_0 / T)^lambda`` at T, lambda
  the least rate; squared and halved in the loss constant, summed over log k in the direction;
- inactive constraints: their share of the off-support mass at the predicted decoder, which fades like ``k^-delta``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from ...asymptotics import finite_constant
from ...dataset import NTPDataset
from ...descent.smoothness import default_step_size
from ...loss import evaluate
from ...predict import Case, Limit, predict
from ...subspace import data_subspace
from ..registry import Budget, shared
from . import definitions as define
from .batch import Batch

__all__ = ["CASES", "EACH", "STEPS", "TOLERANCE", "Drawn", "Laws", "Run", "corrections", "draw", "runs", "settled"]

CASES: tuple[Case, ...] = get_args(Case)
# The rule: small and not degenerate, and predicted corrections of at most half the tolerance.
LARGEST_NORM_SQUARED, DEGENERATE = 20.0, 1e-3
# A finite minimiser is reached like exp(-mu T), which is far below rounding at mu T = 100.
DECAY = 100.0
SEEDS = range(500)


class Laws(NamedTuple):
    """Relative errors: of the loss constant, of the vector ``eta k (P_F W_k - W*)``, and of the slope of P_perp W_k."""

    loss: float
    finite: float
    direction: float


STEPS: dict[Budget, int] = {"quick": 100_000, "standard": 1_000_000}
EACH: dict[Budget, int] = {"quick": 3, "standard": 10}
TOLERANCE: dict[Budget, Laws] = {"quick": Laws(0.02, 0.1, 0.1), "standard": Laws(0.02, 0.05, 0.05)}


class Drawn(NamedTuple):
    """A seed, and the prediction for the dataset drawn from it."""

    seed: int
    limit: Limit


class Run(NamedTuple):
    """Descent from zero on a drawn dataset: the decoders (V, d) after a tenth of the steps and after all."""

    drawn: Drawn
    step_size: float
    steps: int
    before: Tensor
    after: Tensor

    def errors(self) -> Laws:
        """How far the laws are off at the last step; the slope is that of the last decade."""
        limit, time, space = self.drawn.limit, self.step_size * self.steps, data_subspace(self.drawn.limit.reference)
        assert limit.direction is not None
        # the plain difference: 1e-16 against an excess above 1e-8, and the infimum is tested too
        excess = evaluate(self.after, limit.data).value - limit.infimum
        approach = time * (space.project(self.after) - limit.finite)
        slope = space.project_complement(self.after - self.before) / math.log(10)
        return Laws(
            abs(time * excess / limit.loss_constant - 1),
            float((approach - limit.finite_constant).norm() / limit.finite_constant.norm()),
            float((slope - limit.direction).norm() / limit.direction.norm()),
        )

    def distance(self) -> float:
        """Distance from a finite minimiser, times the least curvature over ``sum_j pi_j ||h_j||``."""
        limit = self.drawn.limit
        scale = float((limit.data.weights * limit.data.embeddings.norm(dim=1)).sum())
        away = data_subspace(limit.reference).project(self.after) - limit.finite
        return float(away.norm()) * _curvature(limit) / scale

    def support(self) -> Tensor:
        """Tokens whose probability does not fall with the steps, by its power of k over the last decade; (m, V)."""
        data = self.drawn.limit.data
        # powers tend to 0 where the probability stays, and to a margin of at least 1 below 0 where it goes
        power = (define.log_softmax(self.after, data) - define.log_softmax(self.before, data)) / math.log(10)
        return power > -0.5


def draw(seed: int) -> NTPDataset | None:
    """Integer counts on integer embeddings with few different supports; None if two embeddings are the same.

    Embeddings lie in a half-space, so a token that never occurs can be driven away.
    """
    r = np.random.default_rng(seed)
    m, v, d = (int(r.integers(lo, hi)) for lo, hi in ((2, 6), (2, 5), (1, 4)))
    embeddings = r.integers(-2, 3, (m, d))
    embeddings[:, 0] = r.integers(1, 5, m)
    supports = r.random((int(r.integers(1, m + 1)), v)) < 0.5
    supports[~supports.any(1), 0] = True
    mask = supports[r.integers(0, len(supports), m)]
    counts = r.integers(1, 10, mask.shape) * mask
    return NTPDataset.from_counts(embeddings, counts) if len(np.unique(embeddings, axis=0)) == m else None


@shared
def settled(budget: Budget) -> tuple[Drawn, ...]:
    """The first datasets of each case, in the order of their seeds, that the rule admits at the steps of a budget."""
    found: dict[Case, list[Drawn]] = {case: [] for case in CASES}
    for seed in SEEDS:
        if (data := draw(seed)) is None:
            continue
        limit = predict(data)
        chosen = found[limit.case]
        if len(chosen) < EACH[budget] and _admitted(limit, STEPS[budget], TOLERANCE[budget]):
            chosen.append(Drawn(seed, limit))
            if all(len(drawn) == EACH[budget] for drawn in found.values()):
                break
    return tuple(drawn for case in CASES for drawn in found[case])


@shared
def runs(budget: Budget) -> tuple[Run, ...]:
    """Descent on all of them together."""
    chosen, steps = settled(budget), STEPS[budget]
    batch = Batch([drawn.limit.data for drawn in chosen])
    before, after = batch.descend([steps // 10, steps])
    return tuple(
        Run(drawn, eta, steps, *decoders)
        for drawn, eta, *decoders in zip(chosen, batch.step_sizes, before, after, strict=True)
    )


def corrections(limit: Limit, step_size: float, steps: int) -> Laws:
    """Errors of the laws that the prediction allows for after so many steps from zero (module docstring)."""
    assert limit.direction is not None
    lengths = limit.data.embeddings.norm(dim=1)
    constant = float(limit.finite_constant.norm())
    shift = limit.burn_in + math.sqrt(2) * float(lengths.max()) * constant + 1 / _curvature(limit)
    least = float(limit.active.rates[0])

    def at(k: float) -> tuple[float, float, float]:
        slow = (shift / (step_size * k)) ** least if len(limit.active.rates) > 1 else 0.0
        return slow, shift * math.log(k) / (step_size * k), _inactive_share(limit, step_size, k)

    slow, late, inactive = at(steps)
    loss = slow**2 / 2 + late + inactive
    # parts of the finite constant, one a multiplier, may cancel; their errors need not
    parts = sum(float(part.norm()) for part in _parts(limit))
    finite = (slow + late + inactive) * parts / constant if constant else math.inf
    slow, late, inactive = at(steps / 10)
    summed = slow / least + late + inactive / _least_slack(limit)
    return Laws(loss, finite, summed / math.log(10))


def _admitted(limit: Limit, steps: int, tolerance: Laws) -> bool:
    step_size = default_step_size(limit.data)
    if limit.direction is None:
        return _curvature(limit) * step_size * steps >= DECAY
    multipliers = limit.duals[limit.duals > 0]
    if limit.loss_constant > LARGEST_NORM_SQUARED or _least_slack(limit) < DEGENERATE:
        return False
    # a least rate of 0 means dependent constraints, whose multipliers are not unique
    if float(multipliers.min() / multipliers.max()) < DEGENERATE or float(limit.active.rates[0]) < DEGENERATE:
        return False
    allowed = corrections(limit, step_size, steps)
    return all(error <= bound / 2 for error, bound in zip(allowed, tolerance, strict=True))


def _curvature(limit: Limit) -> float:
    """Least eigenvalue on F of the Hessian of CE_F at W*."""
    data, dim = limit.reference, data_subspace(limit.reference).dim
    inside = torch.where(limit.support, data.embeddings @ limit.finite.T, -torch.inf)
    hessian = define.hessian(torch.softmax(inside, 1), data.weights, data.embeddings)
    return float(torch.linalg.eigvalsh(hessian)[-dim]) if dim else math.inf


def _parts(limit: Limit) -> Iterator[Tensor]:
    """What each multiplier contributes to the finite constant."""
    for j, v in limit.duals.nonzero().tolist():
        alone = torch.zeros_like(limit.duals)
        alone[j, v] = limit.duals[j, v]
        yield finite_constant(limit.reference, limit.finite, alone)


def _inactive(limit: Limit) -> Tensor:
    return ~limit.support & (limit.duals == 0)


def _least_slack(limit: Limit) -> float:
    """Least amount by which a constraint without multiplier exceeds its margin of 1 under W_mm."""
    assert limit.direction is not None
    logits, pattern = limit.data.embeddings @ limit.direction.T, limit.reference.pattern
    slack = pattern.min(pattern.inside(logits))[:, None] - logits - 1
    return float(torch.where(_inactive(limit), slack, torch.inf).min())


def _inactive_share(limit: Limit, step_size: float, steps: float) -> float:
    """Off-support mass of inactive constraints at the predicted decoder, over that of the active ones."""
    chances = define.log_softmax(limit.decoder(steps, step_size), limit.data).exp() * limit.data.weights[:, None]
    return step_size * steps * float(chances[_inactive(limit)].sum()) / limit.loss_constant
