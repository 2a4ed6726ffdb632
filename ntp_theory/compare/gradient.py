"""Laws of methods that follow the gradient flow: gradient descent, and what moves like it.

They are laws in the time t = sum of the step sizes, which is eta k for a constant one. Every tolerance is twice a
correction that the data and the starting point predict:

- burn-in: the laws set in after ``t_0 = Limit.burn_in``; the first correction is ``t_0 log(t) / t``;
- slow modes: what the linearised multipliers have not forgotten by time t, with mean square sigma^2
  (`ActiveConstraints.spread`): ``sigma^2 / 2`` in the loss constant, ``sigma`` in the finite part;
- finite steps: the last one relative to the time;
- near-active constraints: an inactive constraint of margin 1 + delta under W_mm keeps a share of the off-support mass
  that fades only like ``t^-delta`` from its value at the start.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .. import loss
from ..checks import Check
from ..descent import Trajectory
from ..predict import Limit
from ..subspace import data_subspace
from .comparison import Comparison
from .inequalities import cosine

__all__ = ["SETTLED", "VAGUE", "earlier", "gradient_laws", "readable"]

# Laws are read only this far past the burn-in, over the last decade of time.
SETTLED = 100.0
# Further ahead of the flow than this, in log time, a heavy ball still rolls by itself.
AHEAD = 1.0
# A tolerance this large would let anything pass.
VAGUE = 0.5


def gradient_laws(run: Trajectory, limit: Limit) -> Comparison:
    """The sharp laws of gradient descent, at the last record and over the last decade of time."""
    if limit.direction is None:
        return Comparison([_convergence(run, limit)])
    if run.method == "sgd" and not limit.compatibility.compatible:
        return Comparison([], "no law read: on data that is not compatible the noise of sampled contexts does not fade")
    last, needed = float(run.log_elapsed[-1]), math.log(SETTLED * limit.burn_in)
    if last < needed:
        more = f"{math.ceil(math.exp(needed - last) * int(run.times[-1]))} steps" if last > -math.inf else "longer"
        return Comparison(
            [],
            f"asymptotic laws not read: the data predicts that they set in well after time {limit.burn_in:.3g}; "
            f"run at least {more} (this run has {int(run.times[-1])})",
        )
    decade, half = earlier(run, 10.0), earlier(run, 2.0)
    if decade is None or half is None:
        return Comparison(
            [], "asymptotic laws not read: no record near a tenth or a half of the time to take slopes from"
        )
    laws = _Laws(run, limit, limit.direction, decade, half)
    if run.method == "momentum" and laws.ahead(decade) > AHEAD:
        return Comparison(
            [],
            f"asymptotic laws not read: a tenth of the run ago the decoder was {laws.ahead(decade):.3g} nats ahead of "
            "gradient flow, on the momentum of its first steps; run longer, or with less momentum",
        )
    return readable(laws.read())


def readable(laws: list[Check], observed: dict[str, float] | None = None) -> Comparison:
    """Those of the laws whose tolerance says something; the note names the others."""
    vague = [law.label for law in laws if law.tolerance >= VAGUE]
    note = f"not read, for the predicted corrections are still too large: {', '.join(vague)}" if vague else ""
    return Comparison([law for law in laws if law.tolerance < VAGUE], note, observed or {})


def earlier(run: Trajectory, factor: float) -> int | None:
    """The last record at least this factor of time before the last one, if it is not more than twice that."""
    ago = run.log_elapsed[-1] - run.log_elapsed
    found = ((ago >= math.log(factor) - 1e-9) & (ago <= math.log(2 * factor) + 1e-9)).nonzero()[:, 0]
    return int(found[-1]) if len(found) else None


def _convergence(run: Trajectory, limit: Limit) -> Check:
    """Finite case: the distance to the minimiser has shrunk since the first record."""
    subspace = data_subspace(limit.reference)
    first, last = (float((subspace.project(run.weights[i]) - limit.finite).norm()) for i in (0, -1))
    return Check.at_most(
        "bias/any-data",
        bound=first,
        computed=last,
        evidence="measured",
        source="derived (D3 d)",
        statement="||P_F W_k - W*|| at the last record against the first",
    )


class _Laws:
    """Measured quantities of a trajectory, with the corrections that are predicted for them."""

    def __init__(self, run: Trajectory, limit: Limit, w_mm: Tensor, decade: int, half: int) -> None:
        self.run, self.limit, self.w_mm, self.decade, self.half = run, limit, w_mm, decade, half

    def ahead(self, record: int) -> float:
        """How far the decoder at a record is past where gradient flow would be, in log time."""
        along = float((self.run.weights[record] * self.w_mm).sum()) / self.limit.loss_constant
        return along - float(self.run.log_elapsed[record]) - self.limit.mean_offset

    def read(self) -> list[Check]:
        limit, run, w_mm = self.limit, self.run, self.w_mm
        t, k = float(run.log_elapsed[-1]), int(run.times[-1])
        k0, before = int(run.times[self.decade]), run.weights[self.decade]
        k1, near = int(run.times[self.half]), run.weights[self.half]
        after, between = run.weights[-1], t - float(run.log_elapsed[self.half])
        spread, late = self._corrections(-1)
        spread_near, late_near = self._corrections(self.half)
        excess = loss.evaluate(after, limit.reference)
        scaled = math.exp(t) * excess.in_support + math.exp(t + excess.log_tail)
        checks = [
            Check.close(
                "bias/sharp-gd-loss",
                limit.loss_constant,
                scaled,
                tolerance=spread + 2 * late,
                evidence="measured",
                source="derived (D4.1)",
                statement=f"eta k (CE - inf CE) at k = {k} against ||W_mm||^2",
            ),
            Check.close(
                "bias/offset",
                limit.mean_offset,
                limit.mean_offset + self.ahead(-1),
                relative=False,
                tolerance=spread * math.log(k) + 2 * late,  # the error of the loss constant, summed over log t
                evidence="measured",
                source="derived",
                statement="<W_k, W_mm>/||W_mm||^2 - log(eta k), nats",
            ),
            Check.close(
                "bias/sharp-gd-norm",
                limit.svm.norm,
                float(after.norm() - near.norm()) / between,
                tolerance=1.0 / math.log(k) + spread_near + 2 * late_near,
                evidence="measured",
                source="derived (D4.2)",
                statement=f"slope of ||W_k|| in log k from {k1} to {k}; off by the angle, O(1/log k)",
            ),
            Check.close(
                "bias/theorem-2",
                1.0,
                cosine(after - before, w_mm),
                tolerance=1.0 / math.log(k),
                evidence="measured",
                source="2402.18551 Theorem 2",
                statement=f"cos(W_{k} - W_{k0}, W_mm): the increment has no offset to outgrow",
            ),
        ]
        moves = data_subspace(limit.reference).dim and float(limit.finite_constant.norm()) > 0
        if moves and run.step_size * limit.curvature < 1:  # longer steps swing on F
            checks.append(self._finite(after, t, k, 2 * (math.sqrt(spread) + late)))
        return checks

    def _corrections(self, record: int) -> tuple[float, float]:
        """Predicted sigma^2 of the slow modes, and burn-in plus near-active share, at a record."""
        limit, h, start = self.limit, self.limit.data.embeddings, self.run.weights[0]
        t = float(self.run.log_elapsed[record])
        eta = math.exp(float(self.run.log_elapsed[1])) / float(self.run.times[1])  # of the first steps
        k = math.exp(t) / eta
        logits, pattern = h @ self.w_mm.T, limit.reference.pattern
        slack = pattern.min(pattern.inside(logits))[:, None] - logits - 1.0
        inactive = ~limit.support & (limit.duals == 0)
        mass = (torch.softmax(h @ start.T, 1) * limit.data.weights[:, None])[inactive]
        fading = mass * k ** -slack[inactive].clamp(min=0.0)
        near_active = eta * float(fading.sum()) / limit.loss_constant
        spread = limit.active.spread(start, eta, k)
        # steps are not infinitely short beside the time that has passed; Nesterov's time is a sum to 1/k
        coarse = self.run.step_size * math.exp(-t) * math.log(k)
        if self.run.method == "nesterov":
            coarse = 2.0 / float(self.run.times[record])
        return spread, limit.burn_in * math.exp(-t) * math.log(k) + near_active + coarse

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
