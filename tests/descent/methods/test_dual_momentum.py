"""Dual momentum: Algorithm 1 of 2107.00595 word by word, the constant of its rate 1/k^2, three rates on one dataset."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import predict
from ntp_theory.construct import sep_incompat
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import descend
from ntp_theory.descent.methods.dual_momentum import DualMomentum
from ntp_theory.descent.methods.growing import one_hot_step_size
from ntp_theory.errors import UsageError
from ntp_theory.finite_part import InSupportLoss
from ntp_theory.subspace import data_subspace
from ntp_theory.testing import datasets
from tests.descent.reference import ONE_HOT, SOFT, margin_gap
from tests.test_loss import EPS

STEPS = 8


def constraints(data, choose):
    """The normals (e_v - e_z) h_j^T of all off-support pairs, with the z that ``choose`` picks, as rows."""
    rows = []
    for j, v in (~data.support).nonzero().tolist():
        normal = np.zeros((data.vocab_size, data.dim))
        normal[v] += data.embeddings[j].numpy()
        normal[choose(data.support[j].nonzero()[:, 0].tolist())] -= data.embeddings[j].numpy()
        rows.append(normal.ravel())
    return np.array(rows).reshape(-1, data.vocab_size * data.dim)


def algorithm_1(z, q, theta, steps, digits=60):
    """The source's loop, w_0 = g_-1 = 0, from given weights q_0."""
    with mpmath.workdps(digits):
        z, q = mpmath.matrix(z.tolist()), mpmath.matrix([mpmath.mpf(x) for x in q])
        q /= mpmath.fsum(q)
        start, w, g = q.copy(), mpmath.zeros(z.cols, 1), mpmath.zeros(z.cols, 1)
        path = [w]
        for t in range(steps):
            pull = z.T * q
            g = mpmath.mpf(t) / (t + 1) * (g + pull)
            w = w - mpmath.mpf(theta) * (g + pull)
            terms = [q0 * mpmath.exp(x) for q0, x in zip(start, z * w, strict=True)]
            q = mpmath.matrix(terms) / mpmath.fsum(terms)
            path.append(w)
        return np.array([[float(x) for x in w] for w in path])


@given(datasets("one-hot", max_contexts=3, max_vocab_size=3, max_dim=3), st.sampled_from([0.01, 1.0, 30.0]))
def test_on_one_hot_data_it_is_the_algorithm_of_the_source(data, factor):
    """From q_0 = pi; uniform in the source.

    A step passes an error in W on at most 1 + theta 2 max ||h||^2 = 1 + factor times, since the Hessian of log sum exp
    is bounded by the largest normal squared, and the momentum adds it up: (2 + factor)^k EPS in all, if less than 1.
    """
    theta = factor * one_hot_step_size(data)
    run = descend(data, DualMomentum(theta), steps=STEPS, record="all")
    contexts = (~data.support).nonzero()[:, 0]
    exact = algorithm_1(constraints(data, min), data.weights[contexts].tolist(), theta, STEPS)
    size = theta * STEPS**2 * float(data.embeddings.norm(dim=1).max())
    for k, (found, w) in enumerate(zip(run.weights, exact, strict=True)):
        assert np.linalg.norm(found.numpy().ravel() - w) <= 64 * EPS * (2 + factor) ** k * size


@pytest.mark.parametrize("choose", [min, max])
def test_on_soft_labels_it_is_the_same_for_normals_in_f_perp(choose):
    """Whatever z is taken. From W* on, P_F W stays, and q_0 is proportional to pi_j exp(l_v - lse_S(l)) there."""
    limit = predict(SOFT)
    run = descend(SOFT, DualMomentum(0.05), steps=STEPS, init=limit.finite, record="all")
    normals = constraints(SOFT, choose)
    across = [
        data_subspace(SOFT).project_complement(torch.from_numpy(n.reshape(4, 6))).numpy().ravel() for n in normals
    ]
    logits = SOFT.embeddings @ limit.finite.T
    level = torch.logsumexp(logits.masked_fill(~SOFT.support, -math.inf), 1)
    contexts, tokens = (~SOFT.support).nonzero(as_tuple=True)
    start = SOFT.weights[contexts] * (logits[contexts, tokens] - level[contexts]).exp()
    exact = algorithm_1(np.array(across), start.tolist(), 0.05, STEPS)
    found = (run.weights - limit.finite).flatten(1).numpy()
    assert np.abs(found - exact).max() <= 1e-10  # the minimiser and the projection are known to 1e-12


