"""`compare`: a run held against the prediction, law by law.

Every tolerance is twice a correction that the data and the starting point predict:

- burn-in: laws in k set in after ``k_0 = Limit.burn_in / eta``; the first correction is ``k_0 log(k) / k``;
- slow modes: what the linearised multipliers have not forgotten by step k, with mean square sigma^2
  (`ActiveConstraints.spread`): ``sigma^2 / 2`` in the loss constant, ``sigma`` in the finite part;
- near-active constraints: an inactive constraint of margin 1 + delta under W_mm keeps a share of the off-support mass
  that fades only like ``k^-delta`` from its value at the start.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from . import loss
from .checks import Check
from .descent import Trajectory, smoothness_bound
from .errors import UsageError
from .finite_part import InSupportLoss
from .predict import Limit
from .subspace import data_subspace

__all__ = ["Comparison", "compare"]

# Laws are read only this far past the burn-in, over the last decade of steps.
SETTLED = 100.0
# A tolerance this large would let anything pass.
VAGUE = 0.5
# How far the prediction may be from its own equations: solvers stop at 1e-12, of the gradient and of the squared
# distance to W_mm; ill-conditioned data costs some digits.
STATIONARY, CERTIFIED = 1e-8, 1e-4


@dataclass(frozen=True)
class Comparison:
    """Outcome of `compare`.

    Attributes
    ----------
    checks : list of Check
    note : str
        Which laws were not read, and why; empty if all were.
    """

    checks: list[Check]
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)

    def summary(self) -> str:
        """One line a check, then the note."""
        return "\n".join([check.line() for check in self.checks] + ([self.note] if self.note else []))


def compare(trajectory: Trajectory, limit: Limit) -> Comparison:
    """Hold a gradient descent run against the limit predicted for its data.

    Parameters
    ----------
    trajectory : Trajectory
        A run of "gd" on the data of ``limit``.
    limit : Limit

    Returns
    -------
    Comparison
        The prediction's own certificates; certified inequalities at every recorded step; asymptotic laws at the
        last one, if the run is long enough.

    Raises
    ------
    UsageError
        If the run used another method or other data than the prediction.

    Notes
    -----
    Source: 2402.18551 Theorem 2 (`bias/theorem-2`); laws ours (`bias/sharp-gd-loss`, `bias/sharp-gd-norm`,
    `bias/sharp-gd-finite`, `bias/offset`, `bias/direction-certificate`).

    Examples
    --------
    >>> from ntp_theory import NTPDataset, descend, predict
    >>> data = NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    >>> compare(descend(data, steps=10_000), predict(data)).holds
    True
    """
    if trajectory.method != "gd":
        raise UsageError(f"trajectory.method is {trajectory.method!r}; predictions are for 'gd'")
    same = trajectory.data is limit.data or (
        torch.equal(trajectory.data.embeddings, limit.data.embeddings)
        and torch.equal(trajectory.data.joint, limit.data.joint)
        and torch.equal(trajectory.data.pattern.tokens, limit.data.pattern.tokens)
        and torch.equal(trajectory.data.pattern.contexts, limit.data.pattern.contexts)
    )
    if not same:
        raise UsageError("trajectory and limit are of different data")
    run = _Run(trajectory, limit)
    checks = _certificates(limit) + run.inequalities()
    if limit.direction is None:
        return Comparison(checks + [run.convergence()])
    last, needed = run.steps[-1], SETTLED * run.burn_in
    if last < needed:
        return Comparison(
            checks,
            f"asymptotic laws not read: the data predicts that they set in well after step {run.burn_in:.3g}; "
            f"run at least {math.ceil(needed)} steps (this run has {last})",
        )
    if run.decade is None or run.half is None:
        near = f"{last / 10:g} or {last / 2:g}"
        return Comparison(checks, f"asymptotic laws not read: no record near step {near} to take slopes from")
    laws = run.laws()
    vague = [law.label for law in laws if law.tolerance >= VAGUE]
    note = f"not read, for the predicted corrections are still too large: {', '.join(vague)}" if vague else ""
    return Comparison(checks + [law for law in laws if law.tolerance < VAGUE], note)


def _certificates(limit: Limit) -> list[Check]:
    """The prediction's own proofs, recomputed: a run can tell W_mm from its neighbours only to 1 / log k."""
    data, weights = limit.data, limit.data.weights
    gradient = InSupportLoss(data, limit.reference.pattern).gradient(limit.finite)
    scale = float((weights * data.embeddings.norm(dim=1)).sum())
    checks = [
        Check.at_most(
            "bias/any-data",
            bound=0.0,
            computed=float(gradient.norm()) / scale if scale else 0.0,
            slack=STATIONARY,
            evidence="certified",
            source="2402.18551 Lemma 4; derived (D3)",
            statement="gradient of the in-support loss at W*, relative to sum_j pi_j ||h_j||",
        )
    ]
    if limit.direction is not None:
        solution = replace(limit.svm, direction=limit.direction, duals=limit.duals, support_duals=None)
        checks.append(
            Check.at_most(
                "bias/definition-3",
                bound=0.0,
                computed=solution.distance_bound() / solution.norm,
                slack=CERTIFIED,
                evidence="certified",
                source="2402.18551 Definition 3",
                statement="distance of the predicted direction from W_mm, certified by the multipliers, relative",
            )
        )
    return checks


