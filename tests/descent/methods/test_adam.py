"""Adam and AdamW: against PyTorch, against many digits, and where gradients are below every double."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from ntp_theory.construct import random
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import descend
from ntp_theory.descent.methods.adam import Adam, AdamW
from ntp_theory.descent.methods.sign import SignDescent, entrywise_reach
from ntp_theory.descent.methods.torch_optimizer import TorchOptimizer
from ntp_theory.errors import UsageError
from ntp_theory.margin import solve_svm
from tests.descent.methods.test_sign import margin
from tests.descent.oracles import exact_residual
from tests.test_loss import EPS

STEPS = 30


@given(
    st.integers(0, 99),
    st.sampled_from([1, 3]),
    st.tuples(st.sampled_from([0.0, 0.5, 0.9]), st.sampled_from([0.9, 0.999])),
    st.sampled_from([1e-8, 1e-3]),
    st.sampled_from([None, 0.0, 0.1]),
)
def test_against_pytorch(seed, support_size, betas, eps, weight_decay):
    """Ordinary sizes: gradients differ by rounding, relative to the largest; that over eps = 1e-8 at worst."""
    data = random(5, 7, 6, support_size, seed)
    start = torch.from_numpy(np.random.default_rng(seed).normal(size=(5, 7)))
    if weight_decay is None:
        ours, settings = Adam(0.05, betas, eps, decay=0.0), {}
        theirs = TorchOptimizer(torch.optim.Adam, lr=0.05, betas=betas, eps=eps)
    else:
        settings = {"weight_decay": weight_decay}
        ours = AdamW(0.05, betas, eps, decay=0.0, **settings)
        theirs = TorchOptimizer(torch.optim.AdamW, lr=0.05, betas=betas, eps=eps, **settings)
    found, expected = (descend(data, method, steps=STEPS, init=start).weights[-1] for method in (ours, theirs))
    assert (found - expected).abs().max() <= STEPS * 0.05 * 100 * EPS / 1e-8


def exact_adam(data, start, step_size, betas, eps, decay, steps):
    """The method in 1500 digits; W itself is rounded to doubles after each step, as ours is."""
    weights, moments = start.clone(), [mpmath.zeros(*start.shape), mpmath.zeros(*start.shape)]
    for k in range(steps):
        residual = mpmath.matrix(exact_residual(weights, data, digits=mpmath.mp.dps))
        g = residual.T * mpmath.matrix(data.embeddings.tolist())
        for v in range(start.shape[0]):
            for i in range(start.shape[1]):
                for moment, beta, power in zip(moments, betas, (1, 2), strict=True):
                    moment[v, i] = mpf(beta) * moment[v, i] + (1 - mpf(beta)) * g[v, i] ** power
                mean, square = (
                    moment[v, i] / (1 - mpf(b) ** (k + 1)) for moment, b in zip(moments, betas, strict=True)
                )
                root = mpmath.sqrt(square) + mpf(eps)
                weights[v, i] -= float(mpf(step_size) * mpf(k + 1) ** -decay * mean / root) if root else 0.0
    return weights


@pytest.mark.parametrize("size", [1.0, 100.0, 1000.0])
@pytest.mark.parametrize("eps", [0.0, 1e-8, 1e-300])
def test_against_many_digits(size, eps):
    """From a loss of e^-1, e^-100 and e^-1000 on: steps are as long as ever unless the gradient is below eps.

    Ratios m / sqrt(v) are as accurate as the logarithms of the gradient, 4 |l| units in the last place, and logits of
    size l pass on as much.
    """
    data = random(3, 4, 3, 1, 5)
    start = size * solve_svm(data).direction
    settings = (1.0, (0.8, 0.9), eps, 0.5)
    with mpmath.workdps(1500):
        exact = exact_adam(data, start, *settings, steps=4)
    found = descend(data, Adam(*settings), steps=4, init=start, record="all").weights
    assert (found[-1] - exact).abs().max() <= 4 * 100 * EPS * (10 + size)
    moved = float(found.diff(dim=0).abs().max())
    assert moved > 0.5 if eps < math.exp(-size) or not eps else moved < 1e-15


def test_a_pair_of_zeros_is_sign_descent():
    """Without memory and eps, m / sqrt(v) is the sign."""
    data = random(4, 6, 5, 2, 1)
    found = descend(data, Adam(0.1, (0.0, 0.0), 0.0, decay=0.5), steps=20, record="all")
    assert (found.weights - descend(data, SignDescent(0.1), steps=20, record="all").weights).abs().max() <= 100 * EPS


def test_the_margin_grows_on_where_the_loss_is_below_every_double():
    data = random(4, 6, 5, 1, 3)
    best = solve_svm(data, norm="max").margin
    start = 1200 * solve_svm(data).direction
    found = descend(data, Adam(0.5, eps=0.0), steps=1500, init=start, record=500)
    assert found.log_tail[0] < -1000 and (found.log_tail.diff() < 0).all() and not found.tail.any()
    gaps = torch.tensor([1 - float(margin(w, data)) / float(w.abs().max()) / best for w in found.weights])
    assert (gaps.diff() < 0).all() and (gaps >= -1e-7).all()
    real = TorchOptimizer(torch.optim.Adam, lr=0.5)
    assert torch.equal(descend(data, real, steps=5, init=start).weights[-1], start), "it stands still"


def test_weight_decay_bounds_the_decoder():
    """W_{k+1} is an average of W_k and of something of size |m / sqrt(v)| / weight_decay, at most 7.27 for these betas
    (the largest of sum (1 - b1) b1^i x_i over sqrt(sum (1 - b2) b2^i x_i^2), times the corrections)."""
    data = random(4, 6, 5, 1, 3)
    found = descend(data, AdamW(0.05, weight_decay=2.0, decay=0.0), steps=300, record="all")
    assert found.weights.abs().max() <= 7.27 / 2.0 and found.tail[-1] > 1e-4
    free = descend(data, Adam(0.05, decay=0.0), steps=300)
    assert free.tail[-1] < found.tail[-1] / 10


def test_the_schedule():
    data = random(4, 6, 5, 2, 0)
    found = descend(data, Adam(), steps=8)
    assert found.step_size == pytest.approx(entrywise_reach(data) / 2, rel=1e-14), "eta 8^(-1/3)"
    assert math.exp(found.log_elapsed[-1]) == pytest.approx(
        entrywise_reach(data) * sum(k ** (-1 / 3) for k in range(1, 9)), rel=1e-14
    )


def test_where_there_is_nothing_to_do():
    for eps in (0.0, 1e-8):
        assert not descend(NTPDataset([[1.0]], [[0.5, 0.5]]), Adam(1.0, eps=eps), steps=3).weights.any()


def test_single_precision_stays_single():
    data = random(4, 6, 5, 2, 0).to(dtype=torch.float32)
    assert descend(data, AdamW(), steps=3).weights.dtype == torch.float32


@pytest.mark.parametrize(
    ("rule", "settings"),
    [
        ("step_size is inf; it must be a positive finite number", {"step_size": math.inf}),
        (r"betas is 0.9; it must be a pair \(beta_1, beta_2\)", {"betas": 0.9}),
        (r"betas is \(0.9,\); it must be a pair", {"betas": (0.9,)}),
        (r"betas\[0\] is 1.0; it must be a number from 0 to below 1", {"betas": (1.0, 0.9)}),
        (r"betas\[1\] is -0.9; it must be a number from 0 to below 1", {"betas": (0.9, -0.9)}),
        ("eps is -1e-08; it must be a finite number >= 0", {"eps": -1e-8}),
        ("eps is nan; it must be a finite number >= 0", {"eps": math.nan}),
        ("decay is -1; it must be a number from 0 to 1", {"decay": -1}),
        ("weight_decay is -0.1; it must be a finite number >= 0", {"weight_decay": -0.1}),
        ("weight_decay is None; it must be a finite number >= 0", {"weight_decay": None}),
    ],
)
def test_what_is_refused(rule, settings):
    with pytest.raises(UsageError, match=rule):
        AdamW(**settings)
    if "weight_decay" not in settings:
        with pytest.raises(UsageError, match=rule):
            Adam(**settings)
