"""The figure of plateaus draws every run where it belongs."""

from __future__ import annotations

from ntp_theory import figures


def test_plateaus_have_a_mark_a_run_on_the_line_of_their_degree():
    """In thousands of examples; runs that were given up have a mark of their own."""
    found = {(2, 3): [(16_000, True), (32_000, True), (16_000, True)], (3, 4): [(512_000, False)]}
    ax = figures.plateaus(found, 512_000)
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert list(lines["d = 2"].get_ydata()) == [16.0] and list(lines["d = 3"].get_ydata()) == [512.0]
    assert set(lines["given up"].get_ydata()) == {512.0}
    marks = [line for line in ax.get_lines() if line.get_marker() in ("o", "^")]
    assert [line.get_marker() for line in marks] == ["o", "o", "o", "^"]
    # beside each other by degree, and each on its line
    assert marks[3].get_xdata()[0] == lines["d = 3"].get_xdata()[0] != 4 and marks[0].get_xdata()[0] == 3
    assert ax.get_yscale() == "log"
