"""The steps of the NTP-SVM dual, for any number of problems of one shape: together, but each at its own pace.

A few gradient steps first, then a proximal step of nearly infinite length, which on most data is all it takes. Where it
fails, steps begin short and grow as fast as Newton's method follows: a path along which few active constraints change
at a time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .gradient import Acceleration
from .newton import proximal_step
from .problem import DualProblem

__all__ = ["Walk"]

# Gradient steps before second-order ones: so many, and again so many as long as they cost less than one round of
# Newton's method would. Its small Cholesky factors run at a tenth of the speed of a product in single precision.
GRADIENT_STEPS, MOST_GRADIENT_STEPS, SLOWER = 35, 500, 10
# Operations of a round that are no matter: those of a hundredth of a second.
FEW_OPERATIONS = 1e8
# Length of the first proximal step, times the largest eigenvalue of K; where to begin if that is too far; and beyond
# which steps move nothing, or rounding decides what they do.
FAR, NEAR, SHORTEST, LONGEST = 1e12, 1e2, 1e-3, 1e15
# Growth of the length after a step of at most so many rounds, and of more; and after a failed one.
ROUNDS, GROWTH = (1, 3, 5, 8), (1e3, 30.0, 10.0, 4.0, 2.0)
SHRINKAGE = 1 / 8
# Steps of the same length after each at most, which cost little and take what the length leaves.
FURTHER = 3


class Walk:
    """Where the problems are that have not left yet; all tensors in their order.

    Parameters
    ----------
    problem : DualProblem
        No largest eigenvalue of a K may be 0.
    start : Tensor (B, m, U) or None
        Multipliers to start from; 0 if not given.
    max_iterations : int

    Attributes
    ----------
    problem : DualProblem
    before, c : Tensor (B, m, U)
        Multipliers before and after the last step.
    iterations : Tensor (B,), int64
        Gradient steps and rounds of Newton's method so far.

    Notes
    -----
    Source: ours (`svm/dual`).
    """

    def __init__(self, problem: DualProblem, start: Tensor | None, max_iterations: int) -> None:
        gradient, steps = Acceleration(problem, start), min(GRADIENT_STEPS, max_iterations)
        gradient.run(steps)
        while steps < min(MOST_GRADIENT_STEPS, max_iterations) and _costly(problem, gradient.active(), steps):
            more = min(GRADIENT_STEPS, max_iterations - steps)
            gradient.run(more)
            steps += more
        self.problem, self._max_iterations = problem, max_iterations
        self.before = self.c = gradient.multipliers()
        self.iterations = torch.full_like(problem.largest, steps, dtype=torch.int64)
        self._active, self._sigma, self._first = gradient.active(), FAR / problem.largest, True

    def ended(self) -> Tensor:
        """Which have no further step to make; (B,), bool."""
        reach = self._sigma * self.problem.largest
        return (self.iterations >= self._max_iterations) | (reach <= SHORTEST) | (reach >= LONGEST)

    def keep(self, chosen: list[int]) -> None:
        """Go on with some of the problems."""
        index = torch.tensor(chosen, dtype=torch.int64, device=self.c.device)
        self.problem = self.problem.select(index)
        self.before, self.c, self.iterations = self.before[index], self.c[index], self.iterations[index]
        self._active, self._sigma = self._active[index], self._sigma[index]

    def step(self) -> Tensor:
        """Try a proximal step with each; which of them were made, (B,), bool."""
        step = proximal_step(self.problem, self.c, self._sigma, self._active, further=FURTHER)
        rounds, made = step.rounds, step.settled
        self.before, self.c = self.c, step.multipliers
        self.iterations = self.iterations + rounds
        self._active = torch.where(made[:, None, None], step.active, self._active)
        longer = self._sigma * self._sigma.new_tensor(GROWTH)[torch.bucketize(rounds, rounds.new_tensor(ROUNDS))]
        shorter = NEAR / self.problem.largest if self._first else self._sigma * SHRINKAGE
        self._sigma, self._first = torch.where(made, longer, shorter), False
        return made


def _costly(problem: DualProblem, active: Tensor, steps: int) -> bool:
    """Whether a round of Newton's method, ``2 |J|^3`` a token, costs more than these steps, ``2 m^2`` a token each."""
    blocks = (active | problem.support).sum(1).double() ** 3
    products = 2.0 * steps * problem.support.shape[1] * active.numel()
    return 2 * SLOWER * float(blocks.sum()) > max(products, FEW_OPERATIONS)
