"""The figure of memory by number of heads draws what it is given."""

from __future__ import annotations

from matplotlib.figure import Figure

from ntp_theory import figures


def test_memory_by_heads():
    peaks = {"all at once": [3.5, 4.5, 6.5], "one after another": [3.5, 4.0, 4.0]}
    ax = Figure().subplots()
    assert figures.memory_by_heads((1, 2, 4), peaks, ax=ax) is ax
    drawn = {line.get_label(): line for line in ax.get_lines()}
    assert {name: list(line.get_ydata()) for name, line in drawn.items()} == peaks
    assert all(list(line.get_xdata()) == [1, 2, 4] for line in drawn.values())
    assert list(ax.get_xticks()) == [1, 2, 4] and ax.get_ylim()[0] == 0 and ax.get_xlabel() and ax.get_ylabel()
