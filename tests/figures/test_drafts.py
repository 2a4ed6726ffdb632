"""The figures of drafts draw the numbers that they are given, on the axes that they are given."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from ntp_theory import figures
from ntp_theory.errors import UsageError

DRAWN = [figures.survival_by_draft, figures.tokens_by_heads]


@pytest.mark.parametrize("draw", DRAWN)
def test_means_and_formula(draw):
    ax = Figure().subplots()
    assert draw([(0.5, 0.125), (0.25, 0.0)], [0.5, 0.375], ax) is ax
    lines = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines}
    assert lines == {"if drafts were independent": ([1, 2], [0.5, 0.375]), "measured": ([1, 2], [0.5, 0.25])}
    (bars,) = ax.collections
    assert [segment[:, 1].tolist() for segment in bars.get_segments()] == [[0.375, 0.625], [0.25, 0.25]]


@pytest.mark.parametrize("draw", DRAWN)
@pytest.mark.parametrize(("found", "formula"), [([], []), ([(0.5, 0.1)], [])])
def test_wrong_calls(draw, found, formula):
    with pytest.raises(UsageError, match=f"found has {len(found)} entries and formula 0"):
        draw(found, formula)
