"""The second-order finish of the NTP-SVM: proximal steps on its dual, each solved by a semismooth Newton method.

A proximal step from C_k minimises the dual objective plus ``||C - C_k||^2 / (2 sigma)`` over the cone of multipliers.
Once it is known which off-support entries are not zero, that is one linear system: with T the target, mu a level for
each context,

    C / sigma + K C + mu = T + C_k / sigma    on those entries and the supports,    rows of C sum to 0.

Newton's method solves it, reads off which entries the solution wants, and stops when they stay the same: a finite and
usually small number of rounds. Given mu the tokens decouple, so a round costs one Cholesky factor a token, no larger
than the number of contexts that it is active after, and one of size m for the levels. The steps converge at the rate
``1 / sigma``, whatever the condition of the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .blocks import ActiveBlocks
from .problem import DualProblem

__all__ = ["ActiveSystem", "ProximalStep", "proximal_step"]

# Rounds of Newton's method before a step counts as failed. It fails sooner if more than a few entries changed and
# hardly fewer than in the round before: such a step is too long for where it starts.
ROUNDS, FEW, SLOW = 12, 10, 0.8
# Moves of C by less than this, relative to it, are rounding.
STILL = 1e-15


Point = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class ProximalStep:
    """What came of a proximal step.

    Attributes
    ----------
    multipliers : Tensor (B, m, U)
        The new C; the old one where the step failed.
    weights : Tensor (B, d, U)
        ``H^T C``, the transpose of W, with less rounding than if it were computed from C.
    active : Tensor (B, m, U), bool
        The supports and the off-support entries that are not zero; the last guess where the step failed.
    settled : Tensor (B,), bool
        Whether the step was solved.
    rounds : Tensor (B,), int64
        Rounds of Newton's method.
    """

    multipliers: Tensor
    weights: Tensor
    active: Tensor
    settled: Tensor
    rounds: Tensor


def proximal_step(
    problem: DualProblem,
    c: Tensor,
    sigma: Tensor,
    active: Tensor,
    *,
    further: int = 0,
    dtype: torch.dtype = torch.float64,
) -> ProximalStep:
    """The proximal step from C.

    Parameters
    ----------
    problem : DualProblem
    c : Tensor (B, m, U)
    sigma : Tensor (B,)
        Length of the step.
    active : Tensor (B, m, U), bool
        A guess of which entries are not zero; the supports are added.
    further : int
        Steps of the same length to take after it at most, while they move and the active set stays: they cost no
        factorisation.
    dtype : torch.dtype
        Of the factors. Equations are always held against double precision; single needs some ``further`` steps.

    Returns
    -------
    ProximalStep

    Notes
    -----
    Source: ours (`svm/dual`); proximal points after Rockafellar (1976), semismooth Newton after Qi and Sun (1993).

    Examples
    --------
    >>> from ntp_theory import NTPDataset
    >>> problem = DualProblem.of(NTPDataset([[2.0]], [[1.0, 0.0]]))
    >>> zero, sigma = torch.zeros(1, 1, 2, dtype=torch.float64), torch.tensor([1e9], dtype=torch.float64)
    >>> step = proximal_step(problem, zero, sigma, problem.support)
    >>> step.multipliers, step.settled.item(), step.rounds.item()
    (tensor([[[ 0.2500, -0.2500]]], dtype=torch.float64), True, 2)
    """
    system, centre = ActiveSystem(problem, sigma, dtype), c
    active, levels = active | problem.support, c.new_zeros(c.shape[:2])
    going, before = torch.ones_like(problem.largest, dtype=torch.bool), torch.full_like(sigma, torch.inf)
    settled, rounds = ~going, torch.zeros_like(before, dtype=torch.int64)
    for _ in range(ROUNDS):
        if not bool(going.any()):
            break
        rounds += going
        system.activate(active)
        c = c.masked_fill(~active, 0.0)
        more, rise = system.correct(c, system.missing(c, levels, centre))
        c, levels = c + more, levels + rise
        missing = system.missing(c, levels, centre)
        wanted = system.wanted(c, missing)
        changes = (wanted != active).sum((1, 2))
        usable = c.isfinite().flatten(1).all(1)
        settled |= going & usable & (changes == 0)
        going &= usable & (changes > 0) & ((changes <= FEW) | (changes < SLOW * before))
        before = changes.to(before.dtype)
        active = torch.where(going[:, None, None], wanted, active)
    if dtype is not torch.float64:  # the last equations lack what single precision has left
        more, rise = system.correct(c, missing)
        c, levels = c + more, levels + rise
    c = torch.where(settled[:, None, None], c, centre)
    weights = problem.pull(c)
    if further and bool(settled.any()):
        near = c, levels, weights
        (c, _, weights), done = _continue(system, near, active, settled, (c - centre).abs().amax((1, 2)), further)
        if dtype is not torch.float64:  # what is left is not only a matter of length
            settled, c = settled & done, torch.where(done[:, None, None], c, centre)
    return ProximalStep(c, weights, active, settled, rounds)


def _continue(
    system: ActiveSystem, point: Point, active: Tensor, going: Tensor, moved: Tensor, steps: int
) -> tuple[Point, Tensor]:
    """C, levels and W^T after further steps of the same length where the active set stays; where they came to an end.

    Corrections are added to W itself, which is small where C may be large.
    """
    c, levels, weights = point
    missing, done = system.lack(levels, weights), torch.zeros_like(going)
    for _ in range(steps):
        more, rise = system.correct(c, missing)
        after, above, pull = c + more, levels + rise, weights + system.pull(more)
        before, moved = moved, more.abs().amax((1, 2))
        # each step leaves about the same part of what the last one left
        still = moved.square() <= STILL * before * c.abs().amax((1, 2))
        if not bool((still | ~going).all()):
            missing = system.lack(above, pull)
            going = going & (still | (system.wanted(after, missing) == active).all(2).all(1))
        c, levels = torch.where(going[:, None, None], after, c), torch.where(going[:, None], above, levels)
        weights = torch.where(going[:, None, None], pull, weights)
        done, going = done | (going & still), going & ~still
        if not bool(going.any()):
            break
    return (c, levels, weights), done


class ActiveSystem:
    """The linear system of proximal steps of one length, for whatever entries are active.

    Parameters
    ----------
    problem : DualProblem
    sigma : Tensor (B,)
        Length of the steps.
    dtype : torch.dtype
        Of the factors.
    """

    def __init__(self, problem: DualProblem, sigma: Tensor, dtype: torch.dtype = torch.float64) -> None:
        self._problem, self._shift, self._dtype = problem, 1 / sigma[:, None, None], dtype
        self._blocks = ActiveBlocks(problem, 1 / sigma, dtype)
        self._active, self._factor = problem.support, problem.gram
        self._counts = problem.counts.to(dtype)

    def activate(self, active: Tensor) -> None:
        """Take another active set (B, m, U)."""
        self._active = active
        self._blocks.update(active)
        self._factor, failed = torch.linalg.cholesky_ex(self._blocks.coupling)
        self._factor[failed > 0] = torch.nan

    def solve(self, missing: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
        """D (B, m, U) on the active entries and r (B, m): ``D / sigma + K D + r = missing``, rows of D sum to -sums."""
        if self._dtype is torch.float64:
            return self._solve(missing, sums[:, :, None])
        unit = missing.abs().amax((1, 2), keepdim=True)
        more, rise = self._solve((missing / unit).to(self._dtype), (sums[:, :, None] / unit).to(self._dtype))
        return more * unit, rise * unit[:, :, 0]

    def _solve(self, missing: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
        pull = self._blocks.solve(missing)
        rise = torch.cholesky_solve(sums + (pull @ self._counts)[:, :, None], self._factor)
        return pull - self._blocks.solve(rise.expand_as(missing)), rise[:, :, 0]

    def missing(self, c: Tensor, levels: Tensor, centre: Tensor) -> Tensor:
        """What the equations of a step from ``centre`` lack: ``T + (centre - C) / sigma - K C - levels``."""
        missing = self._problem.target - self._problem.logits(c)
        return missing.addcmul_(centre - c, self._shift).sub_(levels[:, :, None])

    def lack(self, levels: Tensor, weights: Tensor) -> Tensor:
        """The same for a step from where W^T (B, d, U) is."""
        return (self._problem.target - self._problem.scores(weights)).sub_(levels[:, :, None])

    def pull(self, c: Tensor) -> Tensor:
        """``H^T C``."""
        return self._problem.pull(c)

    def correct(self, c: Tensor, missing: Tensor) -> tuple[Tensor, Tensor]:
        """What to add to C and to the levels for equations that lack nothing."""
        return self.solve(missing, self._problem.total(c))

    def wanted(self, c: Tensor, missing: Tensor) -> Tensor:
        """The entries that the solution for some active ones wants active."""
        return self._problem.support | torch.where(self._active, c < 0, missing < 0)
