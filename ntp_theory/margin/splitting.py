"""The first steps of the NTP-SVM dual: Douglas-Rachford splitting, in single precision.

They mostly have to find out, nearly, which multipliers are not zero; `ntp_theory.margin.newton` finishes in double.
Steps alternate between the quadratic objective, for which K is factored once, and the cone of multipliers: one product
and one projection each, as steps along the gradient would cost, but no direction is slow because another is steep.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .problem import DualProblem

__all__ = ["Splitting"]

# By how much steps overshoot; below 2.
RELAXATION = 1.7
# Contexts from which the weight of the objective is read, and the least weight, relative to K: of what single precision
# can factor.
SAMPLE, LEAST = 64, 1e-5
# What C lacks, if that is no more than a part of it, is found in so many steps at a time, which are slow if they fall
# by no more than a factor; down to so much of its size. How many times its size y may be where C is at its bound: more
# would cost the others their digits.
ROUGH, FEW_STEPS, SLOW, DIGITS, BEYOND = 0.01, 4, 0.3, 5e-5, 20.0


class Splitting:
    """Over-relaxed Douglas-Rachford steps.

    Parameters
    ----------
    problem : DualProblem
    start : Tensor (B, m, U), optional
        Where to start; 0 if not given.

    Notes
    -----
    Source: ours (`svm/dual`); splitting after Lions and Mercier (1979), relaxed as by Eckstein and Bertsekas (1992).

    With A = ``(K / rho + I)^-1``, P the projection on the cone and Z = P(Y), a step leads from Y to
    ``Y + r (A (2 Z - Y + T / rho) - Z) = (1 - r A) (Y - 2 Z) + (2 - r) Z + r A T / rho``. The rows of C are in units
    that make the diagonal of K equal to 1, which the cone does not see. The same steps with ``T - K C`` for T find what
    a C lacks, with digits of its own. The weight rho is a typical eigenvalue of K among the contexts that a token is
    active after: the median of the pivots of a sample, which a few large or small eigenvalues leave alone.

    Examples
    --------
    >>> from ntp_theory import NTPDataset
    >>> steps = Splitting(DualProblem.of(NTPDataset([[2.0]], [[1.0, 0.0]])))
    >>> steps.run(30)
    >>> steps.multipliers().round(decimals=4)
    tensor([[[ 0.2500, -0.2500]]], dtype=torch.float64)
    """

    def __init__(self, problem: DualProblem, start: Tensor | None = None) -> None:
        diagonal = problem.gram.diagonal(dim1=1, dim2=2)[:, :, None]
        scale = torch.where(diagonal > 0, diagonal, 1.0).rsqrt()
        gram = problem.gram.float() * scale.float() * scale.mT.float()
        weight = _typical_eigenvalue(gram, problem.embeddings.shape[2])[:, None, None]
        target = problem.target * scale
        # C in units of max T / rho: no entry leaves the range of single precision
        largest = target.amax((1, 2), keepdim=True)
        self._problem, self._unit, self._slope = problem, largest / weight * scale, scale / largest
        self._support, self._base, self._size = problem.support, torch.zeros_like(target), torch.ones_like(largest)
        self._counts = problem.counts.float()[:, None]
        pull = (target / largest).float()
        self._map = _resolvent(gram, weight).mul_(-RELAXATION)
        self._map.diagonal(dim1=1, dim2=2).add_(1.0)
        self._constant = torch.baddbmm(pull, self._map, pull, alpha=-1)
        self._ceiling = torch.zeros_like(pull).masked_fill_(self._support, torch.inf)
        self._c = torch.zeros_like(pull) if start is None else (start / self._unit).float()
        self._y = pull if start is None else pull + self._c - gram @ (self._c / weight.float())
        sizes = problem.sizes[:, :, None].float()
        self._thresholds = self._y.masked_fill(~self._support, 0.0) @ self._counts / sizes
        # work space: two matrices, their rows, and what these sum to
        self._shifted, self._two = torch.empty_like(pull), pull.new_empty(2, *pull.shape)
        self._by_row = self._two.view(-1, pull.shape[2])
        self._sums = pull.new_empty(2, *self._thresholds.shape)
        self._project()

    def run(self, steps: int) -> None:
        """Make some steps."""
        for _ in range(steps):
            torch.sub(self._y, self._c, alpha=2, out=self._shifted)
            torch.baddbmm(self._constant, self._map, self._shifted, out=self._y)
            self._y.add_(self._c, alpha=2 - RELAXATION)
            self._project()

    def refine(self, tol: float, most: int) -> tuple[Tensor, int]:
        """Find what C lacks, at its own scale: down to ``tol`` of C or to the last digits of single precision.

        Parameters
        ----------
        tol : float
        most : int
            Steps at most.

        Returns
        -------
        Tensor (B,), bool
            Where they got there: none are made for a C that is too rough, and steps end early if they are slow.
        int
            Their number.
        """
        size = self._c.abs().amax((1, 2)).double()
        self._restart(self._problem.feasible(self.multipliers()))
        lacking = self._size[:, 0, 0]
        goal, slow = (tol * size / lacking).clamp(min=DIGITS), lacking > ROUGH * size
        steps, near, moved = 0, torch.zeros_like(slow), torch.full_like(size, torch.inf)
        while steps < most and not bool((near | slow).all()):
            before, last, few = self._c.clone(), moved, min(FEW_STEPS, most - steps)
            self.run(few)
            steps, moved = steps + few, (self._c - before).abs().amax((1, 2)).double()
            # each few leave about the same part of what the last few left
            near, slow = (moved.square() <= goal * last) & last.isfinite(), slow | (moved > SLOW * last)
        return near, steps

    def _restart(self, c: Tensor) -> None:
        """Steps for what C lacks from here on: y is C with what the equations lack, of which C is taken."""
        lack = (self._problem.target - self._problem.logits(c)) * self._slope
        free = self._support | (c < 0)
        lack -= (self._problem.total(lack.where(free, 0.0)) / self._problem.total(free.double()))[:, :, None]
        largest = lack.where(free, 0.0).abs().amax((1, 2), keepdim=True)
        self._base, self._size = c, largest.clamp(min=torch.finfo(torch.float32).tiny)
        self._ceiling = (-c / (self._unit * self._size)).float().masked_fill_(self._support, torch.inf)
        self._y = (lack / self._size).clamp_(max=BEYOND).float()
        self._constant = torch.baddbmm(self._y, self._map, self._y, alpha=-1)
        self._thresholds.zero_()
        self._project()

    def multipliers(self) -> Tensor:
        """C (B, m, U): at most 0 off the supports, with sums of the rows that go to 0."""
        return (self._base + self._c.double() * (self._unit * self._size)).masked_fill(~self.active(), 0.0)

    def active(self) -> Tensor:
        """The entries that are not at their bound, supports included; (B, m, U), bool."""
        return self._c < self._ceiling

    def _project(self) -> None:
        """The projection on the cone, but for one Newton step for the threshold of each row, from its last one.

        The thresholds are those of `ntp_theory.cone.Cone`; they need not be exact before the steps end.
        """
        torch.sub(self._y, self._thresholds, out=self._shifted)
        torch.lt(self._shifted, self._ceiling, out=self._two[0])
        torch.minimum(self._shifted, self._ceiling, out=self._two[1])
        torch.mm(self._by_row, self._counts, out=self._sums.view(-1, 1))
        self._thresholds.addcdiv_(self._sums[1], self._sums[0])
        torch.sub(self._y, self._thresholds, out=self._shifted)
        torch.minimum(self._shifted, self._ceiling, out=self._c)


def _typical_eigenvalue(gram: Tensor, dim: int) -> Tensor:
    """The median pivot of some rows of K, evenly taken; (B,), double."""
    m = gram.shape[1]
    size = max(1, min(m, dim, 2 * SAMPLE) // 2)
    sample = gram[:, :: m // size, :: m // size][:, :size, :size].double()
    sample.diagonal(dim1=1, dim2=2).add_(LEAST)
    factor, _ = torch.linalg.cholesky_ex(sample)
    typical: Tensor = factor.diagonal(dim1=1, dim2=2).square().median(1).values.clamp(min=LEAST * m)
    return typical


def _resolvent(gram: Tensor, weight: Tensor) -> Tensor:
    """``(K / rho + I)^-1``."""
    system = gram / weight.float()
    system.diagonal(dim1=1, dim2=2).add_(1.0)
    factor, failed = torch.linalg.cholesky_ex(system)
    while bool(failed.any()):
        system.diagonal(dim1=1, dim2=2).add_((failed > 0)[:, None])
        factor, failed = torch.linalg.cholesky_ex(system)
    return torch.cholesky_inverse(factor)
