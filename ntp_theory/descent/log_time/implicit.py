"""Solving the flow in log time: implicit steps, their error, and how long they may be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import SolverError
from .radau import RadauScheme
from .slow_manifold import FlowEquation

__all__ = ["Segment", "integrate"]

STAGES = 9
# Newton's method: iterations; iterations from which a longer step would not pay; where it stops, relative to tol.
ITERATIONS, MANY, CONVERGED = 30, 14, 1e-2
# Units in the last place by which a decoder is off when Newton's method stops, and by which errors of steps are.
ROUNDING, ACCUMULATED = 4.0, 40.0
# Most that a step may be longer or shorter than the last.
LONGER, SHORTER = 4.0, 0.2
# Nats by which a guess at logits may be off for Newton's method, whose equation is exponential in them, to converge.
BASIN = 0.1
# Rounding of logits, in nats, at which the flow can no longer be told from noise; steps that are too short to matter.
NOISE, SHORTEST = 1e-4, 1e-9


@dataclass(frozen=True, eq=False)
class Segment:
    """The flow over one step: a polynomial in time for the first, in log time for all others.

    Attributes
    ----------
    start, end : float
        Logarithms of the first and the last time, in the units of the equation; start is -inf for the first step.
    base : Tensor (n,)
        The displacement at the start.
    rise : Tensor (s, n)
        Displacements at the nodes, less that at the start.
    scheme : RadauScheme
    """

    start: float
    end: float
    base: Tensor
    rise: Tensor
    scheme: RadauScheme

    def at(self, log_times: Tensor) -> tuple[Tensor, Tensor]:
        """Displacements y (k, n) and dy/dlog t (k, n) at log times (k,) of the step."""
        if self.start == -math.inf:
            points = (log_times - self.end).exp()
            rate = points  # dy/dlog t = t dy/dt
        else:
            points = (log_times - self.start) / (self.end - self.start)
            rate = torch.full_like(points, 1.0 / (self.end - self.start))
        slopes = self.scheme.slope_at(points.numpy()) @ self.rise
        return self.base + self.scheme.at(points.numpy()) @ self.rise, rate[:, None] * slopes

    def amplification(self, log_times: Tensor) -> float:
        """By how much the polynomial at log times beyond the step may exceed what is rounded at its nodes."""
        points = (log_times - self.start) / (self.end - self.start)
        return float(self.scheme.at(points.numpy()).abs().sum(1).max())


def integrate(equation: FlowEquation, end: float, tol: float) -> Iterator[Segment]:
    """The flow from time 0 to log time ``end``, step by step.

    Parameters
    ----------
    equation : FlowEquation
    end : float
        In the units of the equation.
    tol : float
        Largest error of a logit in a step, in nats, on top of what rounding makes of decoders of that size.

    Yields
    ------
    Segment
        Each begins where the last ended.

    Raises
    ------
    SolverError
        If rounding of logits exceeds 1e-4 nats, or if steps become too short to go on.

    Notes
    -----
    Source: Hairer and Wanner, IV.8: simplified Newton iterations with one matrix a step, and the estimate of the error
    from the derivative at the start, which the polynomial does not use.
    """
    solver = _Stepper(equation, tol)
    _refuse_noise(solver, equation, torch.zeros(equation.dim, dtype=torch.float64), -math.inf, end)
    segment = solver.first(end)
    yield segment
    length, longest = 0.5, LONGER
    while segment.end < end:
        here = segment.base + segment.rise[-1]
        _refuse_noise(solver, equation, here, segment.end, end)
        if length < SHORTEST * max(1.0, abs(segment.end)):
            raise SolverError(
                f"steps of the flow become too short for tol = {tol:.1e}; try a larger one",
                status="step too short",
                best=equation.decoder(here),
            )
        length = min(length, end - segment.end)
        step = solver.next(segment, length)
        ratio = 0.9 * max(step.error, 1e-10) ** (-1.0 / (STAGES + 1)) if step.error < math.inf else 0.5
        if step.error > 1.0:
            length, longest = length * min(max(SHORTER, ratio), 0.9), 1.0
            continue
        arrived = segment.end + length if length < end - segment.end else end
        segment = Segment(segment.end, arrived, here, step.rise, solver.scheme)
        yield segment
        length *= min(ratio, longest if step.iterations < MANY else 1.0)
        longest = LONGER


def _refuse_noise(solver: _Stepper, equation: FlowEquation, here: Tensor, now: float, end: float) -> None:
    """Stop where logits are so large that rounding would decide the rest of the way."""
    if solver.rounding(here) > NOISE:
        log_time, reached = (clock - 2.0 * math.log(equation.scale) for clock in (end, now))
        raise SolverError(
            f"log_time = {log_time:.6g} is out of reach: rounding of logits of size {equation.size(here):.1e}, which "
            f"the flow has at log t = {reached:.6g}, exceeds {NOISE:g} nats; take a log_time below that",
            status="rounding",
            best=equation.decoder(here),
        )


@dataclass(frozen=True, eq=False)
class _Step:
    """An attempt: displacements at the nodes, and their error over the one allowed; inf if Newton's method failed."""

    rise: Tensor
    error: float
    iterations: int