def test_on_f_it_is_gradient_descent_on_the_in_support_loss():
    method, subspace = DualMomentum(0.05, 0.5), data_subspace(SOFT)
    run = descend(SOFT, method, steps=20, record="all")
    weights = torch.zeros_like(run.weights[0])
    for found in run.weights:
        assert (subspace.project(found) - weights).norm() <= 1e-12
        weights = weights - 0.5 * InSupportLoss(SOFT).gradient(weights)


@pytest.mark.parametrize("data", [ONE_HOT, SOFT, sep_incompat()], ids=["one-hot", "soft", "incompatible"])
def test_the_rate_and_its_constant(data):
    """k^2 gap -> 4 c / (theta gamma), c = `Limit.margin_gap_constant`.

    Once q has settled, D = -gamma along W_mm and G_k = k D / 2, so ||W_k|| = theta gamma k^2 / 4, and the active
    constraint with the smallest offset is behind by c / ||W_k|| (`bias/split-normalised`).
    """
    limit, times = predict(data), [300, 1000, 3000]
    run = descend(data, "dual-momentum", steps=times[-1], record=times)
    rate = run.step_size * limit.margin / 4
    gaps = [margin_gap(w, limit) for w in run.weights]
    errors = [abs(k**2 * rate * gap / limit.margin_gap_constant - 1.0) for k, gap in zip(times, gaps, strict=True)]
    assert errors[1] < 0.1 and errors[2] < 0.02
    part = data_subspace(data).project_complement(run.weights[-1])
    assert float(part.norm()) == pytest.approx(rate * times[-1] ** 2, rel=0.01)
    assert float(run.log_tail[-1]) < -1000.0
    # on F the decoder is as exact as doubles of the size of W are
    assert float((data_subspace(data).project(run.weights[-1]) - limit.finite).norm()) <= 64 * EPS * float(run.norm[-1])


def test_three_rates_on_one_dataset():
    """`classical/dual-momentum`: 1/log k, 1/k and 1/k^2, all with one constant: ||P_perp W_k|| gap -> c.

    Gradient descent is at ||W_k|| ~ ||W_mm|| log k, so its gap is c gamma / log k up to a relative O(1 / log k).
    """
    limit, steps = predict(ONE_HOT), 3000
    c, gamma, eta, theta = limit.margin_gap_constant, limit.margin, 0.2, one_hot_step_size(ONE_HOT)
    expected = {
        "gd": (lambda k: 1 / math.log(k), c * gamma, 0.5),
        "ngd": (lambda k: 1 / k, c / eta, 0.02),
        "dual-momentum": (lambda k: 1 / k**2, 4 * c / (theta * gamma), 0.02),
    }
    for name, (rate, constant, slack) in expected.items():
        run = descend(ONE_HOT, name, step_size=eta if name == "ngd" else None, steps=steps, record=[steps])
        assert margin_gap(run.weights[-1], limit) == pytest.approx(constant * rate(steps), rel=slack), name
        assert float(run.norm[-1]) * margin_gap(run.weights[-1], limit) == pytest.approx(c, rel=0.35), name


def test_full_support_leaves_descent_on_f():
    data = NTPDataset([[1.0, 0.3], [0.2, -1.0]], [[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]])
    found = descend(data, DualMomentum(1.0, 0.5), steps=30)
    plain = descend(data, "gd", step_size=0.5, steps=30)
    assert torch.allclose(found.weights, plain.weights, rtol=0, atol=1e-14)
    assert float(found.log_elapsed[-1]) == -math.inf


def test_embeddings_of_zero():
    run = descend(NTPDataset([[0.0]], [[1.0, 0.0]]), "dual-momentum", steps=3)
    assert not run.weights.any()


@pytest.mark.parametrize("part", ["step_size", "finite_step_size"])
def test_step_sizes_that_are_refused(part):
    with pytest.raises(UsageError, match=f"^{part} is 0; it must be a positive finite number"):
        DualMomentum(**{part: 0})
