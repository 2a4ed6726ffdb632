"""Word and context embeddings in the plane, the paper's Figs. 1-2."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..dataset import NTPDataset
from ..doors import as_decoder
from ..errors import UsageError
from ..predict import Limit
from .style import BLUE, GREY, ORANGE, look, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["embeddings", "toy_figure"]

# Words whose arrows end within this part of the longest one are the same word to the decoder: one arrow, joint label.
SAME = 1e-4

# Behind a name, so that lines of the grid do not cross it.
PLATE = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}


def toy_figure(limit: Limit, axes: list[Axes] | None = None) -> list[Axes]:
    """Rows of W_mm, the directional part, beside rows of W*, the finite part, among the contexts.

    Parameters
    ----------
    limit : Limit
        Of planar data (d = 2) that is separable.
    axes : list of two Axes, optional
        A new figure if not given.

    Returns
    -------
    list of Axes

    Raises
    ------
    UsageError
        If d is not 2, or nothing diverges.

    Notes
    -----
    Source: 2402.18551 Figs. 1-2 (`bias/figure-toy`).

    Examples
    --------
    >>> from ntp_theory import construct, predict
    >>> len(toy_figure(predict(construct.toy())))
    2
    """
    if limit.direction is None:
        raise UsageError("limit.direction is None; nothing diverges, so there is no direction to draw")
    with look():
        axes = new_axes(1, 2, width=3.9, height=4.2) if axes is None else axes
    embeddings(limit.direction, limit.data, axes[0], title=r"Directional: rows of $W^{mm}$")
    embeddings(limit.finite, limit.data, axes[1], title=r"Finite: rows of $W^{*}$")
    for low_high, set_limits in (("get_xlim", "set_xlim"), ("get_ylim", "set_ylim")):
        both = [getattr(ax, low_high)() for ax in axes]
        for ax in axes:
            getattr(ax, set_limits)(min(low for low, _ in both), max(high for _, high in both))
    return axes


def embeddings(weights: ArrayLike | Tensor, data: NTPDataset, ax: Axes | None = None, *, title: str = "") -> Axes:
    """Rows of a decoder as arrows, one a word, and the contexts as markers, in the plane.

    The arrows share one scale, chosen so that the longest is as long as the longest context and named in a corner.

    Parameters
    ----------
    weights : Tensor (V, 2)
    data : NTPDataset
    ax : Axes, optional
    title : str

    Returns
    -------
    Axes

    Raises
    ------
    UsageError
        If d is not 2, or the weights do not fit.

    Examples
    --------
    >>> from ntp_theory import construct, predict
    >>> data = construct.toy()
    >>> ax = embeddings(predict(data).direction, data)
    >>> sorted(text.get_text() for text in ax.texts if "," in text.get_text())
    ['1, 5']
    """
    if data.dim != 2:
        raise UsageError(f"data has dimension d = {data.dim}; only d = 2 can be drawn in the plane")
    words = as_decoder(weights, (data.vocab_size, 2), data.embeddings).cpu()
    contexts = data.embeddings.cpu()
    longest = float(words.norm(dim=1).max())
    scale = float(contexts.norm(dim=1).max()) / longest if longest > 0 else 1.0
    arrows = words * scale
    with look():
        ax = new_axes(width=4.4, height=3.8)[0] if ax is None else ax
        everything = torch.cat([arrows, contexts, contexts.new_zeros(1, 2)])
        low, high = everything.amin(0), everything.amax(0)
        pad = 0.16 * float((high - low).max())
        ax.set_aspect("equal")
        ax.set_xlim(float(low[0]) - pad, float(high[0]) + pad)
        ax.set_ylim(float(low[1]) - pad, float(high[1]) + pad)
        ax.axhline(0.0, color=GREY, linewidth=0.6, zorder=1)
        ax.axvline(0.0, color=GREY, linewidth=0.6, zorder=1)
        groups = _groups(arrows, data)
        taken = _along([place for place, _ in groups]) + contexts.tolist()
        for place, names in groups:
            _arrow(ax, place)
            taken.append(_label(ax, place, ", ".join(names), BLUE, taken, 0.4 * pad))
        ax.plot(contexts[:, 0], contexts[:, 1], linestyle="none", marker="s", markersize=7, color=ORANGE, zorder=4)
        for j, place in enumerate(contexts.tolist()):
            name = data.context_names[j] if data.context_names else f"#{j}"
            taken.append(_label(ax, place, name, ORANGE, taken, 0.4 * pad))
        ax.set_title(title, loc="left")
        ax.set_xlabel(f"squares: contexts; arrows: words, drawn x {scale:.3g}")
    return ax


def _groups(arrows: Tensor, data: NTPDataset) -> list[tuple[list[float], list[str]]]:
    """Places of the arrows with the names of the words that share each."""
    near = SAME * float(arrows.norm(dim=1).max())
    groups: list[tuple[Tensor, list[str]]] = []
    for v, place in enumerate(arrows):
        name = data.token_names[v] if data.token_names else f"#{v}"
        for there, names in groups:
            if float((there - place).norm()) <= near:
                names.append(name)
                break
        else:
            groups.append((place, [name]))
    return [(place.tolist(), names) for place, names in groups]


def _along(ends: list[list[float]]) -> list[list[float]]:
    """Points along the arrows, for labels to keep away from."""
    return [[part * x / 20, part * y / 20] for x, y in ends for part in range(21)]


def _arrow(ax: Axes, place: list[float]) -> None:
    style = {"arrowstyle": "-|>", "color": BLUE, "linewidth": 1.6, "shrinkA": 0.0, "shrinkB": 0.0}
    ax.annotate("", xy=(place[0], place[1]), xytext=(0.0, 0.0), zorder=3, arrowprops=style)


def _label(
    ax: Axes, place: list[float], name: str, colour: str, taken: list[list[float]], distance: float
) -> list[float]:
    """Write a name beside a place, on the side where most room is left; returns where."""
    around = [math.tau * i / 16 for i in range(16)]
    sides = [[place[0] + distance * math.cos(a), place[1] + distance * math.sin(a)] for a in around]
    spot = max(sides, key=lambda side: min(math.dist(side, other) for other in taken if other != place))
    ax.text(spot[0], spot[1], name, color=colour, ha="center", va="center", fontweight="bold", zorder=5, bbox=PLATE)
    return spot
