"""The figures of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from ntp_theory.figures import style

from .contestants import OURS
from .instances import GROWTH
from .results import GOAL, Line

__all__ = ["COLOURS", "accuracy", "exponent", "growth", "points", "sizes"]

COLOURS = {
    "ntp_theory": style.BLUE,
    "Clarabel": style.ORANGE,
    "OSQP": style.GREEN,
    "OSQP-polish": "#56B4E9",
    "SCS": "#E69F00",
    "PIQP": "#CC79A7",
    "LIBLINEAR": style.BLACK,
}
WORST = 1.0  # where bounds above it, or none, are drawn


def sizes(best: dict[str, dict[str, Line]]) -> Axes:
    """Seconds against the number of tokens; ``best[solver][instance]`` is the line of its best formulation."""
    with style.look():
        [ax] = style.new_axes(width=5.6, height=3.6)
        for solver, by_instance in best.items():
            points = sorted((line.V, line.compared) for line in by_instance.values() if line.outcome == "reached")
            if points:
                ax.plot(*zip(*points, strict=True), marker="o", color=COLOURS[solver], label=solver)
        ax.set(xscale="log", yscale="log", xlabel="$V = m$", ylabel="seconds to a relative distance of $10^{-7}$")
        ticks = sorted({line.V for by_instance in best.values() for line in by_instance.values()})
        ax.set_xticks(ticks, [str(tick) for tick in ticks])
        ax.minorticks_off()
        ax.legend()
    return ax


def accuracy(best: dict[str, dict[str, Line]], instances: Sequence[str]) -> Axes:
    """The relative distance that each solver reached on each instance."""
    with style.look():
        [ax] = style.new_axes(width=7.6, height=4.2)
        for solver, by_instance in best.items():
            found = [(i, by_instance[name].bound) for i, name in enumerate(instances) if name in by_instance]
            if found:
                places, bounds = np.array(found).T
                ax.plot(places, np.minimum(bounds, WORST), **style.measured(COLOURS[solver]), label=solver)
        ax.axhline(GOAL, color=style.GREY, linestyle=":")
        ax.set(yscale="log", ylabel="certified relative distance to $W_{mm}$")
        ax.set_xticks(range(len(instances)), instances, rotation=60, ha="right", fontsize=7)
        ax.legend(ncols=3, loc="upper left", bbox_to_anchor=(0.0, 1.22))
    return ax


def growth(found: Sequence[Line]) -> Axes:
    """Seconds against V, m and d, a panel each, with the fitted power."""
    with style.look():
        axes = style.new_axes(1, 3, width=2.9, height=3.0)
        for ax, axis in zip(axes, GROWTH, strict=True):
            for contestant in dict.fromkeys(line.contestant for line in found):
                seen = points(found, contestant, axis)
                if len(seen) > 1 and contestant not in OURS[1:]:
                    label = f"{contestant}: {exponent(seen):.1f}"
                    colour = COLOURS[contestant.partition("/")[0]]
                    ax.plot(*zip(*seen, strict=True), marker="o", color=colour, label=label)
            ax.set(xscale="log", yscale="log", xlabel=f"${axis}$")
            at = sorted({int(size) for line in ax.lines for size in np.asarray(line.get_xdata())})
            ax.set_xticks(at, [str(size) for size in at])
            ax.minorticks_off()
            ax.legend(fontsize=7)
        lowest, highest = min(ax.get_ylim()[0] for ax in axes), max(ax.get_ylim()[1] for ax in axes)
        for ax in axes:
            ax.set_ylim(10 ** math.floor(math.log10(lowest)), 10 ** math.ceil(math.log10(highest)))
        axes[0].set_ylabel("seconds")
    return axes[0]


def points(found: Sequence[Line], contestant: str, axis: str) -> list[tuple[int, float]]:
    """Sizes and seconds of a contestant along one axis; where two axes cross, the instance belongs to both."""
    others = [other for other in GROWTH if other != axis]
    along = [line for line in found if line.family == f"growth in {axis}"]
    fixed = {tuple(getattr(line, other) for other in others) for line in along}
    return sorted(
        (getattr(line, axis), line.compared)
        for line in found
        if line.contestant == contestant
        and line.family.startswith("growth")
        and tuple(getattr(line, other) for other in others) in fixed
        and line.outcome == "reached"
    )


def exponent(measured: Sequence[tuple[int, float]]) -> float:
    """The power of the size that fits the seconds best (least squares of logarithms)."""
    size, seconds = np.log(np.array(measured)).T
    return float(np.polyfit(size, seconds, 1)[0])
