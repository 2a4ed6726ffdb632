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
# A further step that moves C by less than this, relative to it, leaves nothing but rounding.
STILL = 1e-11


@dataclass(frozen=True, eq=False)
class ProximalStep:
    """What came of a proximal step.

    Attributes
    ----------
    multipliers : Tensor (B, m, U)
        The new C; the old one where the step failed.
    active : Tensor (B, m, U), bool
        The supports and the off-support entries that are not zero; the last guess where the step failed.
    settled : Tensor (B,), bool
        Whether the step was solved.
    rounds : Tensor (B,), int64
        Rounds of Newton's method.
    """

    multipliers: Tensor
    active: Tensor
    settled: Tensor
    rounds: Tensor


def proximal_step(problem: DualProblem, c: Tensor, sigma: Tensor, active: Tensor, *, further: int = 0) -> ProximalStep:
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
    system, centre = ActiveSystem(problem, sigma), c
    active, levels = active | problem.support, c.new_zeros(c.shape[:2])
    going, before = torch.ones_like(problem.largest, dtype=torch.bool), torch.full_like(sigma, torch.inf)
    settled, rounds = ~going, torch.zeros_like(before, dtype=torch.int64)
    for _ in range(ROUNDS):
        if not bool(going.any()):
            break
        rounds += going
        system.activate(active)
        c, levels = system.correct(c, levels, centre)
        wanted = system.wanted(c, levels, centre)
        changes = (wanted != active).sum((1, 2))
        usable = c.isfinite().all(2).all(1)
        settled |= going & usable & (changes == 0)
        going &= usable & (changes > 0) & ((changes <= FEW) | (changes < SLOW * before))
        before = changes.to(before.dtype)
        active = torch.where(going[:, None, None], wanted, active)
    c = torch.where(settled[:, None, None], c, centre)
    for _ in range(further if bool(settled.any()) else 0):
        after, above = system.correct(c, levels, c, careful=True)
        kept = settled & (system.wanted(after, above, c) == active).all(2).all(1)
        moved = (after - c).abs().amax((1, 2)) > STILL * c.abs().amax((1, 2))
        c = torch.where(kept[:, None, None], after, c)
        levels = torch.where(kept[:, None], above, levels)
        if not bool((kept & moved).any()):
            break
    return ProximalStep(c, active, settled, rounds)


class ActiveSystem:
    """The linear system of proximal steps of one length, for whatever entries are active.

    Parameters
    ----------
    problem : DualProblem
    sigma : Tensor (B,)
        Length of the steps.
    """

    def __init__(self, problem: DualProblem, sigma: Tensor) -> None:
        self._problem, self._shift = problem, 1 / sigma[:, None, None]
        self._blocks = ActiveBlocks(problem, 1 / sigma)
        self._active, self._factor = problem.support, problem.gram

    def activate(self, active: Tensor) -> None:
        """Take another active set (B, m, U)."""
        self._active = active
        self._blocks.update(active)
        self._factor, failed = torch.linalg.cholesky_ex(self._blocks.coupling)
        self._factor[failed > 0] = torch.nan

    def solve(self, missing: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
        """D (B, m, U) on the active entries and r (B, m): ``D / sigma + K D + r = missing``, rows of D sum to -sums."""
        pull = self._blocks.solve(missing)
        rise = torch.cholesky_solve((sums + self._problem.total(pull))[:, :, None], self._factor)
        return pull - self._blocks.solve(rise.expand_as(missing)), rise[:, :, 0]

    def correct(self, c: Tensor, levels: Tensor, centre: Tensor, *, careful: bool = False) -> tuple[Tensor, Tensor]:
        """C and the levels of the step from ``centre``, from nearby ones."""
        c = c.masked_fill(~self._active, 0.0)
        more, rise = self.solve(self._missing(c, levels, centre, careful), self._problem.total(c))
        return c + more, levels + rise

    def wanted(self, c: Tensor, levels: Tensor, centre: Tensor) -> Tensor:
        """The entries that the solution for some active ones wants active."""
        rises = self._missing(c, levels, centre, careful=False) < 0
        return self._problem.support | torch.where(self._active, c < 0, rises)

    def _missing(self, c: Tensor, levels: Tensor, centre: Tensor, careful: bool) -> Tensor:
        missing = (centre - c).mul_(self._shift).add_(self._problem.target)
        return missing.sub_(self._problem.logits(c, careful=careful)).sub_(levels[:, :, None])
