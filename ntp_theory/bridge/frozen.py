"""`train_frozen`: the head alone trained on, features frozen, where the theory of linear decoders holds exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..checks import Check
from ..compare import Comparison, compare
from ..compare.gradient import SETTLED, TWICE, readable
from ..compare.transient import Transient
from ..dataset import NTPDataset, as_dataset
from ..descent import Trajectory, descend, flow
from ..doors import positive, whole
from ..errors import SolverError, UsageError
from ..loss import evaluate, gradient
from ..predict import Limit, predict

__all__ = ["FrozenTraining", "train_frozen"]

# Records of the flow, evenly in log time.
PARTS = 40


@dataclass(frozen=True, eq=False)
class FrozenTraining:
    """Full-batch training of a head on fixed features, beside the limit that the features alone predict.

    Attributes
    ----------
    limit : Limit
    descent : Trajectory
        Gradient descent from the model's own head.
    flow : Trajectory
        Gradient flow from the same head, to times that no number of steps reaches.
    tol : float
        To which the flow was integrated.
    """

    limit: Limit
    descent: Trajectory
    flow: Trajectory
    tol: float

    @property
    def loss_ratio(self) -> Tensor:
        """``t (CE - inf CE) / ||W_mm||^2`` at the records of the flow after its start, which goes to 1; (n - 1,)."""
        return self._scaled(self.flow)[1:] / self.limit.loss_constant

    @property
    def descent_ratio(self) -> Tensor:
        """The same of gradient descent, with eta k for t; (n - 1,)."""
        return self._scaled(self.descent)[1:] / self.limit.loss_constant

    @property
    def followed(self) -> float:
        """By how much the loss of gradient descent at its end differs from that of the flow at time eta k, relative."""
        same = (self.flow.log_times - self.descent.log_elapsed[-1]).abs().argmin()
        return float(self.descent_ratio[-1] / self.loss_ratio[same - 1]) - 1.0

    @property
    def angles(self) -> Tensor:
        """``1 - cos(dW/dlog t, W_mm)`` at the records of the flow after its start, which goes to 0; (n - 1,)."""
        assert self.flow.log_derivative is not None and self.limit.direction is not None
        slopes = self.flow.log_derivative[1:]
        slopes, goal = slopes / slopes.norm(dim=(1, 2), keepdim=True), self.limit.direction / self.limit.svm.norm
        halved: Tensor = (slopes - goal).square().sum((1, 2)) / 2  # of the squared distance, without cancellation
        return halved

    @cached_property
    def comparisons(self) -> tuple[Comparison, Comparison, Comparison]:
        """The laws at the end of the flow; descent and flow as `compare` reads them. All tolerances are predicted."""
        return self._laws(), compare(self.descent, self.limit), compare(self.flow, self.limit)

    @property
    def checks(self) -> list[Check]:
        """The laws of the loss and of the direction at the end of the flow, descent against flow, and `compare`.

        A law is read where it has set in and its predicted correction is small; `summary` names those that are not.
        """
        laws, descent, flow = self.comparisons
        return [*laws.checks, self._following(), *descent.checks, *flow.checks]

    def _laws(self) -> Comparison:
        end, needed = float(self.flow.log_times[-1]), math.log(SETTLED) - self.limit.mean_offset
        if end < needed:
            return Comparison([], f"laws not read: they set in at log t = {needed:.3g}")
        try:
            transient = Transient(self.limit, self.flow.weights[0])
            # an error that changes sign just now is not 0: the largest over the last e-fold
            moments = transient.at([end - 1.0, end - 0.5, end])
        except SolverError as error:
            return Comparison([], f"laws not read, for their corrections are not known: {error}")
        left = transient.unmodelled(end) + self.tol
        loss = TWICE * (max(abs(moment.loss) for moment in moments) + left)
        # dW/dlog t is off W_mm by this share of it, which is the sine of the angle at most
        sine = min(1.0, TWICE * (max(moment.slope for moment in moments) + left))
        words = f"at log t = {end:.6g}, features frozen"
        return readable(
            [
                Check.close(
                    "bias/sharp-gd-loss",
                    1.0,
                    float(self.loss_ratio[-1]),
                    tolerance=loss,
                    evidence="measured",
                    source="derived (D4.1)",
                    statement=f"t (CE - inf CE) / ||W_mm||^2 {words}",
                ),
                Check.close(
                    "bias/sharp-gd-direction",
                    0.0,
                    float(self.angles[-1]),
                    relative=False,
                    tolerance=1.0 - math.sqrt(1.0 - sine**2),
                    evidence="measured",
                    source="derived (D4.4)",
                    statement=f"1 - cos(dW/dlog t, W_mm) {words}",
                ),
            ]
        )

    def _following(self) -> Check:
        """Descent against the flow, to first order in eta.

        Steps of gradient descent follow the flow of ``f + eta |grad f|^2 / 4``. Along a mode of one rate that is ahead
        of the flow of f by the time ``eta/2 log(|g_0| / |g_t|)``, g the gradient, and so it is where f falls like 1/t
        (``eta/2 log t``, D4); modes that have faded add less. A time ahead takes |g_t|^2 times as much from the loss.
        """
        assert self.flow.log_derivative is not None
        steps, t = int(self.descent.times[-1]), self.descent.log_elapsed[-1].exp()
        same = int((self.flow.log_times - self.descent.log_elapsed[-1]).abs().argmin())
        start, now = gradient(self.flow.weights[0], self.limit.data).norm(), self.flow.log_derivative[same].norm() / t
        ahead = float((start / now).log().clamp(min=0.0)) * self.descent.step_size / 2.0
        excess = float(self._scaled(self.flow)[same] / t)
        return Check.close(
            "bias/sharp-gd-loss",
            0.0,
            self.followed,
            relative=False,
            tolerance=TWICE * (ahead * float(now) ** 2 / excess + self.tol),
            evidence="measured",
            source="derived (D4.1)",
            statement=f"CE - inf CE of gradient descent against the flow's, at k = {steps}",
        )

    def _scaled(self, run: Trajectory) -> Tensor:
        """``t (CE - inf CE)`` by record; what is in the support falls like 1/t^2 and is rounding when t is large."""
        parts = [evaluate(weights, self.limit.reference) for weights in run.weights]
        inside, log_tail = torch.tensor([(x.in_support, x.log_tail) for x in parts], dtype=torch.float64).T
        early = run.log_elapsed.clamp(max=-math.log(torch.finfo(torch.float64).eps))
        off = (log_tail + run.log_elapsed).exp()
        scaled: Tensor = torch.where(run.log_elapsed > early, 0.0, inside * early.exp()) + off
        return scaled

    def summary(self) -> str:
        """The laws in words, a line a check."""
        notes = [comparison.note for comparison in self.comparisons if comparison.note]
        return "\n".join([self.limit.summary(), *(check.line() for check in self.checks), *notes])


def train_frozen(
    data: NTPDataset,
    head: ArrayLike | Tensor,
    *,
    steps: int = 10_000,
    log_time: float = 100.0,
    tol: float = 1e-6,
    progress: bool = False,
) -> FrozenTraining:
    """Go on with the head alone: gradient descent and gradient flow from it, against the limit of the features.

    Parameters
    ----------
    data : NTPDataset
        Of the model's features (`exact_features`, `features_dataset`, `AlongTraining.data`), separable.
    head : Tensor (V, d)
        The decoder to start from: the model's own (`head_weights`, `AlongTraining.decoders`).
    steps : int
        Of gradient descent, 1 or more, with steps of one over the smoothness bound.
    log_time : float
        Natural logarithm of the time to which the flow goes, further than the descent. The work of one of its steps,
        of which it makes tens, grows with ``((V - 1) rank(H))^3``.
    tol : float
        Of the flow, see `ntp_theory.flow`.
    progress : bool
        Show progress and the time left on a terminal.

    Returns
    -------
    FrozenTraining

    Raises
    ------
    UsageError
        If no off-support token can be driven to zero probability, so that there is no direction; or an argument is out
        of range.
    SolverError
        If the limit could not be computed.

    Notes
    -----
    Source: 2402.18551 Theorem 2 (`bias/theorem-2`), `bias/sharp-gd-loss`, `bias/sharp-gd-direction`. Descent alone does
    not show the laws: multipliers that are small fade like small powers of the number of steps, and the direction
    like one over its logarithm. The flow obeys the same laws, and gets there.

    Examples
    --------
    >>> data = NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    >>> found = train_frozen(data, torch.ones(3, 2), steps=100)
    >>> all(check.holds for check in found.checks), f"{float(found.loss_ratio[-1]):.4f}"
    (True, '1.0000')
    """
    whole("steps", steps, at_least=1)
    positive("log_time", log_time)
    limit = predict(as_dataset("data", data))
    if limit.direction is None:
        raise UsageError("data has no off-support token that can be driven to zero probability, so there is no W_mm")
    descent = descend(data, steps=steps, init=head, progress=progress)
    # at the times of the descent too, so that one can be laid over the other
    shared = descent.log_elapsed.tolist()
    if shared[-1] >= log_time:
        raise UsageError(f"log_time is {log_time!r}; it must be above that of {steps} steps, {shared[-1]:.6g}")
    later = [log_time * i / PARTS for i in range(1, PARTS + 1)]
    path = flow(data, log_time=log_time, init=head, record=[*shared, *later], tol=tol, progress=progress)
    return FrozenTraining(limit, descent, path, tol)