class _Stepper:
    def __init__(self, equation: FlowEquation, tol: float) -> None:
        self.scheme = RadauScheme(STAGES)
        self._equation, self._tol = equation, tol

    def first(self, end: float) -> Segment:
        """The first step, in time itself: of about the time in which something happens."""
        equation, scheme = self._equation, self.scheme
        base = torch.zeros(equation.dim, dtype=torch.float64)
        if equation.dim == 0:
            return Segment(-math.inf, end, base, base.repeat(STAGES, 1), scheme)
        now = base.new_zeros(STAGES)
        speed = -(equation.force(base[None], now[:1]) / equation.mass(now[:1]))[0]
        arrived = min(end, -math.log(equation.smoothness))
        while True:
            length = math.exp(arrived)
            step = self._attempt(base, now, length, length * scheme.nodes[:, None] * speed, length * speed)
            if step.error <= 1.0:
                return Segment(-math.inf, arrived, base, step.rise, scheme)
            arrived -= math.log(LONGER)

    def next(self, segment: Segment, length: float) -> _Step:
        """A step that goes on from a segment, in log time."""
        clocks, base = segment.end + length * self.scheme.nodes, segment.base + segment.rise[-1]
        slope = segment.at(clocks.new_tensor([segment.end]))[1][0]
        rise = segment.at(clocks)[0] - base
        if self.rounding(base) * segment.amplification(clocks) > BASIN:
            rise = length * self.scheme.nodes[:, None] * slope
        return self._attempt(base, clocks, length, rise, length * slope)

    def rounding(self, base: Tensor) -> float:
        """What rounding makes of logits of that size, in nats."""
        return ROUNDING * torch.finfo(base.dtype).eps * self._equation.size(base)

    def _attempt(self, base: Tensor, clocks: Tensor, length: float, rise: Tensor, slope: Tensor) -> _Step:
        """Newton's method from a guess at the displacements; ``slope`` is the derivative with which the step begins."""
        equation, scheme, middle = self._equation, self.scheme, STAGES // 2
        rounding = self.rounding(base)
        mass = equation.mass(clocks)
        jacobian = length * equation.jacobian(base + rise[middle], clocks[middle])
        matrices = jacobian.to(scheme.eigenvalues.dtype).repeat(len(scheme.eigenvalues), 1, 1)
        matrices.diagonal(dim1=1, dim2=2).add_(scheme.eigenvalues[:, None] * mass[middle])
        factors = torch.linalg.lu_factor_ex(matrices)[:2]
        last, aim = math.inf, CONVERGED * self._tol + rounding
        for iteration in range(1, ITERATIONS + 1):
            residual = mass * (scheme.inverse @ rise) + length * equation.force(base + rise, clocks)
            parts = scheme.split @ residual.to(scheme.split.dtype)
            change = (scheme.merge @ torch.linalg.lu_solve(*factors, parts[:, :, None])[:, :, 0]).real
            rise = rise - change
            size = equation.longest * float(change.norm(dim=1).max())
            rate, last = size / last, size
            if not size < math.inf or (iteration > 3 and rate > 0.9 and size > 10.0 * rounding):
                break
            if (size * rate / (1.0 - rate) if 0.0 < rate < 1.0 else size) <= aim:
                defect = mass[middle] * (slope - (scheme.slope_at([0.0]) @ rise)[0])
                filtered = torch.linalg.lu_solve(factors[0][:1], factors[1][:1], defect.to(parts.dtype)[None, :, None])
                error = equation.longest * float(filtered.norm()) / (self._tol + ACCUMULATED / ROUNDING * rounding)
                return _Step(rise, error, iteration)
        return _Step(rise, math.inf, ITERATIONS)
