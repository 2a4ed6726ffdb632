"""Which tokens may follow which contexts, which can be driven to zero probability, and which cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..conditions import ExtendedSupport
from .style import BLUE, ORANGE, look, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["supports"]

KINDS = (("escapes", "#F2F2F2"), ("blocked", ORANGE), ("in the support", BLUE))


def supports(extended: ExtendedSupport, ax: Axes | None = None) -> Axes:
    """Every pair of a context and a token by what becomes of its probability.

    Parameters
    ----------
    extended : ExtendedSupport
    ax : Axes, optional
        New ones if not given.

    Returns
    -------
    Axes
        Tokens to the right, contexts downwards, both by the number of their entries in the extended supports.

    Notes
    -----
    Source: ours (`bias/any-data`).

    Examples
    --------
    >>> from ntp_theory import construct, extended_support
    >>> ax = supports(extended_support(construct.designed("partially-separable").data))
    >>> ax.get_xlabel()
    'token'
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    kind = (extended.support.int() + extended.data.support.int()).cpu()
    # full columns and rows of the extended supports first, frequent ones of the supports before others
    rank = extended.support.cpu() * (1.0 + kind.numel()) + extended.data.support.cpu()
    rows, columns = rank.sum(1).argsort(descending=True), rank.sum(0).argsort(descending=True)
    with look():
        ax = new_axes(width=4.6, height=4.4)[0] if ax is None else ax
        ax.imshow(
            kind[rows][:, columns].numpy(),
            cmap=ListedColormap([colour for _, colour in KINDS]),
            vmin=0,
            vmax=2,
            aspect="auto",
            interpolation="nearest",
        )
        ax.grid(False)
        ax.set(xlabel="token", ylabel="context")
        ax.set_title("Which probabilities can go to zero")
        ax.legend(
            handles=[
                Patch(facecolor=colour, edgecolor="#BBBBBB", label=f"{name}: {int((kind == n).sum())}")
                for n, (name, colour) in enumerate(KINDS)
            ],
            loc="upper center",
            bbox_to_anchor=(0.5, -0.14),
            ncols=3,
        )
    return ax
