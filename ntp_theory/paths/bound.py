"""Lower bounds on the cross-entropy over a ball, from the multipliers of a model that was minimised there.

``CE(U) >= CE(L) + <G, U - L> >= CE(L) - <G, L> - B ||G||_dual`` for ``||U|| <= B``, where G is the gradient at any
logits L, one for each context and token: no decoder has to have them. They are chosen for G to be the gradient that the
model has at its minimiser: off the supports the softmax is what the model predicts, on them G in F is the multipliers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import SolverError
from ..margin.norms import Norm
from .newton import STEADY, Point, cholesky, damped
from .program import Step

__all__ = ["Bound", "lower_bound"]

ROUNDS = 100
# Relative changes of the softmax from which logarithms are taken of their prediction; below that of the logits.
FALL = -0.5


@dataclass(frozen=True, eq=False)
class Bound:
    """What is known of the minimiser in a ball.

    Attributes
    ----------
    log_excess : float
        Logarithm of a number that CE - inf CE exceeds everywhere in the ball; -inf if only 0 is known to be one.
    log_ridge : float
        Logarithm of ``||G||_dual / B``.
    in_f : Tensor (f,)
        Displacement in F at the minimiser.
    """

    log_excess: float
    log_ridge: float
    in_f: Tensor


def lower_bound(point: Point, step: Step, bases: tuple[Tensor, Tensor], norm: Norm, radius: float) -> Bound:
    """The bound that comes with a step from a point to the minimiser of its model over the ball of a radius."""
    x, frame = point.frame.coordinates, point.frame
    log_odds = _predicted_odds(point, step)
    displacement = _displacement(point, log_odds, step.multipliers)
    at, off = frame.evaluate_at_odds(displacement, log_odds)
    in_f, in_perp = x.gather(at.inside, at.rho)
    size = norm.dual.value((in_f @ bases[0] + in_perp @ bases[1]).reshape(x.data.vocab_size, -1))
    level = frame.mu + at.log_excess
    lower = -math.inf
    if level < 700.0:
        lower = math.exp(level) - float(at.inside @ frame.inside(displacement)) - float(at.rho @ off) - radius * size
    return Bound(
        math.log(lower) - frame.mu if lower > 0 else -math.inf,
        math.log(size / radius) - frame.mu if size > 0 else -math.inf,
        displacement,
    )


def _predicted_odds(point: Point, step: Step) -> Tensor:
    """Log odds (k,) that make the softmax off the supports what the linear model predicts after the step."""
    x, loss, pattern = point.frame.coordinates, point.loss, point.frame.coordinates.data.pattern
    unit, contexts = point.frame.unit, x.off.contexts
    off = unit * (x.outside @ step.in_f) + x.beyond @ step.in_perp
    mean = pattern.sum(loss.softmax_inside * unit * (x.inside @ step.in_f))
    change = off - mean.index_add(0, contexts, loss.softmax_off * off)[contexts]
    change = torch.where(change > FALL, change.clamp(min=FALL).log1p(), change)
    taken = torch.zeros_like(mean).index_add_(0, contexts, loss.softmax_off * change.expm1())
    kept = pattern.sum(loss.softmax_inside)
    return loss.log_odds + change - torch.log1p(-(taken / kept).clamp(max=0.5))[contexts]


def _displacement(point: Point, log_odds: Tensor, gradient: Tensor) -> Tensor:
    """The displacement (f,) at which the gradient in F is given, at fixed odds: Newton's method on a convex problem."""
    x, frame, pattern = point.frame.coordinates, point.frame, point.frame.coordinates.data.pattern
    weights, displacement = frame.factor * frame.unit * x.data.weights, point.in_f
    for _ in range(ROUNDS if len(displacement) else 0):
        at, _ = frame.evaluate_at_odds(displacement, log_odds)
        q, kept = at.softmax_inside, pattern.sum(at.softmax_inside)
        mean = q.new_zeros(len(kept), len(displacement)).index_add_(0, pattern.contexts, q[:, None] * x.inside)
        hessian = x.inside.T @ ((weights[pattern.contexts] * q)[:, None] * x.inside)
        hessian -= mean.T @ ((weights / kept)[:, None] * mean)
        missing = gradient - x.gather(at.inside, at.rho)[0]
        try:
            move = torch.cholesky_solve(missing[:, None], cholesky(hessian))[:, 0]
        except SolverError:
            break
        logits = frame.unit * (x.inside @ move)
        reach = float((pattern.max(logits) - pattern.min(logits)).max())
        if not math.isfinite(reach):
            break  # no logits have this gradient; others bound the loss, too
        displacement = displacement + damped(reach) * move
        if reach < STEADY:
            break
    return displacement
