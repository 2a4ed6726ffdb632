"""Newton's method for the ridge path, in coordinates where every part of the equation has ordinary size.

Stationarity ``e^mu grad CE(W) + W = 0``, mu = -log lambda, is that of ``phi(W) = e^mu CE(W) + 1/2 ||W||^2``: 1-strongly
convex, with a Hessian that changes along a step by a factor of at most e^R, R the largest range of the logits that
the step makes over the tokens of a context. The step of length ``log(1 + R) / R`` therefore always descends, and no
values of phi, which rounding would blur, have to be compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import SolverError
from .frame import Frame

__all__ = ["STEADY", "Converged", "Jacobian", "Point", "cholesky", "converge", "damped"]

ROUNDS = 500
# After a step that moves less than this, relative, the next one is rounding.
STEADY = 1e-7
# Above this mu displacements are always counted from W*: e^mu times their rounding would not be small.
ALWAYS_NEAR = 100.0
# Steps with the last factors, which take up what rounding in these left.
REPEATS = 2
# Off-support pairs that count for less than this in the Hessian are left out of it: in F_perp against the identity
# that the ridge adds, in F against the least likely in-support token of their context.
NEGLIGIBLE = 1e-12
# Units in the last place by which logits may be off.
ROUNDING = 8.0


class Point:
    """The loss at some W, and the equation of the ridge path there.

    Parameters
    ----------
    frame : Frame
        That of the mu to be solved for.
    in_f, in_perp : Tensor (f,), Tensor (p,)
        Displacement in F as the frame counts it, and coordinates of P_perp W.

    Attributes
    ----------
    off : Tensor (k,)
        Off-support minus anchor logits.
    loss : Magnified
    weights_f : Tensor (f,)
        SplitCoordinates of P_F W.
    gradient_f, gradient_perp : Tensor (f,), Tensor (p,)
        Those of ``e^mu grad CE(W)``.
    """

    def __init__(self, frame: Frame, in_f: Tensor, in_perp: Tensor) -> None:
        self.frame, self.in_f, self.in_perp = frame, in_f, in_perp
        x = frame.coordinates
        self.off = frame.base_off + frame.unit * (x.outside @ in_f) + x.beyond @ in_perp
        self.loss = frame.evaluate(in_f, self.off)
        self.weights_f = frame.base + frame.unit * in_f
        self.gradient_f, self.gradient_perp = x.gather(self.loss.inside, self.loss.rho)

    @property
    def norm(self) -> float:
        """||W||."""
        return math.hypot(float(self.weights_f.norm()), float(self.in_perp.norm()))

    @property
    def residual(self) -> tuple[Tensor, Tensor]:
        """SplitCoordinates (f,) and (p,) of ``e^mu grad CE(W) + W``."""
        return self.gradient_f + self.weights_f, self.gradient_perp + self.in_perp

    @property
    def error(self) -> float:
        """Norm of the residual."""
        in_f, in_perp = self.residual
        return math.hypot(float(in_f.norm()), float(in_perp.norm()))

    def moved(self, in_f: Tensor, in_perp: Tensor) -> Point:
        """The point a step away."""
        return Point(self.frame, self.in_f + in_f, self.in_perp + in_perp)

    def frame_at(self, mu: float) -> Frame:
        """The frame for points next to this one at another mu."""
        x = self.frame.coordinates
        away = self.frame.unit * self.in_f if self.frame.near else self.weights_f - x.finite
        near = mu > 0 and (mu > ALWAYS_NEAR or 2.0 * float(away.norm()) <= float(x.finite.norm()))
        return Frame(x, mu, near=near)

    def displacement(self, frame: Frame, ahead: Tensor | None = None) -> Tensor:
        """Displacement in F as another frame counts it, of this point or of one by ``ahead`` (f,) away."""
        in_f = self.in_f if ahead is None else self.in_f + ahead
        if frame.near and self.frame.near:
            return in_f * math.exp(min(frame.mu - self.frame.mu, 700.0))
        return (self.frame.base + self.frame.unit * in_f - frame.base) / frame.unit

    def size(self, in_f: Tensor, in_perp: Tensor) -> tuple[float, float]:
        """Of a step: the largest range of its logits within a context; its size in F relative to the displacement."""
        x, joint = self.frame.coordinates, self.frame.coordinates.data.joint
        inside = x.inside @ in_f
        off = self.frame.unit * (x.outside @ in_f) + x.beyond @ in_perp
        low, high = (inside.new_zeros(x.data.num_contexts) for _ in range(2))
        for values, pattern in ((self.frame.unit * inside, x.data.pattern), (off, x.off)):
            low.scatter_reduce_(0, pattern.contexts, values, "amin")
            high.scatter_reduce_(0, pattern.contexts, values, "amax")
        whole = float((joint.sqrt() * (x.inside @ self.in_f)).norm())
        return float((high - low).max()), float((joint.sqrt() * inside).norm()) / whole if whole else 0.0

    def hessian(self) -> tuple[Tensor, Tensor, Tensor]:
        """Blocks A (f, f), B (f, p) and C (p, p) of ``e^mu`` times the Hessian of CE; A times the unit, too."""
        x, frame, loss = self.frame.coordinates, self.frame, self.loss
        pattern, count = x.data.pattern, x.data.num_contexts
        # the same pairs in all blocks: the whole stays positive definite
        felt = loss.rho * x.beyond.square().sum(1) > NEGLIGIBLE
        felt |= loss.softmax_off > NEGLIGIBLE * pattern.min(loss.softmax_inside)[x.off.contexts]
        outside, beyond, where = x.outside[felt], x.beyond[felt], x.off.contexts[felt]
        rho, softmax = loss.rho[felt, None], loss.softmax_off[felt, None]

        mean = _by_context(loss.softmax_inside[:, None] * x.inside, pattern.contexts, count)
        mean += _by_context(softmax * outside, where, count)
        magnified = (frame.factor * frame.unit * x.data.weights)[:, None]
        a = x.inside.T @ (magnified[pattern.contexts] * loss.softmax_inside[:, None] * x.inside)
        a += outside.T @ (magnified[where] * softmax * outside) - mean.T @ (magnified * mean)

        pull, beyond_mean = _by_context(rho * beyond, where, count), _by_context(softmax * beyond, where, count)
        b = outside.T @ (rho * beyond) - mean.T @ pull
        return a, b, beyond.T @ (rho * beyond) - beyond_mean.T @ pull


class Jacobian:
    """Derivative of the equation of the ridge path with respect to the coordinates, factorised.

    Its blocks are ``[[A, B], [u B^T, C]]``, u the unit of displacements: symmetric up to that scale.
    """

    def __init__(self, point: Point) -> None:
        a, self._b, c = point.hessian()
        self._unit = point.frame.unit
        a.diagonal().add_(self._unit)
        c.diagonal().add_(1.0)
        self._a = cholesky(a)
        self._a_inverse_b = torch.cholesky_solve(self._b, self._a)
        self._c = cholesky(c - self._unit * (self._b.T @ self._a_inverse_b))

    def solve(self, in_f: Tensor, in_perp: Tensor) -> tuple[Tensor, Tensor]:
        """The step for right-hand sides (f,) and (p,)."""
        first = torch.cholesky_solve(in_f[:, None], self._a)[:, 0]
        rest = in_perp - self._unit * (self._b.T @ first)
        step = torch.cholesky_solve(rest[:, None], self._c)[:, 0]
        return first - self._a_inverse_b @ step, step


@dataclass(frozen=True, eq=False)
class Converged:
    """A point of the path, and the derivative there."""

    point: Point
    jacobian: Jacobian

    def derivative(self) -> tuple[Tensor, Tensor]:
        """d/dmu of W: coordinates (f,) in units of the frame, and (p,)."""
        return self.jacobian.solve(-self.point.gradient_f, -self.point.gradient_perp)

    def distance_bound(self) -> float:
        """How far the minimiser may be, times ``scale``.

        Strong convexity bounds the distance by the residual. By the bound on the Hessian it is also at most ``-log(1 -
        M delta) / M``, delta the decrement of Newton's method and ``M = sqrt(2) max ||h_j||``, which curvature makes
        much smaller. Rounding in the logits changes rho by a factor, which adds no more than that times sqrt(sum rho)
        to the decrement.
        """
        p, steepest = self.point, math.sqrt(2.0) * self.point.frame.coordinates.longest
        residual = p.residual
        step = self.jacobian.solve(*residual)
        square = p.frame.unit * float(residual[0] @ step[0]) + float(residual[1] @ step[1])
        eps, reach = torch.finfo(p.off.dtype).eps, float(p.off.abs().max()) if len(p.off) else 0.0
        rounding = eps * (abs(p.frame.mu) + reach) * float(p.loss.rho.sum()) ** 0.5 + eps * p.norm
        decrement = math.sqrt(max(0.0, square)) + ROUNDING * rounding
        if steepest * decrement >= 1.0:
            return float(p.error + ROUNDING * rounding)
        return -math.log1p(-steepest * decrement) / steepest if steepest else decrement


def converge(point: Point, *, rounds: int = ROUNDS) -> Converged:
    """Newton's method from a point, down to rounding.

    Raises
    ------
    SolverError
        If it takes more than this number of rounds.
    """
    before = math.inf
    for _ in range(rounds):
        jacobian = Jacobian(point)
        in_f, in_perp = jacobian.solve(*point.residual)
        reach, relative = point.size(in_f, in_perp)
        length = damped(reach)
        point = point.moved(-length * in_f, -length * in_perp)
        # a displacement that is 0 but for rounding never becomes steady itself
        if reach < STEADY and (relative < STEADY or relative > before / 2):
            break
        before = relative
    else:
        raise SolverError(
            f"Newton's method made {rounds} steps without converging", status="iteration limit", best=point
        )
    for _ in range(REPEATS):
        in_f, in_perp = jacobian.solve(*point.residual)
        point = point.moved(-in_f, -in_perp)
    return Converged(point, jacobian)


def damped(reach: float) -> float:
    """Length of a step of Newton's method that is sure to descend, if logits move by ranges of at most ``reach``."""
    return math.log1p(reach) / reach if reach > STEADY else 1.0


def _by_context(rows: Tensor, contexts: Tensor, count: int) -> Tensor:
    return rows.new_zeros(count, rows.shape[1]).index_add_(0, contexts, rows)


def cholesky(matrix: Tensor) -> Tensor:
    """Cholesky factor; what rounding made indefinite is lifted, relative to the diagonal."""
    lift, diagonal = 0.0, torch.diag(matrix.diagonal())
    while lift < 1.0:
        factor, failed = torch.linalg.cholesky_ex(matrix + lift * diagonal)
        if not int(failed):
            found: Tensor = factor
            return found
        lift = max(10.0 * lift, 1e-15)
    raise SolverError("the Hessian on the path is not positive definite", status="not definite")
