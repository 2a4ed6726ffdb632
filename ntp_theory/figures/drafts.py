"""Figures of drafts that are kept: survival by their place, tokens a pass by the heads that make them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import UsageError
from .style import BLACK, look, measured, new_axes, predicted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["survival_by_draft", "tokens_by_heads"]

Means = Sequence[tuple[float, float]]


def survival_by_draft(found: Means, formula: Sequence[float], ax: Axes | None = None) -> Axes:
    """How often the first 1, 2 .. drafts of a block are kept, beside what independence of them predicts.

    Parameters
    ----------
    found : sequence of (float, float)
        Means with the half-widths of their intervals, the first draft first.
    formula : sequence of float
        As many predictions.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    UsageError
        If there is nothing to draw, or not as many predictions as means.

    Examples
    --------
    >>> ax = survival_by_draft([(0.6, 0.02), (0.3, 0.03)], [0.6, 0.36])
    >>> [line.get_label() for line in ax.lines]
    ['if drafts were independent', 'measured']
    """
    ax = _beside(found, formula, ax)
    ax.set_title("all drafts up to this one kept", loc="left")
    ax.set(xlabel="draft", ylabel="share of blocks", ylim=(0, 1))
    return ax


def tokens_by_heads(found: Means, formula: Sequence[float], ax: Axes | None = None) -> Axes:
    """Tokens a pass by the number of heads that are used, the next-token head among them, as in `survival_by_draft`."""
    ax = _beside(found, formula, ax)
    ax.set_title("tokens a pass", loc="left")
    ax.set(xlabel="heads used", ylabel="tokens a pass")
    return ax


def _beside(found: Means, formula: Sequence[float], ax: Axes | None) -> Axes:
    if not found or len(found) != len(formula):
        raise UsageError(f"found has {len(found)} entries and formula {len(formula)}; as many of each, one at least")
    places = range(1, len(found) + 1)
    means, half_widths = zip(*found, strict=True)
    with look():
        ax = new_axes(width=3.6, height=3.1)[0] if ax is None else ax
        ax.plot(places, formula, label="if drafts were independent", **predicted())
        ax.plot(places, means, label="measured", **measured())
        ax.errorbar(places, means, yerr=half_widths, fmt="none", ecolor=BLACK, elinewidth=0.8)
        ax.set_xticks(places)
        ax.legend(loc="best")
    return ax
