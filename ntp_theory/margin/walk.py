"""The steps of the NTP-SVM dual, for any number of problems of one shape: together, but each at its own pace.

A few steps of first order, then a proximal step of nearly infinite length, which on most data is all it takes; where
one token follows each context and the tolerance is not tight, more steps of first order may do instead. Where a
proximal step fails, steps begin short and grow as fast as Newton's method follows: a path along which few active
constraints change at a time. Where that path gets longer than an interior-point method would take, this takes its
place, and the proximal step of nearly infinite length starts from where it ends.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .interior import STEPS, interior_point
from .newton import proximal_step
from .problem import DualProblem
from .splitting import Splitting
from .tokenwise import fits

__all__ = ["Walk"]

# Steps of first order before those of second order: so many, and again a few as long as each few change much less of
# the active set than the last.
FIRST_STEPS, FEW_STEPS, MOST_STEPS, LESS = 15, 5, 100, 0.6
# Part of the entries that are active from which more steps of first order cost less than factors, whose cost grows with
# its square; how often and how far they may go, the latter in units of the gap.
DENSE, REFINEMENTS, SAFE = 0.1, 3, 0.1
# Operations of a round of Newton's method from which factors in single precision are worth a try.
MANY_OPERATIONS = 1e8
# Length of the first proximal step, times the largest eigenvalue of K; where to begin if that is too far; and beyond
# which steps move nothing, or rounding decides what they do.
FAR, NEAR, SHORTEST, LONGEST = 1e12, 1e2, 1e-3, 1e15
# Growth of the length after a step of at most so many rounds, and of more; and after a failed one.
ROUNDS, GROWTH = (1, 3, 5, 8), (1e3, 30.0, 10.0, 4.0, 2.0)
SHRINKAGE = 1 / 8
# Interior-point methods to try in turn: orthogonal or not. Usual steps of the first, and operations of each, in units
# of m^3 a token; what a round or step costs beside its operations.
LEAPS, INTERIOR_STEPS, INTERIOR_OPERATIONS, CALLS = (False, True), 25, 2.0, 3e7
DETOURS = (
    "",
    "; interior points, since Newton steps alone got long",
    "; interior points, since Newton steps alone got long, and again by orthogonal factors, since that was not enough",
)
# Steps of the same length after each at most, which cost little and take what the length leaves.
FURTHER, FURTHER_IN_SINGLE = 3, 6


class Walk:
    """Where the problems are that have not left yet; all tensors in their order.

    Parameters
    ----------
    problem : DualProblem
        No largest eigenvalue of a K may be 0.
    start : Tensor (B, m, U) or None
        Multipliers to start from; 0 if not given.
    max_iterations : int
    tol : float, optional
        Relative gap that will do; none if the answer is to go down to rounding.

    Attributes
    ----------
    problem : DualProblem
    before, c : Tensor (B, m, U)
        Multipliers before and after the last step.
    weights : Tensor (B, d, U) or None
        ``H^T C`` of the last step, where it was made, to more digits than from C; None if it has no more.
    iterations : Tensor (B,), int64
        Steps of first order and of interior points, and rounds of Newton's method, so far.
    leaps : Tensor (B,), int64
        How many interior-point methods were tried; all of them where the problem is too large for any.

    Notes
    -----
    Source: ours (`svm/dual`).
    """

    @torch.inference_mode()
    def __init__(
        self, problem: DualProblem, start: Tensor | None, max_iterations: int, tol: float | None = None
    ) -> None:
        first, steps = _approach(problem, start, max_iterations)
        self.problem, self._max_iterations = problem, max_iterations
        self.before = self.c = first.multipliers()
        self.weights: Tensor | None = None
        self.iterations = torch.full_like(problem.largest, steps, dtype=torch.int64)
        self._active, self._sigma, self._first = first.active(), FAR / problem.largest, True
        self._splitting = None if tol is None or not _may_refine(problem, self._active) else first
        self._tol, self._refinements = tol or 0.0, 0
        self._spent = torch.zeros_like(problem.largest)  # operations on the path
        _, m, u = problem.support.shape
        self._fits = fits(problem)
        self._price = INTERIOR_STEPS * (INTERIOR_OPERATIONS * u * m**3 + CALLS) if self._fits else math.inf
        self.leaps = torch.full_like(self.iterations, 0 if self._fits else len(LEAPS))
        self._single: bool | None = None  # whether to factor in single precision next; not known before it is time

    def ended(self) -> Tensor:
        """Which have no further step to make; (B,), bool."""
        far = self._sigma * self.problem.largest >= LONGEST
        return far | (self.iterations >= self._max_iterations) | (self._stuck() & (self.leaps == len(LEAPS)))

    def give_up(self, i: int) -> bool:
        """Leave the path of a problem for an interior-point method; whether there is one left to take."""
        self._spent = self._spent.index_fill(0, self._spent.new_tensor([i], dtype=torch.int64), torch.inf)
        return int(self.leaps[i]) < len(LEAPS) and int(self.iterations[i]) < self._max_iterations

    def detours(self, i: int) -> str:
        """What a problem took beside the usual steps, in words."""
        if self._refinements and self.weights is None:
            return "; the latter not needed, since more of the former reached tol"
        return DETOURS[int(self.leaps[i]) if self._fits else 0]

    def keep(self, chosen: list[int]) -> None:
        """Go on with some of the problems."""
        index, self._splitting = torch.tensor(chosen, dtype=torch.int64, device=self.c.device), None
        self.problem = self.problem.select(index)
        self.before, self.c, self.iterations = self.before[index], self.c[index], self.iterations[index]
        self.weights = None if self.weights is None else self.weights[index]
        self._active, self._sigma = self._active[index], self._sigma[index]
        self._spent, self.leaps = self._spent[index], self.leaps[index]

    @torch.inference_mode()
    def step(self) -> Tensor:
        """Try a proximal step with each, or an interior-point method where it is due; which were made, (B,), bool.

        Where they may do, more steps of first order come before.
        """
        if self._splitting is not None and bool((refined := self._refine(self._splitting)).any()):
            return refined
        due = self._stuck() & (self.leaps < len(LEAPS))
        if bool(due.any()):
            self._leap(due)
            return due
        if self._single is None:
            self._single = float(_operations(self._active).sum()) > MANY_OPERATIONS
        further, dtype = (FURTHER_IN_SINGLE, torch.float32) if self._single else (FURTHER, torch.float64)
        step = proximal_step(self.problem, self.c, self._sigma, self._active, further=further, dtype=dtype)
        rounds, made = step.rounds, step.settled
        self.before, self.c, self.weights = self.c, step.multipliers, step.weights
        self.iterations = self.iterations + rounds
        self._active = torch.where(made[:, None, None], step.active, self._active)
        self._spent = self._spent + rounds * (CALLS + _operations(step.active))
        self._spent = self._spent.masked_fill(~made & (self.leaps > 0), torch.inf)
        longer = self._sigma * self._sigma.new_tensor(GROWTH)[torch.bucketize(rounds, rounds.new_tensor(ROUNDS))]
        shorter = self._sigma * SHRINKAGE
        if self._single:
            shorter = self._sigma
        elif self._first:
            shorter, self._first = NEAR / self.problem.largest, False
        self._sigma, self._single = torch.where(made, longer, shorter), False
        return made

    def _refine(self, splitting: Splitting) -> Tensor:
        """Go on with the steps of first order; where they got to the tolerance, as far as they can tell."""
        left = min(MOST_STEPS, self._max_iterations - int(self.iterations.max()))
        made, steps = splitting.refine(SAFE * self._tol, left)
        self.before, self.c = self.c, splitting.multipliers().where(made[:, None, None], self.c)
        self._active = splitting.active().where(made[:, None, None], self._active)
        self.iterations, self._refinements = self.iterations + steps, self._refinements + 1
        if self._refinements == REFINEMENTS or not bool(made.all()):
            self._splitting = None
        return made

    def _stuck(self) -> Tensor:
        """Which paths have become dearer than an interior-point method, or steps so short that they lead nowhere."""
        return (self._spent > self._price) | (self._sigma * self.problem.largest <= SHORTEST)

    def _leap(self, due: Tensor) -> None:
        """Go where an interior-point method leads."""
        weights = self.problem.pull(self.c) if self.weights is None else self.weights.clone()
        self.before, self.c, self.weights = self.c, self.c.clone(), weights
        for number, orthogonal in enumerate(LEAPS):
            index = (due & (self.leaps == number)).nonzero()[:, 0]
            if len(index):
                most = int((self._max_iterations - self.iterations[index]).amin().clamp(max=STEPS))
                found = interior_point(self.problem.select(index), orthogonal=orthogonal, most=most)
                self.c[index], weights[index] = found.multipliers, found.weights
                self._active[index], self._sigma[index] = found.active, FAR / self.problem.largest[index]
                self.iterations[index] += found.steps
        self.leaps, self._spent = self.leaps + due.long(), self._spent.masked_fill(due, 0.0)


def _may_refine(problem: DualProblem, active: Tensor) -> bool:
    """Whether more steps of first order cost less than factors, and leave no in-support logits unequal."""
    one_each = torch.count_nonzero(problem.support) == problem.support[:, :, 0].numel()
    return bool(one_each & (torch.count_nonzero(active) >= DENSE * active.numel()))


def _operations(active: Tensor) -> Tensor:
    """Of a round of Newton's method; (B,)."""
    return (active.sum(1).double() ** 3).sum(1)


def _approach(problem: DualProblem, start: Tensor | None, max_iterations: int) -> tuple[Splitting, int]:
    """The steps of first order, and their number."""
    first, steps, before = Splitting(problem, start), 0, torch.inf
    active = first.active()
    while steps < min(MOST_STEPS, max_iterations):
        few = min(FEW_STEPS, max_iterations - steps)
        first.run(few)
        steps, last, active = steps + few, active, first.active()
        changes = int((active != last).sum())
        # if changes go on to fall as they did, less than one is left
        if steps >= FIRST_STEPS and (changes**2 < before - changes or changes > LESS * before):
            break
        before = changes
    return first, steps
