"""Figures on attention: token-priority graphs with their components, and norms against log t."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..attention import PartitionLimit, PartitionRun, PriorityGraph
from ..errors import UsageError
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, look, measured, new_axes, predicted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["norm_growth", "priority_graph"]

COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9")


def priority_graph(graph: PriorityGraph, ax: Axes | None = None) -> Axes:
    """The tokens of a graph in rows, those that reach most tokens on top, coloured by component where it is not single.

    Parameters
    ----------
    graph : PriorityGraph
        Tokens without edges are left out.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    UsageError
        If the graph has no edges.

    Notes
    -----
    Source: 2403.08081 (`attention/graph-svm`).
    """
    if not bool(graph.adjacency.any()):
        raise UsageError(f"graph of last token {graph.query} has no edges; there is nothing to draw")
    shown = [v for v in range(len(graph.adjacency)) if bool((graph.adjacency[v] | graph.adjacency[:, v]).any())]
    counts = graph.reach_counts
    levels = sorted({int(counts[v]) for v in shown}, reverse=True)
    places = {}
    for row, level in enumerate(levels):
        tokens = [v for v in shown if int(counts[v]) == level]
        for i, v in enumerate(tokens):
            # every other row is moved aside, so that edges past a row do not run through its tokens
            places[v] = (i - (len(tokens) - 1) / 2 + 0.2 * (row % 2), -float(row))
    parts = [part for part in graph.components if len(part) > 1]
    with look():
        ax = new_axes(width=3.2, height=3.1)[0] if ax is None else ax
        for u, v in graph.adjacency.nonzero().tolist():
            inside = bool(graph.together[u, v])
            ax.annotate(
                "",
                places[v],
                places[u],
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": GREY if inside else BLACK,
                    "shrinkA": 8,
                    "shrinkB": 8,
                    "connectionstyle": "arc3,rad=0.18" if inside else "arc3,rad=0.06",
                },
            )
        for v, (x, y) in places.items():
            part = next((i for i, part in enumerate(parts) if v in part), None)
            edge = BLACK if part is None else COLOURS[part % len(COLOURS)]
            ax.plot(x, y, "o", markersize=15, color="white", markeredgecolor=edge, markeredgewidth=2.0, zorder=3)
            ax.annotate(str(v), (x, y), ha="center", va="center", zorder=4)
        ax.margins(0.2)
        ax.set_title(f"last token {graph.query}")
        ax.set_axis_off()
    return ax


def norm_growth(run: PartitionRun, limit: PartitionLimit, ax: Axes | None = None) -> Axes:
    """The norm against log t, with the predicted line ``||W_svm log t + offset||``.

    Parameters
    ----------
    run : PartitionRun
    limit : PartitionLimit
        Its prediction.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    UsageError
        If nothing diverges.

    Notes
    -----
    Source: 2403.08081 (`attention/graph-svm`); offset ours.
    """
    if not limit.diverges:
        raise UsageError("limit has no direction: its norm does not grow")
    times = np.linspace(max(0.0, float(run.log_times[0])), float(run.log_times[-1]), 100)
    line = [float((limit.direction * s + limit.offset).norm()) for s in times]
    with look():
        ax = new_axes(width=4.2, height=3.1)[0] if ax is None else ax
        ax.plot(run.log_times, run.norms, **measured(), label="$\\|W\\|$")
        ax.plot(times, line, **predicted(), label=f"predicted, slope {limit.norm:.4g}")
        ax.set(xlabel="$\\log t$", ylabel="norm of the attention weights")
        ax.legend(loc="best")
    return ax
