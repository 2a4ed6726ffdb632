"""Figures of loss differences draw the numbers that they are given, on the axes that they are given."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from ntp_theory import figures
from ntp_theory.errors import UsageError
from ntp_theory.sequence.measures import LossDifference


def difference(values, half_width=0.1):
    first = tuple(1.0 + value for value in values)
    widths = (0.2,) * len(values)
    mean = float(np.mean(values))
    return LossDifference(
        "gap", ("a", "b"), 5, 0.95, first, (1.0,) * len(values), tuple(values), widths, mean, half_width
    )


SEEDS = [difference((0.1, -0.2, 0.3)), difference((0.3, 0.0, 0.5))]


def test_losses_by_position():
    ax = Figure().subplots()
    assert figures.losses_by_position({"plain": (3.0, 2.0, 1.0), "myopic": (3.0, 2.5, 2.0)}, ax) is ax
    drawn = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines}
    assert drawn == {"plain: 2.000": ([1, 2, 3], [3.0, 2.0, 1.0]), "myopic: 2.500": ([1, 2, 3], [3.0, 2.5, 2.0])}


def test_gap_by_position():
    ax = figures.gap_by_position({"gap": SEEDS})
    line, zero = ax.lines
    np.testing.assert_allclose(line.get_ydata(), [0.2, -0.1, 0.4])
    assert list(line.get_xdata()) == [1, 2, 3] and line.get_label() == "gap: +0.1667" and set(zero.get_ydata()) == {0.0}
    [band] = ax.collections
    corners = band.get_paths()[0].vertices
    for place, (one, other) in enumerate(zip(*(seed.by_position for seed in SEEDS), strict=True), 1):
        at = corners[corners[:, 0] == place][:, 1]
        np.testing.assert_allclose([at.min(), at.max()], sorted((one, other)))


def test_gap_by_size():
    ax = figures.gap_by_size([100, 1000], [SEEDS, [difference((0.6, 0.6, 0.6))]])
    [mean] = [line for line in ax.lines if line.get_label() == "mean over seeds"]
    assert list(mean.get_xdata()) == [100, 1000]
    np.testing.assert_allclose(mean.get_ydata(), [1 / 6, 0.6])
    dots = ax.containers[0]
    assert list(dots.lines[0].get_ydata()) == pytest.approx([seed.overall for seed in SEEDS])
    ends = [segment[:, 1].tolist() for segment in dots.lines[2][0].get_segments()]
    np.testing.assert_allclose(ends, [[s.overall - 0.1, s.overall + 0.1] for s in SEEDS])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: figures.losses_by_position({}), "losses has 0 entries"),
        (lambda: figures.gap_by_position({str(i): SEEDS for i in range(5)}), "found has 5 entries; .* 1 to 4"),
        (lambda: figures.gap_by_size([1], [SEEDS, SEEDS]), "found has 2 sizes; there are 1"),
    ],
)
def test_wrong_calls(call, message):
    with pytest.raises(UsageError, match=message):
        call()
