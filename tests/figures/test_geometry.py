"""Figures of free features show what was measured, and the predictions where they are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ntp_theory import figures
from ntp_theory.figures.style import ORANGE
from ntp_theory.geometry import (
    UnconstrainedFeatures,
    feature_flow,
    mode_strength,
    spectral_start,
    square_loss_gradient,
)

PROBLEM = UnconstrainedFeatures([[0.7, 0.3, 0.0], [0.0, 0.2, 0.8], [1.0, 0.0, 0.0]])
PATH, LIMIT = PROBLEM.solve([1e-2, 1e-4]), PROBLEM.limit()


@pytest.mark.parametrize("which", ["words", "contexts"])
def test_measured_cosines_below_and_predicted_above(which):
    image = figures.grams(PATH, LIMIT, which=which, index=0).images[0].get_array()
    w, h = PATH.factors(0)
    rows = w if which == "words" else h.T
    unit = torch.nn.functional.normalize(rows)
    below = np.tril_indices(3)
    np.testing.assert_allclose(image[below], (unit @ unit.T).numpy()[below], atol=1e-9)
    gram = LIMIT.grams()[which == "contexts"]
    assert image[0, 2] == pytest.approx(float(gram[0, 2] / (gram[0, 0] * gram[2, 2]).sqrt()))


def test_slopes_have_dots_and_known_curves():
    ax = figures.slopes(PATH, LIMIT)
    expected = (PATH.slopes[1] - LIMIT.direction).norm() / LIMIT.direction.norm()
    assert ax.lines[0].get_ydata()[1] == pytest.approx(float(expected))
    assert sum(line.get_color() == ORANGE for line in ax.lines) == 2
    alone = UnconstrainedFeatures([[0.5, 0.5, 0.0, 0.0], [0.2, 0.8, 0.0, 0.0]])
    assert len(figures.slopes(alone.solve([1e-2]), alone.limit()).lines) == 2


def test_modes_are_those_of_the_flow():
    target = LIMIT.supports
    run = feature_flow(square_loss_gradient(target), *spectral_start(target, 2.0, rng=0), [0.0, 1.0, 3.0])
    ax = figures.modes(run, target, delta=2.0)
    assert len(ax.lines) == 4 and len(figures.modes(run, target).lines) == 2
    np.testing.assert_allclose(ax.lines[0].get_ydata(), run.strengths(target)[:, 0])
    level = float(torch.linalg.svdvals(target)[0])
    np.testing.assert_allclose(ax.lines[1].get_ydata(), mode_strength(level, 2.0, [0.0, 1.0, 3.0]))