class _Run:
    """Measured quantities of a trajectory."""

    def __init__(self, trajectory: Trajectory, limit: Limit) -> None:
        self.trajectory, self.limit, self.data = trajectory, limit, limit.data
        self.steps = [int(k) for k in np.asarray(trajectory.times)]
        self.eta = float(trajectory.step_size)
        self.burn_in = limit.burn_in / self.eta if limit.direction is not None else 0.0
        self.decade, self.half = self._earlier(10), self._earlier(2)

    def _earlier(self, factor: int) -> int | None:
        """The last record at least this factor before the last one, if it is not more than twice that."""
        last = self.steps[-1]
        found = [i for i, k in enumerate(self.steps) if last / (2 * factor) <= k <= last / factor and k > 0]
        return found[-1] if found else None

    def inequalities(self) -> list[Check]:
        """What must hold at every recorded step."""
        weights, limit = self.trajectory.weights, self.limit
        excess = min(loss.evaluate(w, limit.reference).gap for w in weights)
        checks = [
            Check.at_most(
                "bias/entropy-floor",
                bound=0.0,
                computed=-excess,
                evidence="certified",
                source="2402.18551 Sec. 2; derived (D3)",
                statement="inf CE - CE(W_k), largest over the records",
            )
        ]
        if self.eta <= 1.0 / smoothness_bound(self.data):
            gaps = torch.as_tensor(self.trajectory.gap, dtype=torch.float64)
            rises = float((gaps[1:] - gaps[:-1]).max()) if len(gaps) > 1 else 0.0
            checks.append(
                Check.at_most(
                    "bias/lemma-2",
                    bound=0.0,
                    computed=rises,
                    slack=1e-14 * float(gaps[0]),
                    evidence="certified",
                    source="2402.18551 Lemma 2",
                    statement="largest rise of the loss between records, eta <= 1/L",
                )
            )
        if limit.direction is not None:
            checks.append(self._direction_certificate(limit.direction))
        return checks

    def _direction_certificate(self, direction: Tensor) -> Check:
        subspace, pattern, h = data_subspace(self.limit.reference), self.limit.reference.pattern, self.data.embeddings
        worst = -math.inf
        for w in self.trajectory.weights:
            part = subspace.project_complement(w)
            margin = float(pattern.margins(h @ part.T).min())
            if margin > 0:
                worst = max(worst, margin / float(part.norm()) / self.limit.margin - _cos(part, direction))
        return Check.at_most(
            "bias/direction-certificate",
            bound=0.0,
            computed=max(worst, -1.0),
            slack=2 * self.limit.svm.distance_bound() / self.limit.svm.norm,
            evidence="certified",
            source="derived (D5)",
            statement="normalised margin - cos(P_perp W_k, W_mm), largest over the records",
        )

    def convergence(self) -> Check:
        """Finite case: the distance to the minimiser has shrunk since the first record."""
        subspace = data_subspace(self.limit.reference)
        first, last = (
            float((subspace.project(self.trajectory.weights[i]) - self.limit.finite).norm()) for i in (0, -1)
        )
        return Check.at_most(
            "bias/any-data",
            bound=first,
            computed=last,
            evidence="measured",
            source="derived (D3 d)",
            statement="||P_F W_k - W*|| at the last record against the first",
        )

    def laws(self) -> list[Check]:
        """Asymptotic laws, read at the last record and over the last decade of steps."""
        limit, eta, k, w_mm = self.limit, self.eta, self.steps[-1], self.limit.direction
        assert w_mm is not None and self.decade is not None and self.half is not None
        k0, before = self.steps[self.decade], self.trajectory.weights[self.decade]
        k1, near = self.steps[self.half], self.trajectory.weights[self.half]
        after = self.trajectory.weights[-1]
        spread, late = self._corrections(w_mm, k)
        spread_near, late_near = self._corrections(w_mm, k1)
        excess = loss.evaluate(after, limit.reference).gap
        along = float((after * w_mm).sum()) / limit.loss_constant - math.log(eta * k)
        checks = [
            Check.close(
                "bias/sharp-gd-loss",
                limit.loss_constant,
                eta * k * excess,
                tolerance=spread + 2 * late,
                evidence="measured",
                source="derived (D4.1)",
                statement=f"eta k (CE - inf CE) at k = {k} against ||W_mm||^2",
            ),
            Check.close(
                "bias/offset",
                limit.mean_offset,
                along,
                relative=False,
                tolerance=spread * math.log(k) + 2 * late,  # the error of the loss constant, summed over log k
                evidence="measured",
                source="derived",
                statement="<W_k, W_mm>/||W_mm||^2 - log(eta k), nats",
            ),
            Check.close(
                "bias/sharp-gd-norm",
                limit.svm.norm,
                float(after.norm() - near.norm()) / math.log(k / k1),
                tolerance=1.0 / math.log(k) + spread_near + 2 * late_near,
                evidence="measured",
                source="derived (D4.2)",
                statement=f"slope of ||W_k|| in log k from {k1} to {k}; off by the angle, O(1/log k)",
            ),
            Check.close(
                "bias/theorem-2",
                1.0,
                _cos(after - before, w_mm),
                tolerance=1.0 / math.log(k),
                evidence="measured",
                source="2402.18551 Theorem 2",
                statement=f"cos(W_{k} - W_{k0}, W_mm): the increment has no offset to outgrow",
            ),
        ]
        if data_subspace(self.limit.reference).dim and float(limit.finite_constant.norm()) > 0:
            checks.append(self._finite(after, k, 2 * (math.sqrt(spread) + late)))
        return checks

    def _corrections(self, w_mm: Tensor, k: int) -> tuple[float, float]:
        """Predicted sigma^2 of the slow modes, and burn-in plus near-active share, at step k."""
        limit, h, start = self.limit, self.data.embeddings, self.trajectory.weights[0]
        logits = h @ w_mm.T
        pattern = limit.reference.pattern
        slack = pattern.min(pattern.inside(logits))[:, None] - logits - 1.0
        inactive = ~limit.support & (limit.duals == 0)
        mass = (torch.softmax(h @ start.T, 1) * self.data.weights[:, None])[inactive]
        fading = mass * float(k) ** -slack[inactive].clamp(min=0.0)
        near_active = self.eta * float(fading.sum()) / limit.loss_constant
        spread = limit.active.spread(start, self.eta, k)
        return spread, self.burn_in * math.log(k) / k + near_active

    def _finite(self, weights: Tensor, k: int, tolerance: float) -> Check:
        distance = float((data_subspace(self.limit.reference).project(weights) - self.limit.finite).norm())
        return Check.close(
            "bias/sharp-gd-finite",
            float(self.limit.finite_constant.norm()),
            self.eta * k * distance,
            tolerance=tolerance,
            evidence="measured",
            source="derived (D4.3)",
            statement=f"eta k ||P_F W_k - W*|| at k = {k}",
        )


def _cos(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum() / (a.norm() * b.norm()))
