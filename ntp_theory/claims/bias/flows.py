"""Gradient flow in logarithmic time, and what stochastic gradients change."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import torch

from ...checks import Check
from ...construct import random
from ...descent import StochasticGradientDescent, descend, flow
from ...predict import Limit, predict
from ...subspace import data_subspace
from ..registry import at_most, claim
from . import definitions as define
from .shared import a2, lemma5, read

# What `_drawn` finds first.
SIZES = {"vocab_size": 5, "dim": 8, "num_contexts": 6, "support_size": 2}


@claim(
    "bias/log-time-flow",
    source="derived",
    evidence="measured",
    standard="Instance A2 and the first three drawn instances whose multipliers are all above 0.05, at t = e^10000: "
    "dW/ds is W_mm, t pi softmax the multipliers and P_F W = W* to 1e-9, and (log t)^2 (1 - cos) constant to 1 % over "
    "a decade of log t.",
)
def log_time_flow(budget: str) -> Iterator[Check]:
    """In s = log t the flow keeps the F part at its minimum and moves by dW_perp/ds = -P_perp e^s grad CE to W_mm.

    V = 10, d = 20, m = 15, supports of 1 to 4 tokens, to t = e^10000. dW/ds against -t grad CE by definition up to
    t = e^3, off F against the split form from s = 50 on, and P_F grad CE there; at the end the laws of `compare`,
    among them multipliers and the angle.
    """
    # the first seed on which slow modes and inactive constraints will have faded by e^-100 at the end
    data = random(vocab_size=10, dim=20, num_contexts=15, support_size=(1, 4), rng=2)
    limit, space = predict(data), data_subspace(data)
    early, late = (0.0, 1.0, 2.0, 3.0), (50.0, 100.0, 1000.0)
    run = flow(data, log_time=1e4, record=[*early, *late, 1e4])
    assert run.log_derivative is not None
    apart = split = 0.0
    for s, weights, slope in zip(run.log_times.tolist(), run.weights, run.log_derivative, strict=True):
        if s in early:
            expected = -math.exp(s) * define.gradient(weights, data)
            apart = max(apart, float((slope - expected).norm() / expected.norm()))
        elif s in late:
            logits = data.embeddings @ weights.T
            inside = torch.where(data.support, logits, -torch.inf)
            level = torch.logsumexp(inside, 1, keepdim=True)
            # r (u - q), times t: off-support odds against the in-support softmax
            odds = torch.where(data.support, -torch.inf, logits - level + s).exp()
            pull = data.weights[:, None] * (odds - odds.sum(1, keepdim=True) * (inside - level).exp())
            expected = -space.project_complement(pull.T @ data.embeddings)
            split = max(split, float((space.project_complement(slope) - expected).norm() / expected.norm()))
    # the solver keeps logits to 1e-8 a step, and the derivative is as sensitive as the multipliers it consists of
    yield at_most(
        0.0, apart, slack=1e-5, evidence="measured", statement="dW/ds against -t grad CE, relative, t up to e^3"
    )
    yield at_most(
        0.0, split, slack=1e-5, evidence="measured", statement="dW_perp/ds against the split form, relative, s to 1000"
    )
    for label in ("bias/log-time-flow", "bias/sharp-gd-duals", "bias/sharp-gd-direction", "bias/sharp-gd-finite"):
        yield from read(run, limit, label)
    if budget != "quick":
        for name, limit in {"A2": a2(), **{f"drawn with rng={rng}": limit for rng, limit in _drawn(3).items()}}.items():
            yield from _at_the_end(name, limit)


def _drawn(count: int) -> dict[int, Limit]:
    """The first instances, by seed, whose active constraints all have multipliers above 0.05."""
    found: dict[int, Limit] = {}
    for rng in itertools.count():
        limit = predict(random(**SIZES, rng=rng))
        if limit.duals is not None and float(limit.duals[limit.duals > 0].min()) > 0.05:
            found[rng] = limit
        if len(found) == count:
            return found
    raise AssertionError  # the count has no end


def _at_the_end(name: str, limit: Limit) -> Iterator[Check]:
    assert limit.direction is not None and limit.duals is not None
    norm, size = float(limit.direction.norm()), max(1.0, float(limit.finite.norm()))
    run = flow(limit.data, log_time=1e4, record=[1e3, 1e4])
    assert run.log_derivative is not None
    weights, s = run.weights[-1], run.log_times.tolist()[-1]
    slope = float((run.log_derivative[-1] - limit.direction).norm()) / norm
    finite = float((data_subspace(limit.data).project(weights) - limit.finite).norm()) / size
    mass = (torch.log_softmax(limit.data.embeddings @ weights.T, 1) + s).exp() * limit.data.weights[:, None]
    active = limit.duals > 0
    duals = float((mass / limit.duals - 1)[active].abs().max())
    angles = [
        float((time**2 / 2) * (w / w.norm() - limit.direction / norm).norm() ** 2)
        for time, w in zip(run.log_times.tolist(), run.weights, strict=True)
    ]
    for what, error in (("dW/ds against W_mm", slope), ("t pi softmax", duals), ("P_F W against W*", finite)):
        yield at_most(0.0, error, slack=1e-9, evidence="measured", statement=f"{name}: {what}, relative, log t = 10^4")
    change = abs(angles[-2] / angles[-1] - 1)
    words = f"{name}: change of (log t)^2 (1 - cos) from log t = 10^3 to 10^4, relative"
    yield at_most(0.0, change, slack=0.01, evidence="measured", statement=words)


@claim("bias/footnote-8", source="2402.18551 fn. 8", evidence="measured", standard="The same run to 10^5 steps.")
def footnote_8(budget: str) -> Iterator[Check]:
    """Descent on sampled contexts turns to W_mm and converges to W* on F, as with full gradients.

    Instance LEMMA5, 10^4 draws of one context with constant step size: the increment over a decade, the loss constant
    with the tolerance for full gradients plus four standard deviations of its noise, and ||P_F W_k - W*|| at the end
    against a tenth of the run. (On F the noise fades like 1/k too, so `bias/sharp-gd-finite` does not hold. The second
    moment: `bias/strong-growth`.)
    """
    limit = lemma5()
    run = descend(limit.data, StochasticGradientDescent(), steps=10_000 if budget == "quick" else 100_000)
    for label in ("bias/theorem-2", "bias/sharp-gd-loss"):
        yield from read(run, limit, label)
    tenth = int((run.times <= run.times[-1] / 10).nonzero()[-1])
    before, after = (
        float((data_subspace(limit.data).project(run.weights[i]) - limit.finite).norm()) for i in (tenth, -1)
    )
    words = "||P_F W_k - W*|| at the end, against a third of that at a tenth of the run"
    yield at_most(before / 3, after, evidence="measured", statement=words)
