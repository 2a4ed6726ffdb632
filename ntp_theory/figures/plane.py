"""Word and context embeddings in the plane, the paper's Figs. 1-2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..dataset import NTPDataset
from ..doors import as_decoder
from ..errors import UsageError
from ..predict import Limit
from .style import BLACK, BLUE, GREY, ORANGE, look, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["embeddings", "toy_figure"]

# Words whose arrows end within this part of the longest one are the same word to the decoder: one arrow, joint label.
SAME = 1e-4


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
        raise UsageError("limit.direction is None; every support is full and nothing diverges")
    with look():
        axes = new_axes(1, 2, width=4.6, height=3.9) if axes is None else axes
    embeddings(limit.direction, limit.data, axes[0], title=r"Directional: rows of $W^{mm}$")
    embeddings(limit.finite, limit.data, axes[1], title=r"Finite: rows of $W^\star$")
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
        for place, names in _groups(arrows, data):
            _arrow(ax, place, ", ".join(names), 0.35 * pad)
        ax.plot(contexts[:, 0], contexts[:, 1], linestyle="none", marker="s", markersize=7, color=ORANGE, zorder=4)
        for j, place in enumerate(contexts.tolist()):
            name = data.context_names[j] if data.context_names else f"#{j}"
            _label(ax, place, name, 0.42 * pad, ORANGE)
        ax.set_title(title, loc="left")
        ax.text(
            0.01, 0.01, f"squares: contexts; arrows: words, drawn x {scale:.3g}",
            transform=ax.transAxes, fontsize=7.5, color=BLACK,
        )  # fmt: skip
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


def _arrow(ax: Axes, place: list[float], name: str, distance: float) -> None:
    ax.annotate(
        "", xy=(place[0], place[1]), xytext=(0.0, 0.0), zorder=3,
        arrowprops={"arrowstyle": "-|>", "color": BLUE, "linewidth": 1.6, "shrinkA": 0.0, "shrinkB": 0.0},
    )  # fmt: skip
    _label(ax, place, name, distance, BLUE)


def _label(ax: Axes, place: list[float], name: str, distance: float, colour: str) -> None:
    """A name just beyond a place, seen from the origin."""
    size = max((place[0] ** 2 + place[1] ** 2) ** 0.5, 1e-300)
    x, y = (c + distance * c / size for c in place)
    ax.text(x, y, name, color=colour, ha="center", va="center", fontweight="bold", zorder=5)
