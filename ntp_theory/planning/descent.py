"""`myopic_descent`: gradient descent without what weights do for later positions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..doors import positive, whole
from .losses import PositionLosses
from .prediction import check_problem, predict
from .regression import PositionRegression
from .weights import as_weights

__all__ = ["MyopicRun", "myopic_descent"]


@dataclass(frozen=True, eq=False)
class MyopicRun:
    """A run of `myopic_descent`.

    Attributes
    ----------
    problem : PositionRegression or PositionLosses
    step_size : float
    weights : Tensor (n + 1, width) or (n + 1, positions, width)
        At the start and after each of the n steps.
    """

    problem: PositionRegression | PositionLosses
    step_size: float
    weights: Tensor

    @property
    def steps(self) -> int:
        """n: fewer than were asked for if the weights would no longer have been finite."""
        return len(self.weights) - 1

    @cached_property
    def losses(self) -> Tensor:
        """The loss (n + 1, positions) of every position."""
        return torch.stack([self.problem.losses(theta) for theta in self.weights])

    def summary(self) -> str:
        """Steps and losses in a line."""
        first, last = self.losses[[0, -1]].sum(1).tolist()
        return f"{self.steps} steps of myopic descent, step size {self.step_size:.4g}: loss {first:.6g} to {last:.6g}"


def myopic_descent(
    problem: PositionRegression | PositionLosses,
    *,
    steps: int,
    step_size: float | None = None,
    start: ArrayLike | Tensor | None = None,
) -> MyopicRun:
    """Follow the diagonal part of the gradient: weights improve the position that reads with them, and no other.

    Parameters
    ----------
    problem : PositionRegression or PositionLosses
    steps : int
    step_size : float, optional
        That of `predict` if not given.
    start : array of the shape of the weights, optional
        Zeros if not given.

    Returns
    -------
    MyopicRun
        Shorter if the weights grow beyond the largest double.

    Raises
    ------
    UsageError
        If a number is out of range, or the start of another shape.

    Notes
    -----
    Source: 2404.00859 (`planning/myopic-descent`, `planning/convergence`).

    Examples
    --------
    >>> from ntp_theory.planning import compare, predict
    >>> toy = PositionRegression.random(positions=3, width=2, samples=100)
    >>> run = myopic_descent(toy, steps=300)
    >>> bool((run.weights[-1] - toy.myopic_optimum).norm() < 1e-12)
    True
    >>> all(check.holds for check in compare(run, predict(toy, run.step_size)))
    True
    """
    check_problem(problem)
    count = whole("steps", steps, at_least=0)
    eta = predict(problem).step_size if step_size is None else positive("step_size", step_size)
    theta = (
        torch.zeros(problem.shape, dtype=torch.float64) if start is None else as_weights(start, problem.shape, "start")
    )
    visited = [theta]
    for _ in range(count):
        theta = theta - eta * problem.diagonal_gradient(theta)
        if not bool(torch.isfinite(theta).all()):
            break
        visited.append(theta)
    return MyopicRun(problem, eta, torch.stack(visited))
