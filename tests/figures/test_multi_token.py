"""Figures on several heads draw what they are given."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ntp_theory import figures
from ntp_theory.errors import UsageError
from ntp_theory.figures.style import ORANGE
from ntp_theory.multitoken import HeadFloors, wrong_predictions

FLOORS = HeadFloors((0.1, 0.3, 0.35), 0.4, 0.5)


def test_choice_points():
    found = wrong_predictions("123AB", ["123XY"], 2)
    ax = figures.choice_points(found, Figure().subplots())
    marked = {
        (round(patch.get_x() + 0.45), round(patch.get_y() + 0.45))
        for patch in ax.patches
        if to_hex(patch.get_facecolor()).upper() == ORANGE
    }
    assert marked == set(found.pairs)
    assert len(ax.patches) == 4 + 3  # both heads, within the trajectory
    assert [text.get_text() for text in ax.get_xticklabels()] == list("123A")


def test_head_floors():
    ax = figures.head_floors(FLOORS, losses=[0.2, 0.31], errors=[0.01, 0.02])
    floors, limit, losses = ax.lines[:3]
    assert list(floors.get_ydata()) == [0.1, 0.3, 0.35] and set(limit.get_ydata()) == {0.4}
    assert list(losses.get_xdata()) == [1, 2] and list(losses.get_ydata()) == [0.2, 0.31]
    [bars] = ax.collections
    assert [tuple(segment[:, 1].round(9)) for segment in bars.get_segments()] == [(0.19, 0.21), (0.29, 0.33)]


def test_law_beside_samples():
    law = {(0, 1): Fraction(1, 4), (1, 1): Fraction(3, 4)}
    ax = figures.law_beside_samples(law, {(0, 1): 40, (1, 1): 60})
    assert [text.get_text() for text in ax.get_xticklabels()] == ["11", "01"]
    assert list(ax.lines[-1].get_ydata()) == [0.6, 0.4]
    [bars] = ax.collections
    half = 2 * math.sqrt(0.75 * 0.25 / 100)
    assert bars.get_segments()[0][:, 1] == pytest.approx([0.75 - half, 0.75 + half])


@pytest.mark.parametrize("counts", [{}, {"c": 1}])
def test_samples_must_fit_the_law(counts):
    with pytest.raises(UsageError, match="counts"):
        figures.law_beside_samples({"a": 1.0}, counts)
