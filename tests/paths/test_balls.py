"""Balls of other norms: against conic programs and the ridge path, by their certificates, and at large radii."""

from __future__ import annotations

import math

import cvxpy as cp
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory import NTPDataset, loss, predict, solve_svm
from ntp_theory.construct.instances import sep_incompat, tiny
from ntp_theory.errors import SolverError
from ntp_theory.margin.conic import norm_expression
from ntp_theory.margin.norms import FROBENIUS, NAMES, as_norm
from ntp_theory.paths import regularization_path
from ntp_theory.paths.ball import NormBalls
from ntp_theory.split_coordinates import SplitCoordinates
from ntp_theory.subspace import project, project_complement
from ntp_theory.testing import datasets, decoders

OTHERS = [name for name in NAMES if name != "frobenius"]
GENERAL = ["schatten-3", "entrywise-1.5", "tokenwise-1"]


def partial():
    """Partially separable."""
    rows = [[0.5, 0.5, 0.0], [0.2, 0.0, 0.8], [0.0, 0.0, 1.0]]
    return NTPDataset([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], rows)


def reference(data, norm, radius):
    """Least CE in the ball by a general conic solver."""
    weights = cp.Variable((data.vocab_size, data.dim))
    value, constraints = norm_expression(weights, norm)
    rows = data.probabilities.to_dense().numpy()
    terms = []
    for pi, h, p in zip(data.weights.tolist(), data.embeddings.numpy(), rows, strict=True):
        logits = weights @ h
        terms.append(pi * (cp.log_sum_exp(logits) - p @ logits))
    problem = cp.Problem(cp.Minimize(sum(terms)), [value <= radius, *constraints])
    return float(problem.solve(solver="CLARABEL"))


@pytest.mark.parametrize(
    ("data", "norm"),
    [(tiny, norm) for norm in OTHERS + GENERAL]
    + [(make, norm) for make in (sep_incompat, partial) for norm in ("max", "nuclear")],
)
def test_against_a_conic_program_in_the_decoder(data, norm):
    data, norm, radius = data(), as_norm(norm), 2.0
    path = regularization_path(data, radii=[radius], norm=norm)
    found, expected = loss.evaluate(path.weights[0], data).value, reference(data, norm, radius)
    assert abs(found - expected) <= 1e-6  # ten times what the solver is asked for, on sums of a few terms
    assert norm.value(path.weights[0]) <= radius * (1 + 1e-14)
    assert path.gap[0] == pytest.approx(found - data.entropy, abs=1e-13)
    assert path.relative_gap[0] <= 1e-6 and path.distance_bound[0] == torch.inf


@settings(max_examples=12)
@given(
    datasets(max_contexts=4, max_dim=4).flatmap(lambda data: st.tuples(st.just(data), decoders(data))),
    st.sampled_from(OTHERS + GENERAL),
    st.sampled_from([0.1, 3.0, 40.0]),
)
def test_certificates_hold_for_every_decoder_in_the_ball(case, norm, radius):
    data, other = case
    norm = as_norm(norm)
    path = regularization_path(data, radii=[radius], norm=norm, tol=0.999)  # a bound is a bound, however bad
    inside = other * min(1.0, radius / max(norm.value(other), 1e-300))
    # CE(U) >= CE(W) - relative_gap (CE(W) - inf CE)
    least = loss.evaluate(path.weights[0], data).value - float(path.relative_gap[0] * path.excess[0])
    assert loss.evaluate(inside, data).value >= least - 1e-14 * (1 + least)
    assert path.radii[0] <= radius * (1 + 1e-12)


@pytest.mark.parametrize("make", [tiny, sep_incompat])
def test_frobenius_balls_are_the_ridge_path(make):
    data = make()
    limit = predict(data)
    balls = NormBalls(SplitCoordinates(limit.svm.data, limit.finite), FROBENIUS)
    scale = SplitCoordinates(limit.svm.data, limit.finite).scale
    path = regularization_path(data, radii=[0.5, 5.0, 50.0, 500.0])
    for i, radius in enumerate((0.5, 5.0, 50.0, 500.0)):
        ball = balls.minimise(scale * radius, tol=1e-6)
        # log of (1 + relative gap), and of the rounding of logits of about gamma B
        assert abs(ball.point.loss.log_excess - path.log_excess[i]) <= ball.relative_gap + 1e-12 * (1 + radius)
        assert ball.log_ridge + 2 * math.log(scale) == pytest.approx(float(path.log_ridge[i]), abs=1e-4)


