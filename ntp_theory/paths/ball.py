"""Minimisers of the cross-entropy in the balls of any norm, by Newton's method with a conic program in every round.

The loss is magnified as on the ridge path, and its quadratic model minimised over the ball: what is pinned to W* up to
the size of the tail is held there by linear equations. Every round also bounds the loss in the ball from below.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy.optimize import brentq
from torch import Tensor

from ..errors import SolverError
from ..margin import solve_svm
from ..margin.norms import Norm
from ..split_coordinates import SplitCoordinates
from .bound import lower_bound
from .frame import Frame
from .newton import Point
from .program import minimise_model, smallest

__all__ = ["InBall", "NormBalls"]

ROUNDS, HALVINGS = 100, 40
# A relative gap this small is rounding of the solver; rounds without progress until a larger one counts as final.
AIM, PATIENCE, PROGRESS, FALL = 1e-10, 3, 0.5, 1e-3
# The largest correction, relative, that brings the answer of a solver to the sphere.
CORRECTION = 1e-3
# Relative gap of the NTP-SVM that is only a start.
ROUGH = 1e-4
# Log odds may rise by so much above what the present loss leaves them.
SLACK = 2.0


@dataclass(frozen=True, eq=False)
class InBall:
    """A minimiser in a ball, in the scale of the coordinates.

    Attributes
    ----------
    weights : Tensor (V c,)
        The decoder, in the columns of `NormBalls`.
    point : Point
        The loss there.
    relative_gap : float
        What is left to gain is at most this, relative to CE - inf CE.
    log_ridge : float
        Logarithm of ``||grad CE||_dual / B``.
    """

    weights: Tensor
    point: Point
    relative_gap: float
    log_ridge: float


class NormBalls:
    """The balls of a norm.

    Parameters
    ----------
    coordinates : SplitCoordinates
    norm : Norm

    Attributes
    ----------
    columns : bool
        Whether decoders are held in all d columns, or in the row space of H.
    """

    def __init__(self, coordinates: SplitCoordinates, norm: Norm) -> None:
        self._x, self._norm = coordinates, norm
        self.columns = not norm.is_rotation_invariant
        self._bases = coordinates.bases(columns=self.columns)
        # W* with a part in F_perp that makes it small where there is nothing but W*, and the direction that diverges
        self._finite = coordinates.finite @ self._bases[0]
        self._direction: Tensor | None = None
        if len(coordinates.anchors):
            found = solve_svm(coordinates.data, norm=norm, tol=ROUGH).direction
            self._direction = self._off_f(coordinates.reduced(found, columns=self.columns))
        elif bool(coordinates.finite.any()):
            self._finite = self._finite + self._off_f(smallest(coordinates, self._bases, norm))

    def minimise(self, radius: float, *, tol: float) -> InBall:
        """The minimiser of norm at most ``radius`` > 0.

        Raises
        ------
        SolverError
            If its relative gap stays above ``tol``; the minimiser found is kept in ``.best``.
        """
        weights, point = self._start(radius)
        if self._direction is None and self.value(self._finite) <= radius:
            return InBall(weights, point, 0.0, -math.inf)
        best, gap, gain, log_ridge, waited = -math.inf, math.inf, math.inf, -math.inf, 0
        for _ in range(ROUNDS):
            step = minimise_model(point, self._bases, self._norm, radius, self._allowed(point))
            bound = lower_bound(point, step, self._bases, self._norm, radius)
            if bound.log_excess > best or best == -math.inf:
                best, log_ridge = bound.log_excess, bound.log_ridge
            before, frame = point.loss.log_excess, point.frame
            # in F the model knows the minimiser while it is far, the multipliers do when it is near
            aims = [self._on_sphere(step.weights, in_f, frame, radius) for in_f in (point.in_f + step.in_f, bound.in_f)]
            weights, point = self._search(weights, point, aims)
            left = max(0.0, -math.expm1(best - point.loss.log_excess))
            falls = point.loss.log_excess < before - FALL or 0 < step.gain < PROGRESS * gain
            waited = 0 if falls or left < PROGRESS * gap else waited + 1
            gap, gain = min(gap, left), min(gain, max(step.gain, 0.0))
            if gap <= AIM or waited >= PATIENCE:
                break
        # shares of ways between points of a sphere are inside it
        weights, point = self._search(weights, point, [self._on_sphere(weights, point.in_f, point.frame, radius)])
        if gap > tol:
            raise SolverError(
                f"the minimiser in the ball of radius {radius / self._x.scale:.6g} in the norm {self._norm.name!r} was "
                f"found to a relative gap of {gap:.2e}, tol is {tol:g}; raise tol",
                status="gap not closed",
                best=self._x.expanded(weights, columns=self.columns),
            )
        return InBall(weights, point, gap, log_ridge)

    def value(self, weights: Tensor) -> float:
        """The norm of a decoder (V c,)."""
        return self._norm.value(weights.reshape(self._x.data.vocab_size, -1))

    def _start(self, radius: float) -> tuple[Tensor, Point]:
        """W* and as much of W_mm as the ball has room for; W* scaled down if it has not even room for that."""
        x, room = self._x, radius - self.value(self._finite)
        if room < 0:
            share = radius / self.value(self._finite)
            weights = share * self._finite
            return weights, _magnified(Point(Frame(x, 0.0, near=False), share * x.finite, self._bases[1] @ weights))
        if self._direction is None:
            weights = self._finite
        else:
            weights = self._finite + room / self.value(self._direction) * self._direction
        zero, in_perp = torch.zeros_like(x.finite), self._bases[1] @ weights
        log_excess = Point(Frame(x, 1.0, near=True), zero, in_perp).loss.log_excess
        point = Point(Frame(x, max(1.0, -log_excess), near=True), zero, in_perp)
        return weights, point if self._direction is None else _magnified(point)

    def _allowed(self, point: Point) -> Tensor:
        """How far off-support logits may rise: not much beyond where one alone would make the present loss; (k,)."""
        x = self._x
        share = point.loss.log_excess - x.data.weights.log()
        log_odds = torch.where(share < -30.0, share, share.clamp(max=6.0).exp().expm1().log())
        return log_odds[x.off.contexts] - point.loss.log_odds + SLACK

    def _search(self, weights: Tensor, point: Point, aims: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Point]:
        """The best point that lowers the loss at the largest share of the ways to several aims, or where we are."""
        for halvings in range(HALVINGS):
            share = 0.5**halvings
            best = (weights, point)
            for towards, displacement in aims:
                there = weights + share * (towards - weights)
                in_f = point.in_f + share * (displacement - point.in_f)
                found = Point(point.frame, in_f, self._bases[1] @ there)
                if found.loss.log_excess < best[1].loss.log_excess:
                    best = (there, found)
            if best[1] is not point:
                return best[0], _magnified(best[1])
        return weights, point

    def _on_sphere(self, weights: Tensor, displacement: Tensor, frame: Frame, radius: float) -> tuple[Tensor, Tensor]:
        """The decoder with this displacement in F, brought to the sphere by its other part, or else as a whole.

        One that is well inside the ball stays there: a model may have its minimiser there while the loss has none.
        """
        fixed, rest = (frame.base + frame.unit * displacement) @ self._bases[0], self._off_f(weights)

        def above(factor: float) -> float:
            return self.value(fixed + factor * rest) - radius

        low, high = 1 - CORRECTION, 1 + CORRECTION
        if above(low) < 0 < above(high):
            return fixed + brentq(above, low, high, xtol=1e-300, rtol=1e-15) * rest, displacement
        factor = radius / self.value(fixed + rest)
        factor = factor if factor < high else 1.0
        return factor * (fixed + rest), (factor * (frame.base + frame.unit * displacement) - frame.base) / frame.unit

    def _off_f(self, weights: Tensor) -> Tensor:
        in_f = self._bases[0]
        return weights - (in_f @ weights) @ in_f


def _magnified(point: Point) -> Point:
    """The point in the frame in which its gradient has length 1."""
    size = math.hypot(float(point.gradient_f.norm()), float(point.gradient_perp.norm()))
    frame = point.frame_at(point.frame.mu - math.log(size))
    return Point(frame, point.displacement(frame), point.in_perp)
