"""Figures on what gradients across positions are worth: losses by position, their differences, and model sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError
from ..sequence.measures import LossDifference
from .style import BLUE, GREEN, GREY, ORANGE, look, measured, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["gap_by_position", "gap_by_size", "losses_by_position"]

COLOURS = (BLUE, ORANGE, GREEN, GREY)


def losses_by_position(losses: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """The mean loss at every predicted position, a line a model.

    Parameters
    ----------
    losses : mapping of str to sequence of float
        At most four models by name; in nats.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    UsageError
        If there is no model, or more than four.
    """
    _few("losses", len(losses))
    with look():
        ax = new_axes(width=4.2, height=3.1)[0] if ax is None else ax
        for (name, values), colour in zip(losses.items(), COLOURS, strict=False):
            ax.plot(range(1, len(values) + 1), values, color=colour, label=f"{name}: {np.mean(values):.3f}")
        ax.set_title("loss by position", loc="left")
        ax.set(xlabel="position", ylabel="loss, nats", xscale="log")
        ax.legend(loc="best")
    return ax


def gap_by_position(found: Mapping[str, Sequence[LossDifference]], ax: Axes | None = None) -> Axes:
    """Differences of losses at every position: the mean over seeds, within the range of the seeds.

    Parameters
    ----------
    found : mapping of str to sequence of LossDifference
        At most four differences by name, one a seed each.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    UsageError
        If there is none, or more than four.

    Notes
    -----
    Source: 2404.00859 (`planning/gpt2-numbers`).
    """
    _few("found", len(found))
    with look():
        ax = new_axes(width=4.2, height=3.1)[0] if ax is None else ax
        for (name, seeds), colour in zip(found.items(), COLOURS, strict=False):
            values = np.array([one.by_position for one in seeds])
            place = np.arange(1, values.shape[1] + 1)
            ax.fill_between(place, values.min(0), values.max(0), color=colour, alpha=0.2, linewidth=0)
            ax.plot(
                place, values.mean(0), color=colour, label=f"{name}: {np.mean([one.overall for one in seeds]):+.4f}"
            )
        ax.axhline(0.0, color=GREY, linewidth=0.8)
        ax.set_title("difference by position", loc="left")
        ax.set(xlabel="position", ylabel="loss - loss, nats", xscale="log")
        ax.legend(loc="best")
    return ax


def gap_by_size(sizes: Sequence[int], found: Sequence[Sequence[LossDifference]], ax: Axes | None = None) -> Axes:
    """Differences of losses of models of several sizes, a dot a seed with its confidence interval.

    Parameters
    ----------
    sizes : sequence of int
        Parameters of the models.
    found : sequence of sequence of LossDifference
        Of each size its seeds.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    UsageError
        If the lengths differ.
    """
    if len(sizes) != len(found):
        raise UsageError(f"found has {len(found)} sizes; there are {len(sizes)}")
    with look():
        ax = new_axes(width=4.2, height=3.1)[0] if ax is None else ax
        for size, seeds in zip(sizes, found, strict=True):
            gaps, widths = [one.overall for one in seeds], [one.half_width for one in seeds]
            ax.errorbar([size] * len(seeds), gaps, yerr=widths, capsize=2, **measured())
        ax.plot(
            sizes, [np.mean([one.overall for one in seeds]) for seeds in found], color=GREY, label="mean over seeds"
        )
        ax.axhline(0.0, color=GREY, linewidth=0.8)
        ax.set_title("difference by model size", loc="left")
        ax.set(xlabel="parameters", ylabel="loss - loss, nats", xscale="log")
        ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
        ax.minorticks_off()
        ax.legend(loc="best")
    return ax


def _few(name: str, count: int) -> None:
    if not 1 <= count <= len(COLOURS):
        raise UsageError(f"{name} has {count} entries; it must have 1 to {len(COLOURS)}")
