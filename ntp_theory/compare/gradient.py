"""Laws of methods that follow the gradient flow: gradient descent, and what moves like it.

They are laws in the time t = sum of the step sizes, which is eta k for a constant one. Every tolerance is twice the
correction that the data and the starting point predict:

- what the multipliers, inactive constraints and P_F W have not forgotten of the start (`Transient`);
- finite steps: the loss of gradient descent is ``1 / (t + eta/2 log t)`` to the next order, so the last step size times
  ``log(t) / t``; of Nesterov's scheme, whose time is a sum to 1/k, 2/k;
- sampled contexts: the noise of a step is as small as its gradient, ``(eta / t) sum_j a_j^2 / pi_j`` in the variance of
  the total multiplier, a_j its share of context j.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .. import loss
from ..checks import Check
from ..descent import Trajectory
from ..errors import SolverError
from ..predict import Limit
from ..subspace import data_subspace
from .comparison import Comparison
from .convergence import convergence
from .equation import heavy_ball_memory
from .inequalities import cosine
from .transient import Inertia, Transient

__all__ = ["SETTLED", "VAGUE", "earlier", "fading_noise", "gradient_laws", "readable"]

# Laws are read only this far past the burn-in, over the last decade of time.
SETTLED = 100.0
# A tolerance this large would let anything pass.
VAGUE = 0.5
# Standard deviations of sampling noise.
SIGMAS = 4.0
# Twice the predicted correction is allowed.
TWICE = 2.0
# Logarithms of times are cut here where the time itself is needed; no gradient is above rounding by then.
FOREVER = 600.0
# Rounding of the gradient may be this share of it.
ROUNDED = 1e-2


def gradient_laws(run: Trajectory, limit: Limit) -> Comparison:
    """The sharp laws of gradient descent, at the last record and over the last decade of time."""
    if run.method == "sgd" and not fading_noise(limit):
        return Comparison(
            [], "no law read: the noise of sampled contexts fades only on data that is compatible and separable"
        )
    if limit.direction is None:
        return following(convergence, run, limit)
    last, needed = float(run.log_elapsed[-1]), math.log(SETTLED) - limit.mean_offset
    if not last >= needed:
        more = (
            f"{math.ceil(math.exp(min(needed - last, 600.0)) * int(run.times[-1]))} steps"
            if last > -math.inf
            else "longer"
        )
        return Comparison(
            [],
            f"asymptotic laws not read: the data predicts that they set in well after time {limit.burn_in:.3g}; "
            f"run at least {more} (this run has {int(run.times[-1])})",
        )
    if int(run.times[0]):
        return Comparison([], "asymptotic laws not read: the run has no record of its start, step 0")
    if lost := _lost_to_rounding(run, limit):
        return Comparison([], lost)
    decade, half = earlier(run, 10.0), earlier(run, 2.0)
    if decade is None or half is None:
        return Comparison(
            [], "asymptotic laws not read: no record near a tenth or a half of the time to take slopes from"
        )
    return following(lambda run, limit: readable(_Laws(run, limit, decade, half).read()), run, limit)


def following(read: Callable[[Trajectory, Limit], Comparison], run: Trajectory, limit: Limit) -> Comparison:
    """What is read, or a note that the prediction is too large to be followed."""
    try:
        return read(run, limit)
    except SolverError as error:
        return Comparison([], f"laws not read, for their corrections are not known: {error}")


def fading_noise(limit: Limit) -> bool:
    """Whether the gradient of every single context vanishes in the limit: no context's softmax ends off its p_j."""
    return limit.compatibility.compatible and limit.separability.separable


def readable(laws: list[Check], observed: dict[str, float] | None = None) -> Comparison:
    """Those of the laws whose tolerance says something; the note names the others."""
    told = [law for law in laws if law.tolerance < VAGUE and math.isfinite(float(law.predicted))]
    vague = ", ".join(law.label for law in laws if law not in told)
    note = f"not read, for the predicted corrections are still too large: {vague}" if vague else ""
    return Comparison(told, note, observed or {})


def earlier(run: Trajectory, factor: float) -> int | None:
    """The last record at least this factor of time before the last one, if it is not more than twice that."""
    ago = run.log_elapsed[-1] - run.log_elapsed
    found = ((ago >= math.log(factor) - 1e-9) & (ago <= math.log(2 * factor) + 1e-9)).nonzero()[:, 0]
    return int(found[-1]) if len(found) else None


def _lost_to_rounding(run: Trajectory, limit: Limit) -> str:
    """Why the type of the decoder cannot hold the laws: gradients ``||W_mm|| / t`` are summed entry by entry."""
    eps, eta, t = torch.finfo(run.weights.dtype).eps, run.step_size, math.exp(min(float(run.log_elapsed[-1]), FOREVER))
    # what rounding takes from a step, and what it leaves undecided in softmax - p
    step = eps * float(run.weights[-1].abs().max()) * t / (eta * limit.svm.norm)
    scale = float((limit.data.weights * limit.data.embeddings.norm(dim=1)).sum())
    gradient = eps * scale * t / limit.svm.norm
    if max(step, gradient) < ROUNDED:
        return ""
    return f"asymptotic laws not read: at time {t:.3g} the last steps are not far above rounding in {run.weights.dtype}"


