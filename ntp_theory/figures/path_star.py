"""Figures on path-star graphs: accuracies over training, token by token, and one graph with a model's answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..sequence.tasks import PathStarGraph
from ..sequence.training import TrainResult
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, look, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["accuracies", "path_star_answer", "plateaus"]

# Answer tokens from the first to the last, dark to light.
SHADES = ("#08306B", "#2171B5", "#6BAED6", "#9ECAE1", "#C6DBEF", "#DEEBF7")


def accuracies(result: TrainResult, chance: float, ax: Axes | None = None) -> Axes:
    """Accuracy of every answer token over the examples seen, the accuracy of whole answers, and chance.

    Parameters
    ----------
    result : TrainResult
    chance : float
        1/d, drawn as a line.
    ax : Axes, optional

    Returns
    -------
    Axes

    Notes
    -----
    Source: 2403.06963 (`pitfalls/teacher-forcing`, `pitfalls/reverse-cascade`).
    """
    with look():
        ax = new_axes(width=4.2, height=3.1)[0] if ax is None else ax
        seen = [one.step * result.batch_size / 1000 for one in result.evaluations]
        for position in range(1, len(result.evaluations[0].forced) - 1):
            shade = SHADES[min(position - 1, len(SHADES) - 1)]
            values = [one.forced[position] for one in result.evaluations]
            ax.plot(seen, values, color=shade, label=f"$r_{position}$")
        ax.plot(seen, [one.free for one in result.evaluations], "o", color=BLACK, label="whole answer, free")
        ax.axhline(chance, color=ORANGE, linestyle="--", label=f"chance 1/{round(1 / chance)}")
        ax.set_title(result.objective, loc="left")
        ax.set(xlabel="examples, thousands", ylabel="accuracy", ylim=(-0.03, 1.03))
        ax.legend(loc="best")
    return ax


def path_star_answer(graph: PathStarGraph, answer: Sequence[int], ax: Axes | None = None) -> Axes:
    """A graph with its arms, the way to the goal, and an answer: where it is right, and where it goes wrong.

    Parameters
    ----------
    graph : PathStarGraph
    answer : sequence of int
        As many nodes as the path has.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    UsageError
        If the answer is of another length.
    """
    if len(answer) != graph.path_length:
        raise UsageError(f"answer has {len(answer)} nodes; it must have {graph.path_length}")
    places = _places(graph)
    with look():
        ax = new_axes(width=4.2, height=3.1)[0] if ax is None else ax
        for u, v in graph.edges:
            on_path = v in graph.path
            (a, b), (c, d) = places[u], places[v]
            ax.plot([a, c], [b, d], color=GREEN if on_path else GREY, linewidth=3.0 if on_path else 1.2, zorder=1)
        for node, (x, y) in places.items():
            ax.plot(x, y, "o", markersize=15, color="white", markeredgecolor=BLACK, zorder=2)
            ax.annotate(str(node), (x, y), ha="center", va="center", zorder=3)
        for i, (said, right) in enumerate(zip(answer, graph.path, strict=True)):
            if said in places:
                x, y = places[said]
                colour = BLUE if said == right else ORANGE
                ax.annotate(f"{i}", (x, y), (-3, 11), textcoords="offset points", color=colour, weight="bold")
        wrong = [i for i, (said, right) in enumerate(zip(answer, graph.path, strict=True)) if said != right]
        verdict = "right" if not wrong else f"wrong from r{wrong[0]} on"
        ax.set_title(f"{' → '.join(map(str, answer))}: {verdict}", loc="left", fontsize=9)
        ax.set_xlabel(f"from {graph.start} to {graph.goal}; above a node, its place", fontsize=9)
        ax.set(xticks=[], yticks=[], xlim=(-0.5, graph.path_length - 0.3))
        ax.set_ylim(-graph.degree / 2, graph.degree / 2)
        ax.grid(False)
    return ax


def _places(graph: PathStarGraph) -> dict[int, tuple[float, float]]:
    """The centre on the left, an arm a row."""
    children = {u: v for u, v in graph.edges if u != graph.start}
    places = {graph.start: (0.0, 0.0)}
    for arm, first in enumerate(v for u, v in graph.edges if u == graph.start):
        height = (graph.degree - 1) / 2 - arm
        node, distance = first, 1
        while True:
            places[node] = (float(distance), height)
            if node not in children:
                break
            node, distance = children[node], distance + 1
    return places


def plateaus(found: Mapping[tuple[int, int], Sequence[tuple[int, bool]]], most: int, ax: Axes | None = None) -> Axes:
    """Lengths of plateaus against the length of the path, a line a degree, a mark a run.

    Parameters
    ----------
    found : mapping
        From (d, l) to what `measures.plateau` says of every run: examples, and whether the run left the plateau.
    most : int
        Examples at which runs were given up; those that had not left have a mark that points up.
    ax : Axes, optional

    Returns
    -------
    Axes

    Notes
    -----
    Source: `pitfalls/plateau`.
    """
    with look():
        ax = new_axes(width=4.6, height=3.2)[0] if ax is None else ax
        for place, degree in enumerate(sorted({d for d, _ in found})):
            color = (BLUE, ORANGE, GREEN, GREY)[place % 4]
            lengths = sorted(length for d, length in found if d == degree)
            places = [length + 0.05 * place for length in lengths]
            middles = [
                sorted(n for n, _ in found[degree, length])[len(found[degree, length]) // 2] for length in lengths
            ]
            ax.plot(places, [n / 1000 for n in middles], color=color, label=f"d = {degree}")
            for x, length in zip(places, lengths, strict=True):
                for n, left in found[degree, length]:
                    ax.plot(x, n / 1000, "o" if left else "^", color=color, mfc="none")
        ax.axhline(most / 1000, color=GREY, linestyle=":", label="given up")
        ax.set(xlabel="path length l", ylabel="examples at 1/d, thousands")
        ax.set_yscale("log", subs=(2, 5))
        for axis in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
            axis("{x:g}")
        ax.set_xticks(sorted({length for _, length in found}))
        ax.legend(loc="lower right")
    return ax


def free_accuracies(runs: Mapping[str, Sequence[TrainResult]], ax: Axes | None = None) -> Axes:
    """Accuracy of whole answers over the examples seen, a color a kind of run and a line a seed.

    Parameters
    ----------
    runs : mapping
        From what is written beside the color to the runs of that kind.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    with look():
        ax = new_axes(width=4.2, height=3.1)[0] if ax is None else ax
        for place, (name, results) in enumerate(runs.items()):
            for first, result in enumerate(results):
                seen = [one.step * result.batch_size / 1000 for one in result.evaluations]
                free = [one.free for one in result.evaluations]
                color = (BLACK, BLUE, ORANGE, GREEN)[place % 4]
                ax.plot(seen, free, ".-", color=color, label=None if first else name)
        ax.set(xlabel="examples, thousands", ylabel="accuracy of whole answers", ylim=(-0.03, 1.03))
        ax.legend(loc="best")
    return ax
