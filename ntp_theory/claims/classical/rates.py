"""Rates of the classical papers on one calibrated set of one-hot data, where constants are known too."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from ...checks import Check
from ...construct import random
from ...dataset import NTPDataset
from ...descent import NormalisedGradientDescent, Trajectory, descend, flow
from ...paths import regularization_path
from ...predict import Limit, predict
from ...subspace import data_subspace
from ..bias import definitions as define
from ..bias.shared import read
from ..registry import at_most, claim, close, shared

STEPS = 2000


@shared
def _limit() -> Limit:
    """Six one-hot contexts of equal weight, four tokens, eight dimensions; the slowest mode has rate 0.31."""
    return predict(random(vocab_size=4, dim=8, num_contexts=6, support_size=1, rng=3))


@shared
def _flow() -> Trajectory:
    """Gradient flow from zero to t = e^10000."""
    return flow(_limit().data, log_time=1e4, record=[1e1, 1e2, 1e3, 1e4])


def _gap(weights: Tensor, limit: Limit) -> float:
    """1 - margin / (gamma ||W||)."""
    return 1 - define.smallest_margin(weights, limit.data) / (limit.margin * float(weights.norm()))


def _distance(weights: Tensor, direction: Tensor) -> float:
    """Of the directions of two matrices."""
    return float((weights / weights.norm() - direction / direction.norm()).norm())


@claim("classical/soudry", source="1710.10345", evidence="measured")
def soudry() -> Iterator[Check]:
    """On separable one-hot data w = W_mm log t + O(1): loss ~ 1/t, norm ~ log t, margin gap ~ 1/log t, angle ~ 1/log t.

    Gradient descent for 20,000 steps: loss constant, slope of the norm and increment. Gradient flow to t =
    e^10000: dW/dlog t, 1 - cos over 1/log^2 t, and the margin gap over 1/log t at 10^4 against 10^3.
    """
    limit = _limit()
    run = descend(limit.data, steps=20_000)
    for label in ("bias/sharp-gd-loss", "bias/sharp-gd-norm", "bias/theorem-2"):
        yield from read(run, limit, label)
    for label in ("bias/log-time-flow", "bias/sharp-gd-direction"):
        yield from read(_flow(), limit, label)
    times = [s + limit.mean_offset for s in _flow().log_times.tolist()]
    scaled = [s * _gap(w, limit) for s, w in zip(times, _flow().weights, strict=True)]
    yield close(
        limit.active.lag(),
        scaled[-1],
        # cosines and the next order of 1/log t, each of the size of the offset over log t
        tolerance=2 * (limit.active.lag() + math.sqrt(2 * limit.angle_bound) ** 2) / times[-1] + 1e-3,
        evidence="measured",
        statement="log t (1 - relative margin) at log t = 10^4",
    )
    yield close(
        scaled[-2],
        scaled[-1],
        tolerance=20 / times[-2],
        evidence="measured",
        statement="the same, against log t = 10^3",
    )


@claim("classical/ji-telgarsky", source="1803.07300", evidence="measured")
def ji_telgarsky() -> Iterator[Check]:
    """On binary data of any kind the direction is O(log log t / log t) off, and the finite part O(log^2 t / sqrt t).

    Two tokens, three contexts: both follow two of them, so that part of the decoder is finite, and one the third.
    Gradient flow: both errors over these bounds, at log t = 10, 20, 30, and for the direction 100 and 1000, do not
    grow.
    """
    # both tokens follow (1, 0) and (2, 0), in proportions that no decoder meets; one follows (1, 1)
    data = NTPDataset.from_counts([[1.0, 0.0], [2.0, 0.0], [1.0, 1.0]], [[3, 1], [1, 1], [4, 0]])
    limit = predict(data)
    assert limit.direction is not None
    run = flow(data, log_time=1e3, record=[10.0, 20.0, 30.0, 100.0, 1000.0])
    space = data_subspace(limit.reference)
    turned, finite = [], []
    for s, weights in zip(run.log_times.tolist(), run.weights, strict=True):
        turned.append(_distance(weights, limit.direction) * s / math.log(s))
        away = float((space.project(weights) - limit.finite).norm())
        finite.append(math.log(max(away, 1e-14)) + s / 2 - 2 * math.log(s) if s <= 30 else -math.inf)
    yield at_most(
        turned[0], max(turned[1:]), evidence="measured", statement="direction over log log t / log t, largest later"
    )
    yield at_most(
        finite[0], max(finite[1:]), evidence="measured", statement="log of the finite part over log^2 t / sqrt t"
    )


@claim("classical/nacson", source="1803.01905", evidence="measured")
def nacson() -> Iterator[Check]:
    """Normalised descent closes the margin as 1/k with constant steps, within log k / sqrt k with eta_k ~ k^-1/2.

    2000 steps on one-hot data: the predicted limit of eta k gap; with decaying steps the gap over its bound does not
    grow; plain descent is at 1/log k, far behind.
    """
    limit = _limit()
    constant = descend(limit.data, "ngd", steps=STEPS)
    yield from read(constant, limit, "classical/nacson")
    # the first step moves no logit by more than 1 nat
    first = 1 / float(limit.data.embeddings.norm(dim=1).max())
    decayed = descend(limit.data, NormalisedGradientDescent(first, decay=0.5), steps=STEPS, record=[STEPS // 4, STEPS])
    before, after = (
        _gap(w, limit) * math.sqrt(k) / math.log(k)
        for w, k in zip(decayed.weights, decayed.times.tolist(), strict=True)
    )
    yield at_most(before, after, evidence="measured", statement="gap over log k / sqrt k, against a quarter of the run")
    yield _behind(decayed.weights[-1], limit, f"decaying steps, k = {STEPS}")
    plain = descend(limit.data, steps=STEPS, record=[STEPS]).weights[0]
    yield at_most(
        _gap(plain, limit),
        _gap(constant.weights[-1], limit),
        evidence="measured",
        statement="margin gap of normalised descent, against plain descent",
    )


@claim("classical/primal-dual", source="1906.04540; constant derived", evidence="measured")
def primal_dual() -> Iterator[Check]:
    """With steps that grow as fast as the loss falls, margin and direction are O(1/k) off.

    2000 steps on one-hot data: the norm grows linearly, and gap times norm is at the constant that the
    offsets of the constraints predict, distance times norm at that of the flow. Constant steps: `classical/soudry`.
    """
    limit = _limit()
    assert limit.direction is not None
    run = descend(limit.data, "growing", steps=STEPS, record=[STEPS // 4, STEPS])
    before, after = (float(w.norm()) for w in run.weights)
    yield _behind(run.weights[-1], limit, f"k = {STEPS}")
    # both norms lag behind the distance gone by about the offset
    tolerance = _correction(run.weights[0], limit)
    yield close(4.0, after / before, tolerance=tolerance, evidence="measured", statement="||W_k|| over ||W_{k/4}||")
    # a reparametrised flow: the same offset, of which inactive constraints have a part
    flowed = _flow().weights[-1]
    yield close(
        _distance(flowed, limit.direction) * float(flowed.norm()),
        _distance(run.weights[-1], limit.direction) * after,
        tolerance=_correction(run.weights[-1], limit),
        evidence="measured",
        statement="||W_k|| times the distance of directions, against that of the flow at t = e^10000",
    )


def _correction(weights: Tensor, limit: Limit) -> float:
    """Relative size of what is left of a limit in 1/||W||: the offset over the norm, and modes that are still slow."""
    norm = float(weights.norm())
    across = limit.svm.norm * (math.sqrt(2 * limit.angle_bound) + abs(limit.mean_offset))
    log_time = norm / limit.svm.norm - limit.mean_offset
    return 2 * across / norm + math.exp(-float(limit.active.rates[0]) * log_time) * (1 + limit.active.lag())


def _behind(weights: Tensor, limit: Limit, which: str) -> Check:
    """``||W|| gap``, whatever the steps: the active constraint with the least offset is behind by a constant."""
    return close(
        limit.margin_gap_constant,
        float(weights.norm()) * _gap(weights, limit),
        tolerance=_correction(weights, limit),
        evidence="measured",
        statement=f"||W_k|| times the relative margin gap, {which}",
    )


@claim("classical/dual-momentum", source="2107.00595", evidence="measured")
def dual_momentum() -> Iterator[Check]:
    """Momentum on the dual closes the margin as log k / k^2, where normalised descent needs 1/k and plain 1/log k.

    One set of one-hot data: the gap over its rate is bounded; after 2000 steps the three gaps are in that order.
    """
    limit = _limit()
    run = descend(limit.data, "dual-momentum", steps=STEPS)
    yield from read(run, limit, "classical/dual-momentum")
    faster = _gap(run.weights[-1], limit)
    for name, words in (("ngd", "normalised"), ("gd", "plain")):
        slower = _gap(descend(limit.data, name, steps=STEPS, record=[STEPS]).weights[0], limit)
        yield at_most(slower, faster, evidence="measured", statement=f"margin gap, against that of {words} descent")
        faster = slower


@claim("classical/path-equals-gd", source="Ji-Dudik-Schapire-Telgarsky COLT 2020", evidence="measured")
def path_equals_gd() -> Iterator[Check]:
    """Gradient flow follows the regularisation path: at equal norm their directions agree ever better.

    One-hot data: flow at log t = 10^2, 10^3, 10^4 against the minimisers in the balls of its norms: the distance of
    the directions falls at least like 1/B, as that of either from W_mm.
    """
    limit = _limit()
    assert limit.direction is not None
    chosen = _flow().weights[1:]
    path = regularization_path(limit.data, radii=chosen.flatten(1).norm(dim=1))
    apart = [_distance(a, b) for a, b in zip(chosen, path.weights, strict=True)]
    for later, (before, after) in enumerate(zip(apart, apart[1:], strict=False), start=1):
        ratio = float(path.radii[later - 1] / path.radii[later])
        yield at_most(
            before * ratio,
            after,
            slack=before * ratio * 20 / 10.0 ** (later + 1),  # the next order in 1/log t
            evidence="measured",
            statement=f"distance at log t = 1e{later + 2} against a tenth of that at 1e{later + 1}",
        )
    yield at_most(
        max(_distance(chosen[-1], limit.direction), _distance(path.weights[-1], limit.direction)) * 2,
        apart[-1],
        evidence="measured",
        statement="distance at the end, against twice that from W_mm",
    )


@claim("classical/lyu-li", source="1906.05890", evidence="certified")
def lyu_li() -> Iterator[Check]:
    """Once n CE <= log 2, gradient flow never lowers the smoothed margin -log(e^{n CE} - 1) / ||W||.

    One-hot data of equal weights. Its slope along -grad CE, by automatic differentiation, at 60 decoders that fit and
    along the flow: never negative (certified); its values along the flow and along 2000 steps of descent; and it
    is at most the margin itself.
    """
    data = _limit().data
    fitted = []
    for w in define.random_decoders(data, 400, seed=31):
        start = _limit().svm.direction * 3 + 0.5 * w
        if data.num_contexts * float(define.cross_entropy(start, data)) <= math.log(2):
            fitted.append(start)
    run = descend(data, steps=STEPS, record="all")
    decoders = fitted[:60] + [w for w in run.weights[::100] if _fits(w, data)]
    lowest, above = math.inf, -math.inf
    for w in decoders:
        gradient = define.gradient(w, data)
        slope = -float((_smoothed_slope(w, data) * gradient).sum()) / float(gradient.norm())
        lowest = min(lowest, slope)
        above = max(above, _smoothed(w, data) - define.smallest_margin(w, data) / float(w.norm()))
    yield at_most(len(decoders), 60, evidence="certified", statement="60 <= decoders that fit the data")
    yield at_most(lowest, 0.0, slack=1e-12, evidence="certified", statement="0 <= slope along the flow, least")
    yield at_most(0.0, above, slack=1e-12, evidence="certified", statement="smoothed minus plain margin, largest")
    values = [_smoothed(w, data) for w in run.weights[1:] if _fits(w, data)]
    fall = max(a - b for a, b in zip(values, values[1:], strict=False))
    yield at_most(
        0.0, fall, slack=1e-14, evidence="measured", statement=f"largest fall in {len(values)} steps of descent"
    )
    ahead = flow(data, log_time=30.0, record=30)
    values = [_smoothed(w, data) for w in ahead.weights if _fits(w, data)]
    fall = max(a - b for a, b in zip(values, values[1:], strict=False))
    yield at_most(0.0, fall, slack=1e-8, evidence="measured", statement="largest fall between records of the flow")


def _fits(weights: Tensor, data: NTPDataset) -> bool:
    return data.num_contexts * float(define.cross_entropy(weights, data)) <= math.log(2) and bool(weights.any())


def _total(weights: Tensor, data: NTPDataset) -> Tensor:
    """n CE of one-hot data as a sum of log(1 + odds), which rounding leaves its digits."""
    own = data.pattern.tokens[:, None]
    logits = data.embeddings @ weights.T
    others = (logits - logits.gather(1, own)).scatter(1, own, -torch.inf)
    return torch.logsumexp(others, 1).exp().log1p().sum()


def _smoothed(weights: Tensor, data: NTPDataset) -> float:
    return float(-_total(weights, data).expm1().log() / weights.norm())


def _smoothed_slope(weights: Tensor, data: NTPDataset) -> Tensor:
    variable = weights.clone().requires_grad_()
    (found,) = torch.autograd.grad(-_total(variable, data).expm1().log() / variable.norm(), variable)
    return found
