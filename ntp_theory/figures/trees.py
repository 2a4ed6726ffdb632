"""Figures of trees of candidates: tokens a pass by the number of nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import UsageError
from .style import BLUE, GREEN, GREY, ORANGE, look, measured, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["tokens_by_nodes"]

COLOURS = (BLUE, GREEN, GREY, ORANGE)


def tokens_by_nodes(found: Mapping[str, Sequence[tuple[int, float, float]]], ax: Axes | None = None) -> Axes:
    """Tokens a pass of trees: dots for what was measured, lines for what independence of the heads predicts.

    Parameters
    ----------
    found : mapping of str to sequence of (int, float, float)
        At most four kinds of trees by name; of each tree its nodes, the prediction and the measurement.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    UsageError
        If there is no kind of trees, or more than four.

    Notes
    -----
    Source: 2401.10774 Sec. 2.3.3 (`medusa/sparse-tree`).
    """
    if not 1 <= len(found) <= len(COLOURS):
        raise UsageError(f"found has {len(found)} entries; it must have 1 to {len(COLOURS)}")
    with look():
        ax = new_axes(width=4.6, height=3.3)[0] if ax is None else ax
        for (name, trees), colour in zip(found.items(), COLOURS, strict=False):
            nodes, predicted, seen = zip(*sorted(trees), strict=True)
            ax.plot(nodes, predicted, color=colour, linewidth=1.0, label=f"{name}, if heads were independent")
            ax.plot(nodes, seen, label=f"{name}, measured", **measured(colour))
        ax.set_title("tokens a pass by nodes of the tree", loc="left")
        ax.set(xlabel="nodes", ylabel="tokens a pass")
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_formatter("{x:.0f}")
        ax.legend(loc="best")
    return ax
