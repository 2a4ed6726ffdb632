"""Gradient descent on a log-partition loss, and gradient flow to any time, in its logarithm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from torch import Tensor

from ..dataset import NTPDataset
from ..doors import number, positive, whole
from ..errors import SolverError
from .limit import PartitionLimit, as_limit, predict, span
from .log_partition import LogPartition, as_partition
from .sequences import TokenSequences

__all__ = ["PartitionRun", "descend", "flow"]

# The flow from 0 begins here: before, W moves by less than e^-8 of the first gradient.
FIRST = -8.0
# Where P_F W is within this of W_fin, relative to 1, it is put there.
SETTLED = 1e-7
ACCURACY = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class PartitionRun:
    """A run from w = 0.

    Attributes
    ----------
    loss : LogPartition
    log_times : Tensor (r,)
        ``log t``; for gradient descent t is eta k.
    weights : Tensor (r, D)
    settled : float
        log t from which on the flow keeps ``P_F W`` at W_fin; infinite for gradient descent.
    step_size : float
        eta; 0 for the flow.
    """

    loss: LogPartition
    log_times: Tensor
    weights: Tensor
    settled: float
    step_size: float

    @property
    def norms(self) -> Tensor:
        """``||W||``; (r,)."""
        sizes: Tensor = self.weights.norm(dim=1)
        return sizes

    def log_tails(self, support: Tensor) -> Tensor:
        """Logarithm of the loss that choices off the supports add, ``sum pi log(1 + off / on)``; (r,)."""
        return torch.stack([_log_odds(self.loss, support, w)[1] for w in self.weights])

    @cached_property
    def values(self) -> Tensor:
        """f, nats; (r,)."""
        return torch.tensor([self.loss.value(w) for w in self.weights], dtype=torch.float64)

    def __repr__(self) -> str:
        return (
            f"<PartitionRun: log t {float(self.log_times[0]):.4g} to {float(self.log_times[-1]):.4g}, "
            f"||W|| = {float(self.norms[-1]):.6g}>"
        )


def descend(
    data: TokenSequences | LogPartition | NTPDataset, *, steps: int, step_size: float | None = None, points: int = 60
) -> PartitionRun:
    """Gradient descent from 0.

    Parameters
    ----------
    data : TokenSequences, LogPartition or NTPDataset
    steps : int
    step_size : float, optional
        1 / L if not given, L the smoothness constant of the loss; larger ones need not converge.
    points : int
        About how many steps are recorded, evenly in log k.

    Returns
    -------
    PartitionRun

    Raises
    ------
    UsageError
        If an argument is out of range.
    SolverError
        If the weights come to be infinite.

    Notes
    -----
    Source: 2403.08081 (`attention/graph-svm`).

    Examples
    --------
    >>> run = descend(TokenSequences([[0, 1]], [0]), steps=1000, step_size=1.0)
    >>> round(float(run.weights[-1, 1]), 2)  # W[0, 1], the score of token 0 for query 1: log(2000) / 2
    3.8
    """
    loss, steps = as_partition(data), whole("steps", steps, at_least=1)
    largest = 1 / loss.smoothness if loss.smoothness else 1.0
    eta = largest if step_size is None else positive("step_size", step_size)
    at = {round(k) for k in np.geomspace(1, steps, whole("points", points, at_least=2))}
    w, times, weights = torch.zeros(loss.dim, dtype=torch.float64), [], []
    flat, masses = loss.features.flatten(0, 1), loss.weights[:, None]
    for k in range(1, steps + 1):
        residuals = masses * ((flat @ w).reshape(loss.offsets.shape) + loss.offsets).softmax(1) - masses * loss.targets
        w = w - eta * (residuals.flatten() @ flat)
        if k in at:
            times.append(math.log(eta * k))
            weights.append(w)
    if not math.isfinite(float(w.norm())):
        raise SolverError(f"descent diverged: the weights are not finite after {steps} steps of size {eta:g}", best=w)
    return PartitionRun(loss, torch.tensor(times, dtype=torch.float64), torch.stack(weights), math.inf, eta)


def flow(
    data: TokenSequences | LogPartition | NTPDataset,
    *,
    log_time: float,
    points: int = 60,
    limit: PartitionLimit | None = None,
) -> PartitionRun:
    """Gradient flow ``dW/dt = -grad f`` from 0, in log t, to any time.

    Parameters
    ----------
    data : TokenSequences, LogPartition or NTPDataset
    log_time : float
        The last log t, above -8.
    points : int
        Times recorded, evenly in log t: half of them before P_F W is put at W_fin, half after.
    limit : PartitionLimit, optional
        That of `predict` if not given: only the supports and W_fin are used, which the gradient vanishes at.

    Returns
    -------
    PartitionRun

    Raises
    ------
    UsageError
        If an argument is out of range.
    SolverError
        If the integrator fails.

    Notes
    -----
    First as it stands, by an implicit method. Once P_F W is within 1e-7 of W_fin it is kept there, and the gradient of
    what is left is taken in logarithms: it may be as small as e^-10000 (`bias/log-time-flow`, with the graph's
    components in place of supports).

    Examples
    --------
    >>> run = flow(TokenSequences([[0, 1]], [0]), log_time=1000.0)
    >>> round(float(run.weights[-1, 1]), 6) == round((1000 + math.log(2)) / 2, 6)
    True
    """
    loss = as_partition(data)
    last = number("log_time", log_time, f"a finite number above {FIRST:g}", lambda x: FIRST < x < math.inf)
    count = whole("points", points, at_least=4)
    limit = predict(loss) if limit is None else as_limit(limit)
    limit.check_fits(loss)
    normals, *_ = loss.normals(loss.support)
    frame = span(normals)
    settled = math.log((1 + limit.finite_scale()) / SETTLED)
    half = count if last <= settled else count // 2
    early = np.linspace(FIRST, min(settled, last), half)
    whole_loss = loss.along(frame, torch.zeros(loss.dim, dtype=torch.float64))

    def fall(s: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(-math.exp(s) * whole_loss.gradient(torch.from_numpy(x)))

    def bend(s: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(-math.exp(s) * whole_loss.hessian(torch.from_numpy(x)))

    start = fall(FIRST, np.zeros(frame.shape[1]))
    found = [frame @ x for x in _integrate(fall, start, early, method="Radau", jac=bend)]
    late = np.linspace(settled, last, count - half + 1)[1:] if last > settled else np.zeros(0)
    if limit.diverges and len(late):
        across = span(normals - normals @ limit.basis @ limit.basis.T)
        tail_loss = loss.along(across, limit.finite)

        def drift(s: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.asarray(_log_odds(tail_loss, limit.support, torch.from_numpy(x), s)[0])

        begin = np.asarray(across.T @ (found[-1] - limit.finite))
        moved = _integrate(drift, begin, np.append(settled, late), method="LSODA")[1:]
        found += [limit.finite + across @ x for x in moved]
    else:
        found += [limit.finite] * len(late)
    return PartitionRun(loss, torch.from_numpy(np.append(early, late)), torch.stack(found), settled, 0.0)


def _integrate(rule: Any, start: NDArray[np.float64], times: NDArray[np.float64], **how: Any) -> list[Tensor]:
    if not len(start):
        return [torch.from_numpy(start)] * len(times)
    run = solve_ivp(rule, (times[0], times[-1]), start, t_eval=times, rtol=ACCURACY, atol=ACCURACY, **how)
    if not run.success:
        raise SolverError(f"the integrator stopped at log t = {run.t[-1]:.6g}: {run.message}", status=str(run.status))
    return list(torch.from_numpy(np.ascontiguousarray(run.y.T)))


def _log_odds(loss: LogPartition, support: Tensor, w: Tensor, log_time: float = 0.0) -> tuple[Tensor, Tensor]:
    """t times the negative gradient of the tail ``sum pi log(1 + off / on)``, and the logarithm of the tail."""
    scores = loss.scores(w)
    inside, outside = (torch.where(s, scores, -math.inf) for s in (support, ~support))
    on, off = inside.logsumexp(1), outside.logsumexp(1)
    some = off > -math.inf
    ratio = torch.where(some, off - on, -math.inf)
    mass = loss.weights * (log_time + ratio - torch.nn.functional.softplus(ratio)).exp()
    lean = inside.softmax(1) - torch.where(some[:, None], outside, 0.0).softmax(1)
    pull = torch.einsum("i,ic,icd->d", mass, lean, loss.features)
    odds = torch.where(ratio < -30, ratio, torch.log(torch.nn.functional.softplus(ratio)))
    return pull, (loss.weights.log() + odds).logsumexp(0)
