"""`regularization_path`: the one door to regularisation paths."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .. import loss
from ..dataset import NTPDataset, as_dataset
from ..doors import dense, number
from ..errors import DatasetError, UsageError
from ..margin.norms import FROBENIUS, Norm, as_norm
from ..predict import Limit, in_double, predict
from ..runs import Progress
from ..split_coordinates import SplitCoordinates
from .frame import Frame
from .newton import Converged, Point
from .path import Path
from .ridge import RidgePath, first_mu

__all__ = ["regularization_path"]

# Radii times the length of the longest embedding, for numbers to exist.
SMALLEST = 1e-290
# A norm within so many units in the last place of ||W*|| is taken to be that.
UNITS = 4


def regularization_path(
    data: NTPDataset,
    *,
    radii: ArrayLike | Tensor | None = None,
    ridge: ArrayLike | Tensor | None = None,
    norm: str | Norm = "frobenius",
    tol: float = 1e-3,
    progress: bool = False,
) -> Path:
    """Minimisers of the cross-entropy with a ridge, or in balls of a norm.

    ``W_lambda = argmin CE(W) + lambda/2 ||W||^2`` and ``W_B = argmin CE(W)`` over ``||W|| <= B`` are one family: W_B is
    W_lambda for the lambda at which it has norm B. As lambda goes to 0 it diverges along the max-margin direction, like
    gradient descent at the time eta k = e^t where ``t + log t = -log lambda``: ``W* + t W_mm`` plus `Limit.offset` off
    F, up to O(1/t).

    Parameters
    ----------
    data : NTPDataset
    radii : sequence of float
        Radii B >= 0, up to any multiple of ||W_mm||. Where CE has minimisers in a ball (data of the case "finite"), the
        smallest one is the answer.
    ridge : sequence of float
        Values of lambda > 0, down to the smallest double. Exactly one of ``radii`` and ``ridge`` is to be given.
    norm : str or Norm
        The norm of the balls, as in `solve_svm`; in norms other than Frobenius there may be several minimisers, of
        which one is found.
    tol : float
        Largest `Path.relative_gap` accepted in norms other than Frobenius, where it grows with the radius: as the
        accuracy of a conic solver times the logarithm of the loss.
    progress : bool
        Show progress on a terminal.

    Returns
    -------
    Path
        Points in the order of ``radii`` or ``ridge``.

    Raises
    ------
    SolverError
        If a minimiser could not be found to ``tol``.
    UsageError
        If an argument breaks a rule, or the data is too large for dense tables.

    Notes
    -----
    Source: 2402.18551 Eq. (8) and Theorem 1 (`bias/theorem-1`); the family, its limit in any norm and for any data ours
    (`bias/ridge-path`, `bias/norm-ball-path`, `bias/any-data`), as is the arithmetic: Newton's method on the equation
    multiplied by 1/lambda, with the parts in F and F_perp kept apart and exponentials formed as ``exp(log tail - log
    lambda)`` (`bias/tail-exact`).

    Examples
    --------
    >>> data = NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    >>> path = regularization_path(data, ridge=[1e-2, 1e-200])
    >>> path.radii, path.log_excess
    (tensor([  3.6787, 524.3628], dtype=torch.float64), tensor([  -3.1503, -454.1110], dtype=torch.float64))
    >>> regularization_path(data, radii=[10.0], norm="max").norm
    'max'
    """
    as_dataset("data", data)
    if (radii is None) == (ridge is None):
        raise UsageError(f"radii is {radii!r} and ridge is {ridge!r}; exactly one of them must be given")
    geometry = as_norm(norm)
    if ridge is not None and geometry != FROBENIUS:
        raise UsageError(f"norm is {geometry.name!r}; ridge goes with 'frobenius', in other norms give radii")
    tol = number("tol", tol, "a number between 0 and 1", lambda x: 0.0 < x < 1.0)
    if ridge is not None:
        values = _numbers("ridge", ridge, "positive")
    else:
        values = _numbers("radii", radii, "at least 0")
    wide = in_double(data).to(device="cpu")
    limit = predict(wide)
    finder = _Finder(wide, limit, geometry, tol)
    order = np.argsort(-values if ridge is not None else values, kind="stable")
    found: list[_Found | None] = [None] * len(values)
    with Progress(len(values), "path", enabled=progress) as shown:
        for done, i in enumerate(order, 1):
            value = float(values[i])
            found[i] = finder.at_ridge(value) if ridge is not None else finder.at_radius(value)
            shown.update(done)
    return _path(data, geometry, [point for point in found if point is not None])


@dataclass(frozen=True, eq=False)
class _Found:
    """One point: fields of `Path`, in double precision."""

    radius: float
    log_ridge: float
    weights: Tensor
    parts: tuple[float, float, float]
    log_excess: float
    drift: Tensor
    distance_bound: float
    relative_gap: float


class _Finder:
    """Finds points one after the other, at smaller and smaller lambda."""

    def __init__(self, data: NTPDataset, limit: Limit, norm: Norm, tol: float) -> None:
        self._data, self._norm, self._tol = data, norm, tol
        self._same = limit.reference is data
        self._x = SplitCoordinates(limit.svm.data, limit.finite)
        self._path: RidgePath | None = None
        self._balls = None
        if norm != FROBENIUS:
            from .ball import NormBalls  # brings cvxpy, which is slow to import

            self._balls = NormBalls(self._x, norm)

    def at_ridge(self, ridge: float) -> _Found:
        mu = 2.0 * math.log(self._x.scale) - math.log(ridge)
        if self._path is None:
            self._path = RidgePath(self._x, mu)
        return self._on_path(self._path.to_mu(mu))

    def at_radius(self, radius: float) -> _Found:
        x, scaled = self._x, self._x.scale * radius
        if self._balls is None and not len(x.anchors):
            finite = float(x.finite.norm())
            if scaled >= finite - UNITS * math.ulp(finite):
                at_rest = Point(Frame(x, 1.0, near=True), torch.zeros_like(x.finite), x.finite[:0])
                return self._found(at_rest, -math.inf, x.decoder(x.finite, x.finite[:0]), 0.0, 0.0)
        if 0.0 < scaled < SMALLEST:
            raise UsageError(f"radii has {radius:g}; for this data it must be 0 or at least {SMALLEST / x.scale:.3g}")
        if radius == 0.0:
            zero = Point(Frame(x, 0.0, near=False), torch.zeros_like(x.finite), x.beyond.new_zeros(x.beyond.shape[1]))
            return self._found(zero, math.inf, x.decoder(zero.in_f, zero.in_perp), 0.0, 0.0)
        if self._balls is not None:
            ball = self._balls.minimise(scaled, tol=self._tol)
            weights = x.expanded(ball.weights, columns=self._balls.columns)
            return self._found(ball.point, ball.log_ridge, weights, math.inf, ball.relative_gap)
        if self._path is None:
            self._path = RidgePath(x, first_mu(x, scaled))
        return self._on_path(self._path.to_norm(scaled))

    def _on_path(self, here: Converged) -> _Found:
        """In Frobenius the loss in the ball of radius ||W|| is at least CE(W) - ||lambda W + grad||^2 / (2 lambda)."""
        point, gap = here.point, 0.0
        if point.error > 0 and point.loss.log_excess > -math.inf:
            gap = math.exp(min(0.0, 2 * math.log(point.error) - math.log(2) - point.frame.mu - point.loss.log_excess))
        weights = self._x.decoder(point.weights_f, point.in_perp)
        return self._found(point, -point.frame.mu, weights, here.distance_bound() / self._x.scale, gap)

    def _found(self, point: Point, log_ridge: float, weights: Tensor, distance_bound: float, gap: float) -> _Found:
        """The point in the scale of the data; the ridge given is that of the coordinates."""
        x = self._x
        drift = torch.zeros_like(weights)
        if math.isfinite(log_ridge):
            if point.frame.near:
                away = point.in_f * math.exp(-point.frame.mu - log_ridge)
            else:
                away = (point.weights_f - x.finite) * math.exp(-log_ridge)
            drift = x.decoder(away, x.beyond.new_zeros(x.beyond.shape[1])) / x.scale**2
        if self._same:
            parts = (math.exp(point.loss.log_in_support), math.exp(point.loss.log_tail), point.loss.log_tail)
        else:
            split = loss.evaluate(weights, self._data)
            parts = (split.in_support, split.tail, split.log_tail)
        return _Found(
            radius=_norm(weights, self._norm),
            log_ridge=log_ridge + 2.0 * math.log(x.scale),
            weights=weights,
            parts=parts,
            log_excess=point.loss.log_excess,
            drift=drift,
            distance_bound=distance_bound,
            relative_gap=gap,
        )


def _norm(weights: Tensor, norm: Norm) -> float:
    """The norm of a decoder whose entries may be too small for squares."""
    top = float(weights.abs().max())
    return top * norm.value(weights / top) if top else 0.0


def _path(data: NTPDataset, norm: Norm, found: list[_Found]) -> Path:
    def vector(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64)

    in_support, tail, log_tail = (vector([point.parts[i] for point in found]) for i in range(3))
    return Path(
        radii=vector([point.radius for point in found]),
        log_ridge=vector([point.log_ridge for point in found]),
        weights=torch.stack([point.weights for point in found]).to(data.embeddings),
        in_support=in_support,
        tail=tail,
        log_tail=log_tail,
        log_excess=vector([point.log_excess for point in found]),
        drift=torch.stack([point.drift for point in found]).to(data.embeddings),
        distance_bound=vector([point.distance_bound for point in found]),
        relative_gap=vector([point.relative_gap for point in found]),
        norm=norm.name,
        data=data,
    )


def _numbers(name: str, values: ArrayLike | Tensor | None, rule: str) -> NDArray[np.float64]:
    """A vector of finite numbers that are positive, or at least 0."""
    try:
        found = dense(name, values, 1)
    except DatasetError as error:
        raise UsageError(str(error)) from error
    wrong = found <= 0 if rule == "positive" else found < 0
    if wrong.any():
        i = int(np.argmax(wrong))
        raise UsageError(f"{name}[{i}] is {found[i]}; every entry must be {rule}")
    return found
