"""Gradients in as many digits as it takes, with the rounding errors that doubles may have; data on which laws set in.

Rounding. `tests.test_loss.rounding` bounds the error delta of log-probabilities. An entry of ``pi_j (softmax - p)`` is
then off by at most 4 delta of itself, and of pi_j too where context j has several next tokens, since the in-support
entries are differences there. `Gradient.error` adds this up over the contexts, each times ||h_j||.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import mpmath
import torch
from hypothesis import strategies as st
from mpmath import mpf

from ntp_theory.construct import random
from ntp_theory.subspace import data_subspace
from ntp_theory.testing import datasets, decoders
from tests.descent.oracles import exact_residual
from tests.test_loss import EPS, rounding

# One-hot and soft labels, with slow modes (`ActiveConstraints.rates`) no slower than k^-0.4 and k^-0.26.
ONE_HOT = random(vocab_size=4, dim=6, num_contexts=5, support_size=1, rng=2)
SOFT = random(vocab_size=4, dim=6, num_contexts=4, support_size=2, rng=4)


@dataclass(frozen=True)
class Gradient:
    """The exact gradient as an mpmath matrix, its norm, and a bound on the error of a computed one."""

    matrix: mpmath.matrix
    norm: mpf
    error: mpf


def digits_for(weights, data):
    """How many digits tell the smallest softmax probability from zero beside 1, and 60 more."""
    lowest, highest = torch.aminmax(data.embeddings @ weights.T)
    return 60 + int(float(highest - lowest) / math.log(10))


def exact_gradient(weights, data):
    """The gradient of the loss at a decoder of doubles."""
    digits = digits_for(weights, data)
    with mpmath.workdps(digits):
        residual = mpmath.matrix(exact_residual(weights, data, digits))
        matrix = residual.T * mpmath.matrix(data.embeddings.tolist())
        sizes = [mpmath.fsum(abs(residual[j, v]) for v in range(residual.cols)) for j in range(residual.rows)]
        several = (data.weights * (data.pattern.sizes > 1)).tolist()
        lengths = data.embeddings.norm(dim=1).tolist()
        total = mpmath.fsum((size + more) * h for size, more, h in zip(sizes, several, lengths, strict=True))
        # + 8 EPS: what the last products and sums add, and data made from counts
        return Gradient(matrix, mpmath.norm(matrix), total * (4 * rounding(weights, data) + 8 * EPS))


def exact_unit(weights, data):
    """The direction of the gradient as doubles, the logarithm of the norm, and bounds on the errors of both."""
    exact = exact_gradient(weights, data)
    if exact.norm == 0:
        return torch.zeros_like(weights), -math.inf, 0.0
    with mpmath.workdps(60):
        log_norm, relative = mpmath.log(exact.norm), float(exact.error / exact.norm)
        return doubles(exact.matrix / exact.norm), float(log_norm), 2 * relative


def doubles(matrix):
    """An mpmath matrix as a tensor of doubles."""
    return torch.tensor(matrix.tolist(), dtype=torch.float64)


@st.composite
def deep(draw, kind, gaps=(0.0, 30.0, 300.0, 800.0, 2000.0)):
    """A dataset and a decoder whose tail may be as small as e^-2000 where the embeddings are independent."""
    data = draw(datasets(kind, max_contexts=4, max_vocab_size=4, max_dim=4))
    lift = torch.linalg.pinv(data.embeddings) @ data.support.double()
    return data, draw(decoders(data)) + draw(st.sampled_from(gaps)) * lift.T


def margin_gap(weights, limit):
    """``1 - margin(P_perp W) / (gamma ||P_perp W||)``."""
    data = limit.data
    part = data_subspace(data).project_complement(weights)
    return 1.0 - float(data.pattern.margins(data.embeddings @ part.T).min() / part.norm()) / limit.margin


def finite_error(weights, limit):
    """``||P_F W - W*||``."""
    return float((data_subspace(limit.data).project(weights) - limit.finite).norm())
