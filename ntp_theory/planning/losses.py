"""`PositionLosses`: any convex losses of positions that read each other, given as functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..doors import check_function, whole
from ..errors import SolverError, UsageError
from .constants import Constants
from .weights import as_weights

__all__ = ["PositionLosses"]

PositionLoss = Callable[[Tensor], Tensor]

# Newton's method doubles the digits a step once it is near; far away it halves the gradient at the least.
NEWTON_STEPS, HALVINGS = 200, 60


class PositionLosses:
    """Losses ``l_k(theta_0, .., theta_k)``, each convex, of weights that are shared or each position's own.

    Parameters
    ----------
    losses : sequence of callable
        ``losses[k]`` takes the weights (k + 1, width) of positions 0 to k, float64, and returns a number; in
        differentiable torch operations, twice.
    width : int
    constants : Constants
        What is certain of them, among which is whether weights are tied. It is believed: predictions are as good as
        these numbers are.

    Raises
    ------
    UsageError
        If a loss is not a function, or there is none; once they are called, if one does not return a number.

    Notes
    -----
    Source: the setting of `planning/gradient-split` and `planning/convergence`.

    Examples
    --------
    >>> losses = [lambda t: (t[0] - 1).square().sum() / 2, lambda t: (t[1] + t[0] - 1).square().sum() / 2]
    >>> problem = PositionLosses(losses, 1, Constants(tied=False, convexity=1.0, smoothness=1.0, coupling=1.0))
    >>> problem.myopic_optimum.tolist()
    [[1.0], [0.0]]
    """

    def __init__(self, losses: Sequence[PositionLoss], width: int, constants: Constants) -> None:
        losses = tuple(losses)
        for k, loss in enumerate(losses):
            check_function(f"losses[{k}]", loss)
        if not losses:
            raise UsageError("losses is empty; there must be one a position")
        self._losses, self.width, self.constants = losses, whole("width", width, at_least=1), constants

    def __repr__(self) -> str:
        return f"PositionLosses(positions={self.positions}, width={self.width}, tied={self.tied})"

    @property
    def tied(self) -> bool:
        """Whether all positions share their weights."""
        return self.constants.tied

    @property
    def positions(self) -> int:
        """How many."""
        return len(self._losses)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the weights: (width,) if tied, (positions, width) if not."""
        return (self.width,) if self.tied else (self.positions, self.width)

    def losses(self, theta: ArrayLike | Tensor) -> Tensor:
        """l_k, the loss (positions,) of every position."""
        copies = as_weights(theta, self.shape).expand(self.positions, self.width)
        found = [loss(copies[: k + 1]) for k, loss in enumerate(self._losses)]
        for k, value in enumerate(found):
            if not isinstance(value, Tensor) or value.shape or value.dtype != torch.float64:
                raise UsageError(f"losses[{k}] returned {value!r}; it must return one number, a float64 tensor")
        return torch.stack(found)

    def loss(self, theta: ArrayLike | Tensor) -> float:
        """Their sum."""
        return float(self.losses(theta).sum())

    def gradient(self, theta: ArrayLike | Tensor) -> Tensor:
        """Of the loss, in all uses of the weights; of their shape."""
        weights = as_weights(theta, self.shape)
        return self._gradient(weights, weights, lambda own, past: self._total(own, own))

    def diagonal_gradient(self, theta: ArrayLike | Tensor) -> Tensor:
        """The part by which weights improve the position that reads with them: myopic descent follows it."""
        weights = as_weights(theta, self.shape)
        return self._gradient(weights, weights, self._total)

    def off_diagonal_gradient(self, theta: ArrayLike | Tensor) -> Tensor:
        """The part by which the weights of a position serve later ones; the two add up to the gradient."""
        weights = as_weights(theta, self.shape)
        return self._gradient(weights, weights, lambda past, own: self._total(own, past))

    @cached_property
    def best(self) -> Tensor:
        """theta*, where the gradient vanishes: the least loss, as the sum of convex losses is convex.

        Raises
        ------
        SolverError
            If Newton's method does not get there.
        """
        return self._solved(lambda theta: self._gradient(theta, theta, lambda own, past: self._total(own, own)))

    @cached_property
    def myopic_optimum(self) -> Tensor:
        """theta~, where the diagonal gradient vanishes (`planning/myopic-optimum`), by Newton's method.

        Raises
        ------
        SolverError
            If it does not get there; without a forward bias there may be no optimum.
        """
        return self._solved(lambda theta: self._gradient(theta, theta, self._total))

    def myopia_gap(self) -> float:
        """l(theta~) - l(theta*): at least 0, but for rounding (`planning/myopia-gap`)."""
        return self.loss(self.myopic_optimum) - self.loss(self.best)

    def best_reader(self, theta: ArrayLike | Tensor | None = None) -> Tensor:
        """The weights to read with if the past keeps the weights ``theta``; those of the best model if None."""
        past = self.best if theta is None else as_weights(theta, self.shape)
        return self._solved(lambda own: self._gradient(own, past, self._total), past)

    def local_bonus(self, theta: ArrayLike | Tensor | None = None) -> float:
        """What readers gain if the past keeps the weights ``theta``, theta* if None (`planning/local-bonus`)."""
        past = self.best if theta is None else as_weights(theta, self.shape)
        return self.loss(past) - float(self._total(self.best_reader(past), past))

    def distance_bound(self, theta: ArrayLike | Tensor) -> Tensor:
        """How far weights can be from the myopic optimum, by the diagonal gradient: (positions,), or (1,) if tied."""
        sizes: Tensor = self.diagonal_gradient(theta).reshape(-1, self.width).norm(dim=1)
        return torch.tensor(self.constants.distance_bound(sizes.tolist()), dtype=torch.float64)

    def _total(self, own: Tensor, past: Tensor) -> Tensor:
        """``sum_k l_k(past, .., past, own)``."""
        reads, made = (weights.expand(self.positions, self.width) for weights in (own, past))
        parts = [loss(torch.cat([made[:k], reads[k : k + 1]])) for k, loss in enumerate(self._losses)]
        return torch.stack(parts).sum()

    @staticmethod
    def _gradient(first: Tensor, second: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        found: Tensor = torch.func.grad(loss)(first, second)
        return found

    def _solved(self, gradient: Callable[[Tensor], Tensor], start: Tensor | None = None) -> Tensor:
        """Where a gradient vanishes: Newton steps, halved until it gets shorter, as long as rounding lets it."""
        theta = torch.zeros(self.shape, dtype=torch.float64) if start is None else start
        first = scale = float(gradient(theta).norm())
        for _ in range(NEWTON_STEPS):
            here = gradient(theta)
            scale = float(here.norm())
            if scale == 0:
                break
            slope = torch.func.jacrev(gradient)(theta).reshape(theta.numel(), -1)
            step = torch.linalg.lstsq(slope, here.reshape(-1, 1), driver="gelsd").solution.reshape(theta.shape)
            shorter = (t for i in range(HALVINGS) if float(gradient(t := theta - step / 2**i).norm()) < scale)
            if (moved := next(shorter, None)) is None:
                break
            theta = moved
        # as short as half of the digits
        if not scale <= 1e-8 * (1 + first):
            raise SolverError(
                f"Newton's method left a gradient of {scale:.2g}, {first:.2g} at the start; the losses must be convex "
                "and, for a myopic optimum of tied weights, the present must outweigh the past",
                status="gradient not closed",
                best=theta,
            )
        return theta
