"""Gradient flow in logarithmic time, and what stochastic gradients change."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from ...checks import Check
from ...construct import random
from ...descent import StochasticGradientDescent, descend, flow
from ...predict import predict
from ...subspace import data_subspace
from ..registry import at_most, claim
from . import definitions as define
from .shared import lemma5, read


@claim("bias/log-time-flow", source="derived", evidence="measured")
def log_time_flow() -> Iterator[Check]:
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


@claim("bias/footnote-8", source="2402.18551 fn. 8", evidence="measured", standard="The same run to 10^5 steps.")
def footnote_8(budget: str) -> Iterator[Check]:
    """Descent on sampled contexts turns to W_mm and converges to W* on F, as with full gradients.

    Instance LEMMA5, 10^4 draws of one context with constant step size: the increment over a decade, and the laws of
    loss and finite part with their tolerances for full gradients. (The second moment: `bias/strong-growth`.)
    """
    limit = lemma5()
    run = descend(limit.data, StochasticGradientDescent(), steps=10_000 if budget == "quick" else 100_000)
    for label in ("bias/theorem-2", "bias/sharp-gd-loss", "bias/sharp-gd-finite"):
        yield from read(run, limit, label)
