"""Figures on multi-token prediction: the memory of a training step by number of heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .style import BLUE, GREY, ORANGE, look, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["memory_by_heads"]

COLOURS = (ORANGE, BLUE, GREY)


def memory_by_heads(heads: Sequence[int], peaks: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """The peak of live memory over the number of heads, a line for every way of training.

    Parameters
    ----------
    heads : sequence of int
    peaks : mapping of str to sequence of float
        By the name of the way, in logit matrices (T, V).
    ax : Axes, optional

    Returns
    -------
    Axes

    Notes
    -----
    Source: derived (`multitoken/sequential-heads`).
    """
    with look():
        ax = new_axes(width=4.2, height=3.1)[0] if ax is None else ax
        for colour, (name, found) in zip(COLOURS, peaks.items(), strict=False):
            ax.plot(heads, found, "o-", color=colour, label=name)
        ax.set_xticks(list(heads))
        ax.set(xlabel="heads", ylabel="peak memory, logit matrices")
        ax.set_ylim(bottom=0)
        ax.legend(loc="upper left")
    return ax
