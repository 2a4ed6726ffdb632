"""The ridge path followed from W = 0 to wherever it is asked for, by lambda or by norm."""

from __future__ import annotations

import math

from ..errors import SolverError
from ..split_coordinates import SplitCoordinates
from .frame import Frame
from .newton import Converged, Point, converge

__all__ = ["RidgePath", "first_mu"]

# A norm is met when it is off by so many units in the last place; corrections to mu until then.
UNITS, CORRECTIONS = 4, 200
# Minimisers of smaller norm are proportional to it to the last digit; squares of their entries may not exist.
PROPORTIONAL = 1e-100
# A step to the next mu that takes more rounds is made in two halves, unless it is short.
FEW, SHORT = 20, 0.1


class RidgePath:
    """A point that moves along the path, to larger mu = -log lambda and larger norms.

    All is in the scale of the coordinates.

    Parameters
    ----------
    coordinates : SplitCoordinates
    mu : float
        Where to start: the equation is solved there from W = 0.

    Attributes
    ----------
    here : Converged
    """

    def __init__(self, coordinates: SplitCoordinates, mu: float) -> None:
        self.here = converge(_at_zero(coordinates, min(mu, 0.0)))

    def to_mu(self, mu: float) -> Converged:
        """Go to lambda = e^-mu; far ahead in several steps, for a tangent holds over a multiple of mu only."""
        while self.here.point.frame.mu != mu:
            at = self.here.point.frame.mu
            self._step(min(mu, at + max(2.0, at)))
        return self.here

    def to_norm(self, norm: float) -> Converged:
        """Go to the point of this norm, which must exist: by Newton's method in mu, between what bounds it."""
        if norm < PROPORTIONAL:
            return _shrunk(self.to_norm(PROPORTIONAL), norm / PROPORTIONAL)
        low, high = self.here.point.frame.mu, math.inf
        for _ in range(CORRECTIONS):
            point = self.here.point
            at, found = point.frame.mu, point.norm
            if abs(found - norm) <= UNITS * math.ulp(norm):
                return self.here
            low, high = (at, high) if found < norm else (low, at)
            in_f, in_perp = self.here.derivative()
            slope = (point.frame.unit * float(point.weights_f @ in_f) + float(point.in_perp @ in_perp)) / found
            # where lambda is large the norm grows like e^mu, later like mu
            rise = norm - found if at > 0 else found * math.log(norm / found)
            aim = at + (min(rise / slope, max(2.0, at)) if slope > 0 else max(2.0, at))
            if not low < aim < high:
                aim = (low + high) / 2 if high < math.inf else at + max(2.0, at)
            if aim in (low, high):  # no double lies between them
                return self.here
            self._step(aim)
        radius = norm / self.here.point.frame.coordinates.scale
        raise SolverError(f"no lambda with a minimiser of norm {radius:.6g} was found", status="iteration limit")

    def _step(self, mu: float) -> None:
        """Along the tangent, then back to the path."""
        point, frame = self.here.point, self.here.point.frame_at(mu)
        ahead = mu - point.frame.mu
        in_f, in_perp = self.here.derivative()
        start = Point(frame, point.displacement(frame, ahead * in_f), point.in_perp + ahead * in_perp)
        if frame.near and point.frame.near:
            # late on the path it is the displacement in units of lambda whose tangent holds
            other = Point(frame, point.in_f + ahead * (point.in_f + in_f), start.in_perp)
            start = min(start, other, key=lambda point: point.error)
        try:
            self.here = converge(start, rounds=FEW) if abs(ahead) > SHORT else converge(start)
        except SolverError:
            if abs(ahead) <= SHORT:
                raise
            self._step(mu - ahead / 2)
            self._step(mu)


def first_mu(coordinates: SplitCoordinates, norm: float) -> float:
    """The mu at which the path has about this norm, if that is small: W is -e^mu grad CE(0) there."""
    return math.log(max(norm, PROPORTIONAL) / _at_zero(coordinates, 0.0).error)


def _shrunk(here: Converged, factor: float) -> Converged:
    """The point whose decoder is this factor smaller, so close to 0 that the gradient is the same."""
    point = here.point
    frame = Frame(point.frame.coordinates, point.frame.mu + math.log(factor), near=False)
    return Converged(Point(frame, factor * point.in_f, factor * point.in_perp), here.jacobian)


def _at_zero(coordinates: SplitCoordinates, mu: float) -> Point:
    zero = coordinates.finite.new_zeros
    frame = Frame(coordinates, mu, near=False)
    return Point(frame, zero(len(coordinates.finite)), zero(coordinates.beyond.shape[1]))
