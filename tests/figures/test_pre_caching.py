"""Figures of pre-caching draw the evaluations, probes and effects they are given."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ntp_theory import figures
from ntp_theory.figures.style import ORANGE
from ntp_theory.sequence.measures import CachedEffect, Evaluation, Probes
from ntp_theory.sequence.training import TrainResult

RUNS = {
    name: TrainResult("o", "t", 8, np.zeros((20, 2)), tuple(Evaluation(s, 9, (s * k, 3.0)) for s in (10, 20)), 1.0)
    for k, name in enumerate(("plain", "myopic"), 1)
}
R2 = np.array([[0.0, 0.1], [0.9, 0.2]])
PROBES = Probes((0, 3), R2, R2 - 0.05, R2 + 0.03, R2 / 100, np.zeros((2, 2, 4)), 8)
EFFECTS = {"plain": CachedEffect((0, 1, 2), np.array([0.1, 0.9, 0.2]), (0, 1, 0), np.zeros(3), 8)}


def curve(ax, label):
    [line] = [line for line in ax.get_lines() if line.get_label() == label]
    return line.get_xdata(), line.get_ydata()


def test_losses_are_those_of_the_evaluations():
    ax = figures.held_out_losses(RUNS, zero=1.5)
    for k, name in enumerate(RUNS, 1):
        x, y = curve(ax, name)
        assert list(x) == [10, 20] and list(y) == [(s * k + 3) / 2 for s in (10, 20)]
    assert list(curve(ax, "saying 0")[1]) == [1.5, 1.5] and ax.get_ylim()[0] == 0
    assert "saying 0" not in [line.get_label() for line in figures.held_out_losses(RUNS).get_lines()]


def test_probes_by_layer_and_lag():
    ax = figures.probe_r2(PROBES)
    drawn = {container.get_label(): container for container in ax.containers}
    assert set(drawn) == {"embedding", "layer 1"}
    line, _, (bars,) = drawn["layer 1"]
    assert list(line.get_xdata()) == [0, 3] and list(line.get_ydata()) == [0.9, 0.2]
    np.testing.assert_allclose([s[:, 1] for s in bars.get_segments()], [[0.85, 0.93], [0.15, 0.23]])
    dotted = [line.get_ydata() for line in ax.get_lines() if line.get_linestyle() == ":"]
    np.testing.assert_array_equal(dotted, R2 / 100)


def test_effects_and_their_prediction():
    ax = figures.cached_effects(EFFECTS)
    assert list(curve(ax, "plain")[1]) == [0.1, 0.9, 0.2]
    [line] = [line for line in ax.get_lines() if line.get_color() == ORANGE]
    assert list(line.get_ydata()) == [0, 1, 0] and list(line.get_xdata()) == [0, 1, 2]


def test_they_draw_where_they_are_told():
    for draw, given in ((figures.held_out_losses, RUNS), (figures.probe_r2, PROBES), (figures.cached_effects, EFFECTS)):
        ax = Figure().subplots()
        assert draw(given, ax=ax) is ax and ax.get_xlabel() and ax.get_ylabel()