class _Laws:
    """Measured quantities of a trajectory, with the corrections that are predicted for them."""

    def __init__(self, run: Trajectory, limit: Limit, decade: int, half: int) -> None:
        assert limit.direction is not None
        self.run, self.limit, self.w_mm, self.decade, self.half = run, limit, limit.direction, decade, half
        inertia, memory = _inertia(run)
        transient = Transient(limit, run.weights[0], inertia, memory)
        t = float(run.log_elapsed[-1])
        # an error that changes sign just now is not 0: the largest over the last e-fold
        times = sorted({float(run.log_elapsed[decade]), float(run.log_elapsed[half]), t - 1.0, t - 0.5, t})
        moments = dict(zip(times, transient.at(times), strict=True))
        self.before, self.near, self.now = (moments[float(run.log_elapsed[i])] for i in (decade, half, -1))
        recent = [moments[s] for s in (t - 1.0, t - 0.5, t)]
        self.loss_error = max(abs(moment.loss) for moment in recent)
        self.mean_error = max(moment.mean for moment in recent)
        self.finite_error = max(moment.finite for moment in recent)
        self.late = self._finite_steps(t) + self._noise(t)
        self.late += transient.unmodelled(t)

    def read(self) -> list[Check]:
        limit, run, w_mm, late = self.limit, self.run, self.w_mm, self.late
        t, k = float(run.log_elapsed[-1]), int(run.times[-1])
        k0, before = int(run.times[self.decade]), run.weights[self.decade]
        k1, near = int(run.times[self.half]), run.weights[self.half]
        after, between = run.weights[-1], t - float(run.log_elapsed[self.half])
        excess = loss.evaluate(after, limit.reference)
        scaled = math.exp(t) * excess.in_support + math.exp(t + excess.log_tail)
        along = float((after * w_mm).sum()) / limit.loss_constant
        checks = [
            Check.close(
                "bias/sharp-gd-loss",
                limit.loss_constant,
                scaled,
                tolerance=TWICE * (self.loss_error + late),
                evidence="measured",
                source="derived (D4.1)",
                statement=f"eta k (CE - inf CE) at k = {k} against ||W_mm||^2",
            ),
            Check.close(
                "bias/offset",
                limit.mean_offset,
                along - t,
                relative=False,
                tolerance=TWICE * (self.mean_error + late),
                evidence="measured",
                source="derived",
                statement="<W_k, W_mm>/||W_mm||^2 - log(eta k), nats",
            ),
            Check.close(
                "bias/sharp-gd-norm",
                limit.svm.norm,
                float(after.norm() - near.norm()) / between,
                tolerance=TWICE * (self._slope_error() + late / between),
                evidence="measured",
                source="derived (D4.2)",
                statement=f"slope of ||W_k|| in log k from {k1} to {k}; off by the angle, O(1/log k)",
            ),
            Check.close(
                "bias/theorem-2",
                1.0,
                cosine(after - before, w_mm),
                # twice the predicted angle
                tolerance=TWICE**2 * self._turn() + late,
                evidence="measured",
                source="2402.18551 Theorem 2",
                statement=f"cos(W_{k} - W_{k0}, W_mm): the increment has no offset to outgrow",
            ),
        ]
        moves = data_subspace(limit.reference).dim and float(limit.finite_constant.norm()) > 0
        # longer steps swing on F, as those of a line search do; the noise of sampled contexts fades like the drift
        if moves and run.step_size * limit.curvature < 1 and run.method not in ("sgd", "line-search"):
            checks.append(self._finite(after, t, k, TWICE * (self.finite_error + late)))
        return checks

    def _turn(self) -> float:
        """Of the increment off W_mm, 1 - cos, where it moves off F and where it still does on F."""
        increment = self.now.decoder - self.before.decoder
        beside = (self.now.on_f + self.before.on_f) / max(float(increment.norm()), 1e-300)
        return 1.0 - cosine(increment, self.w_mm.double()) + min(beside, 1.0) ** 2 / 2.0

    def _slope_error(self) -> float:
        """Of d||W||/dlog t: the cosine of W with W_mm, and of what the velocity has besides W_mm its part along W."""
        worst = 0.0
        for moment in (self.near, self.now):
            angle = cosine(moment.decoder + self.limit.finite.double(), self.w_mm.double())
            worst = max(worst, 1.0 - angle + abs(moment.loss) + math.sqrt(max(1.0 - angle**2, 0.0)) * moment.slope)
        return worst

    def _finite_steps(self, t: float) -> float:
        """Steps are not infinitely short beside the time that has passed."""
        k = int(self.run.times[-1])
        if self.run.method == "nesterov":
            return 2.0 / k
        return max(self.run.step_size, math.exp(t) / k) * math.log(k) * math.exp(-t)

    def _noise(self, t: float) -> float:
        """Of the total multiplier under sampled contexts, four standard deviations."""
        if self.run.method != "sgd":
            return 0.0
        shares = self.limit.duals.double().sum(1) / self.limit.loss_constant
        variance = self.run.step_size * math.exp(-t) * float((shares.square() / self.limit.svm.data.weights).sum())
        return SIGMAS * math.sqrt(variance)

    def _finite(self, weights: Tensor, t: float, k: int, tolerance: float) -> Check:
        distance = float((data_subspace(self.limit.reference).project(weights) - self.limit.finite).norm())
        return Check.close(
            "bias/sharp-gd-finite",
            float(self.limit.finite_constant.norm()),
            math.exp(t) * distance,
            tolerance=tolerance,
            evidence="measured",
            source="derived (D4.3)",
            statement=f"eta k ||P_F W_k - W*|| at k = {k}",
        )


def _inertia(run: Trajectory) -> tuple[Inertia, float]:
    """What moves the decoder besides the gradient, and its memory T in units of time."""
    if run.method == "nesterov":
        return "nesterov", run.step_size
    if run.method != "momentum":
        return "none", 0.0
    g = heavy_ball_memory(run)  # T = eta g (g - 1)
    memory = run.step_size * g * (g - 1.0)
    return ("heavy-ball", memory) if memory > 0.0 else ("none", 0.0)
