"""The figure of trees draws the numbers that it is given, on the axes that it is given."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from ntp_theory import figures
from ntp_theory.errors import UsageError

TREES = [(8, 1.75, 1.5), (2, 1.25, 1.5)]


def test_tokens_by_nodes():
    ax = Figure().subplots()
    assert figures.tokens_by_nodes({"sparse": TREES, "regular": TREES[:1]}, ax) is ax
    drawn = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines}
    assert drawn == {
        "sparse, if heads were independent": ([2, 8], [1.25, 1.75]),
        "sparse, measured": ([2, 8], [1.5, 1.5]),
        "regular, if heads were independent": ([8], [1.75]),
        "regular, measured": ([8], [1.5]),
    }
    assert figures.tokens_by_nodes({"sparse": TREES}).get_xscale() == "log"


@pytest.mark.parametrize("count", [0, 5])
def test_wrong_calls(count):
    with pytest.raises(UsageError, match=f"found has {count} entries; it must have 1 to 4"):
        figures.tokens_by_nodes({str(i): TREES for i in range(count)})
