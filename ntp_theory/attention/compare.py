"""`compare`: a run against the limit that was predicted for it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..checks import Check, Evidence
from ..errors import UsageError
from .limit import PartitionLimit
from .runs import PartitionRun

__all__ = ["compare"]

# What is asked of laws at least, where their predicted corrections are smaller.
SLOPE = 0.01
# A tolerance this large would let anything pass: such a law is not read.
VAGUE = 0.5
# The share of the loss constant that errors of a finite part are compared with at least.
SMALL = 1e-3
# What ten steps of integration to 1e-9 may leave of a position, relative.
INTEGRATED = 1e-8
# A flow shows its finite part this much before it is settled, where integration leaves several digits of it.
EARLIER = math.log(1e3)
# Exponents are cut here: what is that large is vague.
CAPPED = 50.0
# How much before b, in log t, bounds on the start are tried.
EARLIEST = 40
# Of a product of a step and L that is 1.
ROUNDING = 1e-12
LABEL, SOURCE = "attention/graph-svm", "2403.08081; constants derived"


def compare(run: PartitionRun, limit: PartitionLimit) -> list[Check]:
    """Hold a run of `descend` or `flow` against its prediction.

    Parameters
    ----------
    run : PartitionRun
    limit : PartitionLimit
        Of the same loss.

    Returns
    -------
    list of Check
        - If steps are at most 1 / L: the loss at the last time, below ``f(Z) + ||Z||^2 / 2t`` for ``Z = W_fin + W_svm
          log t`` (certified for gradient descent, measured for a flow, which is integrated).
        - Where something diverges: the slope in log t of the norm (flow) or of the part along W_svm (descent, too
          early for norms) over the last quarter of the recorded times, and, if all active multipliers are positive,
          ``t`` times the loss off the supports.
        - The finite part at the last time before it is settled: ``t (P_F W - W_fin)`` against its limit where something
          diverges.

    Raises
    ------
    UsageError
        If they are of different losses, or the run has fewer than 8 times.

    Notes
    -----
    Multipliers at time t are off by ``C e^(-r (log t - b))`` at most: r is the `Multipliers.rate` or how far the margin
    of the nearest inactive constraint is above 1, b the log t at which the predicted W first points along W_svm. In log
    time ``u = W - W_svm log t`` follows minus the gradient of a convex sum of exponentials, whose curvature at a
    distance D from its minimiser is ``r e^(-N D)`` at least, N the length of the longest normal; so ``e^(N D) - 1``
    falls at the rate r at least, and C is the least that this says by its value at a time t up to e^b, where W is
    within ``t ||grad f(0)||`` of 0 still. The finite part forgets its start likewise, at its least curvature. These are
    the tolerance of whatever is linear in multipliers, with terms of order log t / t on top and 1% at least at times
    that steps can reach. A law whose tolerance would not be below 1/2 is not read: short runs have fewer checks.

    Source: 2403.08081 (`attention/graph-svm`); ours (`bias/sharp-gd-loss`, `bias/sharp-gd-finite`).

    Examples
    --------
    >>> from ntp_theory.attention import TokenSequences, flow, predict
    >>> data = TokenSequences([[0, 1, 2], [1, 0, 2], [1, 0, 2]], [0, 1, 1])
    >>> checks = compare(flow(data, log_time=1000.0), predict(data))
    >>> all(check.holds for check in checks), checks[1].statement
    (True, 'd||W|| / d log t at log t = 1000')
    """
    if not isinstance(run, PartitionRun) or not isinstance(limit, PartitionLimit):
        raise UsageError(f"run is {run!r} and limit {limit!r}; they must be a PartitionRun and a PartitionLimit")
    limit.check_fits(run.loss)
    if len(run.log_times) < 8:
        raise UsageError(f"run has {len(run.log_times)} recorded times; it must have at least 8")
    checks = [_bound(run, limit)] if run.step_size * run.loss.smoothness <= 1 + ROUNDING else []
    if limit.diverges:
        checks.append(_slope(run, limit))
        if limit.multipliers.positive:
            checks.append(_tail(run, limit))
    if limit.basis.shape[1] and (not limit.diverges or limit.multipliers.positive):
        checks.append(_finite(run, limit))
    return [check for check in checks if check.tolerance < VAGUE]


def _bound(run: PartitionRun, limit: PartitionLimit) -> Check:
    s = float(run.log_times[-1])
    ideal = limit.finite + max(s, 0.0) * limit.direction
    # squares of norms over 2t, and tails, as numbers near 1e-16 of the loss are rounding
    most = max(0.0, limit.loss.value(ideal) - limit.infimum) + float(ideal.square().sum()) / 2 * math.exp(-s)
    words = "f - inf f at the last time, by descent and convexity"
    excess, rounding = (
        float(run.values[-1]) - limit.infimum,
        1e-13 * (1 + abs(limit.infimum) + float(ideal.abs().max())),
    )
    evidence: Evidence = "certified" if run.step_size else "measured"
    return Check.at_most(LABEL, most, excess, slack=rounding, evidence=evidence, source=SOURCE, statement=words)


def _slope(run: PartitionRun, limit: PartitionLimit) -> Check:
    last, quarter = len(run.log_times) - 1, 3 * len(run.log_times) // 4
    s = float(run.log_times[-1])
    if math.isfinite(run.settled):
        sizes, first, words = run.norms, last - 1, f"d||W|| / d log t at log t = {s:.6g}"
    else:
        sizes, first = run.weights @ limit.direction / limit.norm, quarter
        words = f"slope in log t of the part along W_svm, up to log t = {s:.3g}"
    slope = float((sizes[last] - sizes[first]) / (run.log_times[last] - run.log_times[first]))
    begun, tolerance = float(run.log_times[first]), SLOPE + _slow(run, limit, float(run.log_times[first]))
    if math.isfinite(run.settled):  # the norm grows by the cosine of W with W_svm
        along = limit.norm * max(0.0, begun - _begin(limit))
        across = float((limit.offset + _begin(limit) * limit.direction).norm())
        tolerance += 1.0 - along / math.hypot(along, across) if along else 1.0
    if not limit.multipliers.positive:  # multipliers of 0 fade like 1 / log t, and change this slope by its square
        tolerance += 1.0 / max(1.0, begun - _begin(limit))
    return Check.close(
        LABEL, limit.norm, slope, tolerance=tolerance, evidence="measured", source=SOURCE, statement=words
    )


def _tail(run: PartitionRun, limit: PartitionLimit) -> Check:
    s = float(run.log_times[-1])
    found = math.exp(s + float(run.log_tails(limit.support)[-1]))
    return Check.close(
        LABEL,
        limit.loss_constant,
        found,
        tolerance=1e-6 + _slow(run, limit, s) if math.isfinite(run.settled) else max(SLOPE, _slow(run, limit, s)),
        evidence="measured",
        source=SOURCE,
        statement=f"t (loss off the supports) at log t = {s:.6g}",
    )


def _finite(run: PartitionRun, limit: PartitionLimit) -> Check:
    early = (run.log_times < run.settled - EARLIER).nonzero().flatten()
    at = int(early[-1])
    s, off = float(run.log_times[at]), limit.inside(run.weights[at]) - limit.finite
    if not limit.diverges:
        # strong convexity along the way is not known beforehand: the error shrinks at least to what (f - f*) allows
        gap = float(limit.finite.square().sum()) / 2 * math.exp(-s)
        most = 2 * math.sqrt(gap / _weakest(limit))
        words = f"||W - W_fin|| at log t = {s:.3g}"
        slack = INTEGRATED * (1 + float(limit.finite.norm()))
        return Check.at_most(
            LABEL, most, float(off.norm()), slack=slack, evidence="measured", source=SOURCE, statement=words
        )
    wanted, scaled = limit.finite_constant(), math.exp(s) * off
    size = float(wanted.norm())
    # single multipliers are off by their rates, and what they add may nearly cancel; where they add nothing to F there
    # is the error of integration, 1e-9 times t
    scale = max(limit.finite_scale(), SMALL * limit.loss_constant)
    error = float((scaled - wanted).norm()) / scale
    # and what is left of the start
    tolerance = max(SLOPE, _slow(run, limit, s)) + math.exp(s) / scale * _start(limit, s)
    words = f"t (P_F W - W_fin) along its limit, error of the whole vector, at log t = {s:.3g}"
    along = float(scaled @ wanted) / size if size else float(scaled.norm())
    return Check(LABEL, size, along, error, tolerance, error <= tolerance, "measured", SOURCE, 0.0, words)


def _slow(run: PartitionRun, limit: PartitionLimit, log_time: float) -> float:
    """How far multipliers may be from their limits, relative: ``C e^(-r (log t - b))``, F, terms of second order."""
    multipliers, longest = limit.multipliers, _longest(limit)
    zero = torch.zeros(limit.loss.dim, dtype=torch.float64)
    times = torch.linspace(-EARLIEST, 0.0, 4 * EARLIEST + 1, dtype=torch.float64) + min(_begin(limit), CAPPED)
    moved = times.exp() * limit.loss.gradient(zero).norm()
    apart = longest * ((multipliers.offset + times[:, None] * limit.direction).norm(dim=1) + moved)
    # inactive constraints have all mass at most, t of it in units of the multipliers
    apart = apart + (times - math.log(limit.loss_constant)).clamp(min=0.0)
    rate = min(1.0, multipliers.rate, multipliers.distance)
    slow = _grown(apart, rate * (log_time - times)) + longest * _start(limit, log_time)
    scale = 1 + limit.finite_scale() + limit.loss_constant + run.step_size
    return slow + scale * abs(log_time) * math.exp(-log_time)


def _start(limit: PartitionLimit, log_time: float) -> float:
    """What P_F W still has of its start, a bound on its length."""
    if not limit.basis.shape[1]:
        return 0.0
    longest, time = _longest(limit), _weakest(limit) * math.exp(min(log_time, CAPPED))
    return _grown(longest * limit.finite.norm(), torch.tensor(time)) / longest


def _grown(distance: Tensor, time: Tensor) -> float:
    """The least of ``(e^distance - 1) e^-time``, without overflow."""
    return float((-torch.expm1(-distance) * (distance - time).clamp(max=CAPPED).exp()).min())


def _begin(limit: PartitionLimit) -> float:
    """log t at which the predicted W first points along W_svm."""
    return -float(limit.offset @ limit.direction) / limit.loss_constant


def _longest(limit: PartitionLimit) -> float:
    """N, the longest difference of the features of two choices of an input."""
    choices = limit.loss.choices
    pairs = choices[:, :, None] & choices[:, None, :]
    return float(torch.where(pairs, torch.cdist(limit.loss.features, limit.loss.features), 0.0).max())


def _weakest(limit: PartitionLimit) -> float:
    """Least curvature on F at W_fin."""
    cut = limit.loss.restricted(limit.support)
    return float(torch.linalg.eigvalsh(limit.basis.T @ cut.hessian(limit.finite) @ limit.basis)[0])
