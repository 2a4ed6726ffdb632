"""`predict`: where myopic descent goes and how fast, from the data alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..doors import positive
from ..errors import UsageError
from .losses import PositionLosses
from .regression import UNIT, PositionRegression

__all__ = ["Prediction", "check_problem", "predict"]


def check_problem(problem: object) -> None:
    """Refuse what is no problem."""
    if not isinstance(problem, PositionRegression | PositionLosses):
        raise UsageError(f"problem is {problem!r}; it must be a PositionRegression or PositionLosses")


@dataclass(frozen=True, eq=False)
class Prediction:
    """What myopic descent must do.

    Attributes
    ----------
    problem : PositionRegression or PositionLosses
    step_size : float
    case : str
        "contracts": every step brings weights nearer to the optimum by at least ``factor``. "converges": they get
        there, but distances may grow at first. "diverges": from almost every start. "no optimum": there is none, or
        no unique one. "unknown": the constants do not say, or rounding decides whether an eigenvalue is stable.
    reason : str
        Why, in words.
    optimum : Tensor or None
        theta~, where there is one.
    factor : float or None
        Certified, for the distance ``sum_k t^k |theta_k - theta~_k|`` (`planning/convergence`); None unless it
        contracts.
    discount : float
        t; 1 for tied weights, where the distance is the Euclidean one.
    rate : float
        Spectral radius of ``I - eta X^T S``: what distances shrink by in the long run, or grow by; nan for
        `PositionLosses`, of which the factor alone is known.
    largest_step : float
        Below it every step contracts for certain; 0 without a forward bias.
    stability_limit : float
        Below it descent converges, above it it diverges; 0 if it always diverges, nan for `PositionLosses`.
    smallest_gradient : float
        What no myopic gradient is shorter than: positive exactly if there is no optimum.
    """

    problem: PositionRegression | PositionLosses
    step_size: float
    case: str
    reason: str
    optimum: Tensor | None
    factor: float | None
    discount: float
    rate: float
    largest_step: float
    stability_limit: float
    smallest_gradient: float

    def distances(self, weights: Tensor) -> Tensor:
        """``sum_k t^k |theta_k - theta~_k|`` of weights (n, width), or (n, positions, width) if they are not tied."""
        assert self.optimum is not None
        apart: Tensor = (weights - self.optimum).norm(dim=-1)
        return apart if self.problem.tied else apart @ self.position_weights

    @property
    def position_weights(self) -> Tensor:
        """``t^k`` for every position k."""
        return torch.tensor([self.discount**k for k in range(self.problem.positions)], dtype=torch.float64)

    def summary(self) -> str:
        """Case, reason and rates, a line each."""
        lines = [f"myopic descent, step size {self.step_size:.4g}: {self.case}", self.reason]
        if not math.isnan(self.rate):
            lines.append(f"long-run rate {self.rate:.6g}; stable below step size {self.stability_limit:.4g}")
        if self.factor is not None:
            lines.append(f"certified factor {self.factor:.6g} a step, below step size {self.largest_step:.4g}")
        return "\n".join(lines)


def predict(problem: PositionRegression | PositionLosses, step_size: float | None = None) -> Prediction:
    """Where myopic descent with a constant step size goes.

    Parameters
    ----------
    problem : PositionRegression or PositionLosses
    step_size : float, optional
        The one whose certified factor is least; without a forward bias half the `stability_limit`, or one over the
        smoothness where nothing is stable.

    Returns
    -------
    Prediction

    Raises
    ------
    UsageError
        If the step size is not positive and finite.

    Notes
    -----
    A step multiplies ``theta - theta~`` by ``I - eta X^T S`` (`planning/convex-toy`), so in the long run eigenvalues
    decide: lambda is stable for ``eta < 2 Re lambda / |lambda|^2``, and for no eta if its real part is negative.

    Source: `planning/convergence`, `planning/convex-toy`.

    Examples
    --------
    >>> from ntp_theory.planning import diverging
    >>> predict(diverging()).case, predict(diverging(tied=False)).case
    ('diverges', 'contracts')
    """
    check_problem(problem)
    if isinstance(problem, PositionLosses):
        return _by_constants(problem, step_size)
    constants, eigenvalues = problem.constants, _eigenvalues(problem)
    # the door sees to untied weights; with tied ones a small number may be rounding
    rounding = problem.smallest_curvature[1] if problem.tied else 0.0
    least = float(eigenvalues.real.min())
    limit = float((2 * eigenvalues.real / eigenvalues.abs() / eigenvalues.abs()).min()) if least > rounding else 0.0
    biased = constants.bias > rounding
    safe = constants.largest_step if biased else 0.0
    if step_size is None:
        eta = safe / 2 or limit / 2 or 1 / constants.smoothness
    else:
        eta = positive("step_size", step_size)
    optimum, rest = None, 0.0
    if not problem.tied or problem.smallest_curvature[0] > rounding:
        optimum = problem.myopic_optimum
    else:
        rest = _out_of_range(problem)
    if optimum is None:
        case = "no optimum"
        reason = f"X^T S is singular: {_more(problem)}, and the border has " + (
            "no myopic optimum" if rest > 0 else "more than one myopic optimum"
        )
    elif eta < safe:
        case = "contracts"
        reason = (
            f"the present outweighs the past: forward bias {constants.bias:.4g} > 0"
            if problem.tied
            else f"weights of their own converge for every coupling; this one is {constants.coupling:.4g}"
        )
    elif not _is_decided(problem, eta, eigenvalues):
        case, reason = "unknown", "within rounding of the data, descent is at the border of stability"
    elif eta < limit:
        case = "converges"
        reason = (
            f"the step size is above {safe:.4g}, below which every step is sure to contract, but in the long run stable"
            if biased
            else f"no forward bias ({constants.bias:.4g}), but every eigenvalue of X^T S has a positive real part"
        )
    elif limit > 0:
        case, reason = "diverges", f"the step size is {eta:.4g}, and descent is stable below {limit:.4g} only"
    else:
        case = "diverges"
        reason = f"no forward bias: {_more(problem)}; X^T S has an eigenvalue of real part {least:.4g}"
    sure = case == "contracts"
    return Prediction(
        problem,
        eta,
        case,
        reason,
        optimum,
        constants.factor(eta) if sure else None,
        constants.discount(eta) if sure else 1.0,
        float((1 - eta * eigenvalues).abs().max()),
        safe,
        limit,
        rest,
    )


def _by_constants(problem: PositionLosses, step_size: float | None) -> Prediction:
    """Of any losses: what the theorem says, or nothing."""
    constants = problem.constants
    safe = constants.largest_step
    eta = (safe / 2 or 1 / constants.smoothness) if step_size is None else positive("step_size", step_size)
    sure = eta < safe
    if sure:
        reason = f"forward bias {constants.bias:.4g} > 0" if problem.tied else "weights of their own always converge"
    elif constants.forward_bias:
        reason = f"only below a step size of {safe:.4g} every step is sure to contract"
    else:
        reason = f"no forward bias: {_more(problem)}; it may diverge, as `diverging` does"
    return Prediction(
        problem,
        eta,
        "contracts" if sure else "unknown",
        reason,
        problem.myopic_optimum if constants.forward_bias else None,
        constants.factor(eta) if sure else None,
        constants.discount(eta) if sure else 1.0,
        math.nan,
        safe,
        math.nan,
        0.0,
    )


def _more(problem: PositionRegression | PositionLosses) -> str:
    constants = problem.constants
    return f"the coupling {constants.coupling:.4g} with the past is against a convexity of {constants.convexity:.4g}"


def _eigenvalues(problem: PositionRegression) -> Tensor:
    """Of X^T S; untied it is block triangular, and they are those of the blocks, which are symmetric."""
    if problem.tied:
        eigenvalues: Tensor = torch.linalg.eigvals(problem.curvature)
        return eigenvalues
    scales: Tensor = torch.linalg.svdvals(problem.own.transpose(0, 1))
    return (scales.square() / problem.samples).flatten().to(torch.complex128)


def _is_decided(problem: PositionRegression, eta: float, eigenvalues: Tensor) -> bool:
    """Whether all data within rounding of this have as many stable eigenvalues of ``I - eta X^T S``.

    On the way to one that has not, an eigenvalue is on the unit circle: then a change as large as the least singular
    value of that matrix minus a point of the circle is enough, and no smaller one is. Points are those nearest to
    the eigenvalues.
    """
    factors = 1 - eta * eigenvalues
    rounding = eta * problem.smallest_curvature[1] + len(factors) * UNIT * float(factors.abs().max())
    if not problem.tied:  # blocks are symmetric, and their eigenvalues as certain as the blocks
        return bool(((factors.abs() - 1).abs() > rounding).all())
    step = torch.eye(problem.width, dtype=factors.dtype) - eta * problem.curvature
    points = torch.where(factors == 0, torch.ones_like(factors), factors / factors.abs())
    return all(float(torch.linalg.svdvals(step - z * torch.eye(problem.width))[-1]) > rounding for z in points)


def _out_of_range(problem: PositionRegression) -> float:
    """How far X^T Y is from the range of X^T S, over the samples; 0 if within rounding."""
    start, rounding = torch.zeros(problem.shape), problem.smallest_curvature[1]
    at_0 = problem.diagonal_gradient(start)
    u, values, _ = torch.linalg.svd(problem.curvature)
    outside = float((u[:, values <= rounding].T @ at_0).norm())
    # rounding turns the null space by at most its share in the least singular value that is none
    turn = rounding / float(values[values > rounding].min()) if bool((values > rounding).any()) else 0.0
    sure = outside - turn * float(at_0.norm()) - float(problem.gradient_rounding(start).norm())
    return max(0.0, sure)
