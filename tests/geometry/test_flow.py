"""Modes in closed form against integrated flows, and flows against laws that they must keep."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.dataset import NTPDataset
from ntp_theory.errors import SolverError, UsageError
from ntp_theory.geometry import (
    UnconstrainedFeatures,
    centred_supports,
    cross_entropy_gradient,
    feature_flow,
    half_time,
    mode_strength,
    spectral_start,
    square_loss_gradient,
    switch_time,
)

DATA = UnconstrainedFeatures([[0.5, 0.5, 0, 0], [0, 0.5, 0.5, 0], [0, 0, 0.5, 0.5], [1, 0, 0, 0]]).data
TARGET = centred_supports(DATA)


def test_modes_follow_the_closed_form():
    run = feature_flow(square_loss_gradient(TARGET), *spectral_start(TARGET, 4.0, dim=5, rng=0), np.linspace(0, 12, 25))
    levels = torch.linalg.svdvals(TARGET)[:3].tolist()
    assert levels[2] > 0.1
    strengths = run.strengths(TARGET)
    for i, level in enumerate(levels):
        torch.testing.assert_close(strengths[:, i], mode_strength(level, 4.0, run.times), rtol=1e-6, atol=1e-8)
    assert strengths[:, 3].abs().max() < 1e-9
    # nothing moves off the modes
    torch.testing.assert_close(run.logits.norm(dim=(1, 2)), strengths.norm(dim=1), rtol=1e-8, atol=1e-10)


@given(st.floats(0.1, 5.0), st.floats(1.5, 20.0), st.floats(1e-3, 0.999))
def test_closed_form_solves_its_equation(level, delta, share):
    # t(s) = log((s / s0) (sigma - s0) / (sigma - s)) / (2 sigma), by partial fractions
    start, s = math.exp(-2 * delta), share * level
    time = (math.log(s) + 2 * delta + math.log((level - start) / (level - s))) / (2 * level)
    if time >= 0:
        assert float(mode_strength(level, delta, [time])[0]) == pytest.approx(s, rel=1e-9)


def test_times_and_ends():
    assert mode_strength(2.0, 3.0, [0.0, 1e6]).tolist() == pytest.approx([math.exp(-6), 2.0])
    assert float(mode_strength(0.0, 1.0, [4.0])[0]) == pytest.approx(1 / (math.exp(2) + 8))
    assert float(mode_strength(3.0, 400.0, [half_time(3.0, 400.0)])[0]) == pytest.approx(1.5)
    assert half_time(3.0, 4000.0) == pytest.approx(switch_time(3.0, 4000.0), rel=1e-3)
    levels = np.linspace(0.5, 4, 20)
    assert (np.diff([half_time(x, 2.0) for x in levels]) < 0).all()


def test_cross_entropy_falls_along_its_flow_and_keeps_the_balance():
    rng = np.random.default_rng(0)
    w, h = 0.1 * rng.standard_normal((4, 4)), 0.1 * rng.standard_normal((4, 4))
    run = feature_flow(cross_entropy_gradient(DATA), w, h, [0.0, 5.0, 20.0, 60.0])
    problem = UnconstrainedFeatures.of(DATA)
    losses = [problem.objective(*pair, 1e-300) for pair in zip(run.decoders, run.features, strict=True)]
    assert losses == sorted(losses, reverse=True) and losses[-1] < 0.3 * losses[0]
    # W'W - HH' is conserved
    balance = run.decoders.mT @ run.decoders - run.features @ run.features.mT
    torch.testing.assert_close(balance[-1], balance[0], rtol=0, atol=1e-6)


def test_refusals():
    w, h = spectral_start(TARGET, 1.0, rng=0)
    gradient = square_loss_gradient(TARGET)
    for times in ([1.0, 1.0], [-1.0, 1.0], [], [math.nan]):
        with pytest.raises(UsageError, match="times"):
            feature_flow(gradient, w, h, times)
    with pytest.raises(UsageError, match="decoder"):
        feature_flow(gradient, w, h[:1], [1.0])
    with pytest.raises(UsageError, match="gradient"):
        feature_flow(3, w, h, [1.0])
    with pytest.raises(UsageError, match="dim"):
        spectral_start(TARGET, 1.0, dim=2, rng=0)
    with pytest.raises(UsageError, match="delta"):
        mode_strength(1.0, -1.0, [0.0])
    with pytest.raises(UsageError, match="times"):
        mode_strength(1.0, 1.0, [-1.0])
    with pytest.raises(UsageError, match="half"):
        half_time(1.0, 0.0)


@pytest.mark.parametrize(
    ("gradient", "error", "words"),
    [
        (lambda logits: None, UsageError, "gradient gives None"),
        (lambda logits: logits.new_zeros(3, 3), UsageError, r"gradient gives shape \(3, 3\)"),
        (lambda logits: logits * math.nan, SolverError, "not finite"),
    ],
)
def test_gradients_that_are_none_are_refused(gradient, error, words):
    with pytest.raises(error, match=words):
        feature_flow(gradient, [[1.0]], [[1.0]], [0.0, 1.0])


def test_a_gradient_in_single_precision_is_taken():
    run = feature_flow(lambda logits: logits.float(), [[1.0]], [[1.0]], [0.0, 1.0])
    assert float(run.logits[-1]) == pytest.approx(1 / 3, abs=1e-6)  # s' = -2 s^2 from 1


def test_targets_that_do_not_fit_are_refused():
    run = feature_flow(square_loss_gradient([[2.0]]), [[1.0]], [[1.0]], [0.0, 1.0])
    with pytest.raises(UsageError, match="target has shape"):
        run.strengths(torch.ones(3, 2))
    for ask in (square_loss_gradient, run.strengths, lambda target: spectral_start(target, 1.0, rng=0)):
        with pytest.raises(UsageError, match="target"):
            ask(None)
    with pytest.raises(UsageError, match="target is 0"):
        spectral_start(torch.zeros(2, 2), 1.0, rng=0)


def test_modes_of_huge_levels_do_not_overflow():
    assert mode_strength(1e308, 1.0, [0.0, 1.0]).tolist() == pytest.approx([math.exp(-2.0), 1e308])


def test_cross_entropy_of_single_precision_data_is_taken_in_double():
    data = NTPDataset([[1.0]], [[0.25, 0.75]]).to(dtype=torch.float32)
    found = cross_entropy_gradient(data)(torch.tensor([[0.0], [math.log(3.0)]], dtype=torch.float64))
    assert found.dtype is torch.float64 and float(found.abs().max()) < 1e-15
