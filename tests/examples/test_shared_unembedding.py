"""The study of heads with one unembedding: its flow is that of the library's gradient, its file is complete."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import ntp_theory as ntp

SCRIPT = Path(__file__).parents[2] / "examples" / "open_questions" / "shared_unembedding.py"


@pytest.fixture(scope="module")
def study():
    spec = importlib.util.spec_from_file_location("open_questions_shared_unembedding", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize("labels", ["one-hot", "soft"])
def test_speed_is_t_times_the_gradient_of_the_factors(study, labels: str) -> None:
    posed, s = study.problem(study.heads(labels, 0)), 3.0
    points = np.random.default_rng(0).standard_normal((48, 2))
    found = study.speed(s, points, posed.data)
    for k in range(2):
        w, a = (torch.from_numpy(part[k]).requires_grad_() for part in study.split(points.T))
        gradient = ntp.loss.gradient(w @ a, posed.data)
        expected = torch.cat([(gradient @ a.T).flatten(), (w.T @ gradient).flatten()]).detach().numpy()
        np.testing.assert_allclose(found[:, k], -np.exp(s) * expected, rtol=1e-10, atol=1e-12)


def test_above_the_cap_the_supports_alone_are_held_less_stiffly(study) -> None:
    posed = study.problem(study.heads("soft", 0))
    points = np.random.default_rng(0).standard_normal((48, 1))
    below, above = (study.speed(s, points, posed.data) for s in (study.CAP, study.CAP + 1.0))
    assert np.abs(above).max() < np.e * np.abs(below).max()
    one_hot = study.problem(study.heads("one-hot", 0)).data
    below, above = (study.speed(s, points, one_hot) for s in (study.CAP, study.CAP + 1.0))
    np.testing.assert_allclose(above, np.e * below)


def test_candidates_are_feasible_and_best_in_their_norm(study) -> None:
    posed = study.problem(study.heads("soft", 1))
    for direction in posed[1:]:
        logits = posed.data.embeddings @ direction.T
        assert float(posed.data.pattern.margins(logits).min()) == pytest.approx(1.0, abs=1e-5)
        assert float(posed.data.pattern.spread(logits).max()) < 1e-5
    assert study.nuclear(posed.nuclear) <= min(map(study.nuclear, posed[2:])) + 1e-6
    assert float(posed.frobenius.norm()) <= min(float(x.norm()) for x in posed[1:]) + 1e-6


def test_file_has_every_run_once_in_order(study) -> None:
    places = [
        (labels, seed, scale, s)
        for labels in study.LABELS
        for seed in study.SEEDS
        for scale in study.SCALES
        for s in study.RECORDS
    ]
    assert [row[:4] for row in study.read()] == places


def test_a_recorded_row_is_measured_again(study) -> None:
    [row] = [row for row in study.read() if row[:4] == ("soft", 4, 0.1, 5.0)]
    [again] = study.measure("soft", 4, 0.1, [5.0])
    np.testing.assert_allclose(again[3:], row[3:], rtol=1e-3)


def test_sine(study) -> None:
    one, other = torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0, 1.0]])
    assert study.sine(one, other) == pytest.approx(np.sqrt(0.5)) and study.sine(one, 2 * one) == 0.0