@pytest.mark.parametrize("norm", OTHERS + GENERAL[:1])
def test_margins_tend_to_the_largest_at_the_rate_of_the_genie(norm):
    """gamma - margin(P_perp W_B) / B is at most a constant over B, and at least minus another (`bias/norm-ball-path`).

    W* + R W_mm is in the ball with ``R = (B - ||W*||) / ||W_mm||``, so ``CE - inf CE <= C e^-R`` with ``C = sum pi_j
    odds_jv(W*)``; a loss of E leaves every pair log odds of at most ``log(E / pi_j)`` to first order.
    """
    data = tiny()
    limit, norm = predict(data), as_norm(norm)
    svm = solve_svm(data, norm=norm)
    h, pattern = data.embeddings, data.pattern
    finite, size = norm.value(limit.finite), svm.norm * (1 + svm.duality_gap() / svm.norm)
    path = regularization_path(data, radii=[30.0, 300.0, 3000.0], norm=norm)
    gaps = []
    for weights, radius, log_excess in zip(path.weights, path.radii.tolist(), path.log_excess.tolist(), strict=True):
        assert radius == pytest.approx([30.0, 300.0, 3000.0][len(gaps)], rel=1e-14)
        odds = (h @ limit.finite.T - pattern.logsumexp(pattern.inside(h @ limit.finite.T))[:, None]).exp()
        odds = odds.masked_fill(data.support, 0.0)
        room = (radius - finite) / size
        genie = math.log(float((data.weights[:, None] * odds).sum())) - room
        # the minimiser is at least as good as the genie, up to its certified gap
        assert log_excess <= genie - math.log1p(-float(path.relative_gap[len(gaps)]))
        # log odds by pair, from the decoder: those of its part in F, minus the margin of the rest
        here = project(weights, data)
        part = h @ here.T - pattern.logsumexp(pattern.inside(h @ here.T))[:, None]
        most = torch.special.expm1(math.exp(log_excess) / data.weights).log() if log_excess > -30 else None
        most = log_excess - data.weights.log() if most is None else most
        margin = float(pattern.margins(h @ project_complement(weights, data).T).min())
        least = float((part - most[:, None]).masked_fill(data.support, torch.inf).min())
        assert margin >= least - 1e-9 * radius
        # least is room minus a constant: that is the rate
        constant = float((part.masked_fill(data.support, torch.inf).amin(1) + data.weights.log()).min())
        slack = 1e-3 + 1e-9 * radius
        assert svm.margin - margin / radius <= (finite / size + genie + room - constant + slack) / radius
        assert margin <= svm.margin * (radius + norm.value(here)) * (1 + 1e-7)
        gaps.append(svm.margin - margin / radius)
    assert gaps[2] < gaps[1] / 5 < gaps[0] / 25


@pytest.mark.parametrize("norm", OTHERS)
def test_finite_data_stops_at_its_smallest_minimiser(norm):
    data = NTPDataset([[1.0, 0.3], [2.0, -1.0], [0.2, 1.0]], [[0.9, 0.1, 0.0], [0.2, 0.3, 0.5], [0.2, 0.5, 0.3]])
    norm = as_norm(norm)
    path = regularization_path(data, radii=[1e5, 0.2, 0.0], norm=norm)
    least = float(path.radii[0])
    # any other minimiser adds one row to all
    limit = predict(data)
    shifted = limit.finite + torch.linspace(-1, 1, 21, dtype=torch.float64)[:, None, None] * torch.ones(1, 2)
    assert least <= min(norm.value(weights) for weights in shifted) * (1 + 1e-9)
    assert path.log_ridge[0] == -torch.inf and path.log_excess[0] == -torch.inf and path.relative_gap[0] == 0
    assert float(loss.gradient(path.weights[0], data).norm()) <= 1e-11
    assert path.radii[1] == pytest.approx(0.2, rel=1e-12) and path.ridge[1] > 0
    assert path.weights[2].abs().max() == 0 and path.ridge[2] == torch.inf


def test_a_gap_that_stays_open_is_an_error():
    with pytest.raises(SolverError, match="relative gap of .*, tol is 1e-15; raise tol") as error:
        regularization_path(tiny(), radii=[300.0], norm="max", tol=1e-15)
    assert error.value.best.shape == (5, 8)


def test_a_solver_that_fails_is_an_error(monkeypatch):
    monkeypatch.setattr("ntp_theory.paths.program.ATTEMPTS", ())
    with pytest.raises(SolverError, match="failed on a program over a norm ball"):
        regularization_path(tiny(), radii=[3.0], norm="max")
