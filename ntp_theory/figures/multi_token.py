"""Figures on predicting several tokens at once: choice points, floors of heads, and laws beside samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..multitoken import HeadFloors, WrongPredictions
from .style import BLACK, GREY, ORANGE, look, measured, new_axes, predicted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["choice_points", "head_floors", "law_beside_samples"]


def choice_points(found: WrongPredictions, ax: Axes | None = None) -> Axes:
    """Which predictions of which heads are wrong: a cell for every position and head, with the token that comes.

    Parameters
    ----------
    found : WrongPredictions
    ax : Axes, optional
        New ones if not given.

    Returns
    -------
    Axes
        Positions to the right, by the token that is read there; heads upwards.

    Examples
    --------
    >>> from ntp_theory.multitoken import wrong_predictions
    >>> ax = choice_points(wrong_predictions("12AB", ["12XY"], 2))
    >>> sorted(text.get_text() for text in ax.texts if text.get_fontweight() == "bold")
    ['A', 'A', 'B']
    """
    from matplotlib.patches import Rectangle

    length, wrong = len(found.taken), set(found.pairs)
    with look():
        ax = new_axes(width=0.45 * length + 0.8, height=0.45 * found.num_heads + 0.9)[0] if ax is None else ax
        for t in range(length - 1):
            for head in range(1, min(found.num_heads, length - 1 - t) + 1):
                missed = (t, head) in wrong
                ax.add_patch(
                    Rectangle((t - 0.45, head - 0.45), 0.9, 0.9, facecolor=ORANGE if missed else "#F2F2F2", zorder=2)
                )
                colour, weight = ("white", "bold") if missed else (GREY, "normal")
                words = str(found.taken[t + head])
                ax.text(t, head, words, ha="center", va="center", zorder=3, color=colour, fontweight=weight)
        ax.set(xlim=(-0.6, length - 1.4), ylim=(0.4, found.num_heads + 0.6), xlabel="token read", ylabel="head")
        ax.set_xticks(range(length - 1), [str(token) for token in found.taken[:-1]])
        ax.set_yticks(range(1, found.num_heads + 1))
        ax.set_title(f"{found.count} wrong predictions")
        ax.grid(False)
    return ax


def head_floors(
    floors: HeadFloors,
    losses: Sequence[float] | None = None,
    errors: Sequence[float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The smallest loss of every head, its limit, and the losses of trained heads if there are some.

    Parameters
    ----------
    floors : HeadFloors
    losses : sequence of float, optional
        Of the first heads, nats.
    errors : sequence of float, optional
        Half-widths of their intervals.
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> from ntp_theory.multitoken import MarkovChain
    >>> ax = head_floors(MarkovChain.of([[0.9, 0.1], [0.4, 0.6]]).floors(4), losses=[0.41, 0.48])
    >>> [line.get_label() for line in ax.lines]
    ['floor', 'limit 0.500', 'measured']
    """
    heads = range(1, len(floors.floors) + 1)
    with look():
        ax = new_axes(width=4.2, height=3.1)[0] if ax is None else ax
        ax.plot(heads, floors.floors, label="floor", marker=".", **predicted())
        ax.axhline(floors.limit, color=GREY, linestyle="--", linewidth=1.0, label=f"limit {floors.limit:.3f}")
        if losses is not None:
            at = heads[: len(losses)]
            ax.plot(at, losses, label="measured", **measured())
            if errors is not None:
                ax.errorbar(at, losses, yerr=errors, fmt="none", ecolor=BLACK, elinewidth=0.8)
        ax.set(xlabel="head", ylabel="loss, nats")
        ax.set_xticks(heads if len(heads) < 13 else heads[:: len(heads) // 6])
        ax.set_title("The smallest loss of each head")
        ax.legend(loc="lower right")
    return ax


def law_beside_samples(law: Mapping[Any, Any], counts: Mapping[Any, int], ax: Axes | None = None) -> Axes:
    """An enumerated law and how often each outcome was drawn, with two standard errors of the law.

    Parameters
    ----------
    law : mapping from outcomes to probabilities
        As `sequence.decoding.law` gives it.
    counts : mapping from outcomes to numbers
        How often each was drawn.
    ax : Axes, optional

    Returns
    -------
    Axes
        Outcomes by falling probability; about 19 of 20 dots lie within their bars if the law is right.

    Raises
    ------
    UsageError
        If nothing was drawn, or an outcome to which the law gives no probability.

    Examples
    --------
    >>> ax = law_beside_samples({"a": 0.75, "b": 0.25}, {"a": 70, "b": 30})
    >>> [text.get_text() for text in ax.get_xticklabels()]
    ['a', 'b']
    """
    total = sum(counts.values())
    if not total:
        raise UsageError("counts is empty; something must have been drawn")
    if strange := [outcome for outcome, count in counts.items() if count and not law.get(outcome)]:
        raise UsageError(f"counts has {strange[0]!r}, to which the law gives no probability")
    outcomes = sorted(law, key=lambda outcome: -float(law[outcome]))
    p = [float(law[outcome]) for outcome in outcomes]
    with look():
        ax = new_axes(width=max(4.0, 0.28 * len(p)), height=3.2)[0] if ax is None else ax
        places = range(len(p))
        bars = [2.0 * math.sqrt(x * (1.0 - x) / total) for x in p]
        ax.errorbar(places, p, yerr=bars, fmt="_", color=ORANGE, markersize=9, label="law, two standard errors")
        ax.plot(places, [counts.get(outcome, 0) / total for outcome in outcomes], label="drawn", **measured())
        names = ["".join(map(str, outcome)) if isinstance(outcome, tuple) else str(outcome) for outcome in outcomes]
        ax.set_xticks(places, names, rotation=90 if len(p) > 12 else 0)
        ax.set(xlabel="outcome", ylabel="probability")
        ax.set_title(f"The law beside {total:,} samples")
        ax.legend(loc="upper right")
    return ax
