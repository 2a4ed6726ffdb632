"""Figures on pre-caching: losses of plain and myopic training, what probes find, and what changed states do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..sequence.measures import CachedEffect, Probes
from ..sequence.training import TrainResult
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, look, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["cached_effects", "held_out_losses", "probe_r2"]

COLOURS = (BLUE, GREEN, BLACK)
# Of the embedding and the layers after it.
LAYERS = (GREY, BLUE, GREEN, BLACK)


def held_out_losses(results: Mapping[str, TrainResult], zero: float | None = None, ax: Axes | None = None) -> Axes:
    """Held-out losses of several runs over the steps, and the loss of saying 0.

    Parameters
    ----------
    results : mapping of str to TrainResult
        By the name of the run.
    zero : float, optional
        `PreCaching.zero_losses`, averaged over the positions.
    ax : Axes, optional

    Returns
    -------
    Axes

    Notes
    -----
    Source: 2404.00859 (`planning/measured-gap`).
    """
    with look():
        ax = new_axes(width=4.2, height=3.1)[0] if ax is None else ax
        for colour, (name, result) in zip(COLOURS, results.items(), strict=False):
            steps = [one.step for one in result.evaluations]
            ax.plot(steps, [one.loss for one in result.evaluations], "o-", color=colour, label=name)
        if zero is not None:
            ax.axhline(zero, color=ORANGE, linestyle="--", label="saying 0")
        ax.set(xlabel="steps", ylabel="held-out loss")
        ax.set_ylim(bottom=0)
        ax.legend(loc="best")
    return ax


def probe_r2(found: Probes, ax: Axes | None = None) -> Axes:
    """The share of variance that probes explain, by lag and layer, with 95 % intervals; dotted, of shuffled features.

    Parameters
    ----------
    found : Probes
    ax : Axes, optional

    Returns
    -------
    Axes

    Notes
    -----
    Source: 2404.00859 (`planning/probes`).
    """
    with look():
        ax = new_axes(width=4.2, height=3.1)[0] if ax is None else ax
        for layer, r2 in enumerate(found.r2):
            colour = LAYERS[layer % len(LAYERS)]
            bars = [r2 - found.low[layer], found.high[layer] - r2]
            # the bootstrap's quantiles may lie on one side of the value by a little
            ax.errorbar(found.lags, r2, [bar.clip(0) for bar in bars], fmt="o-", color=colour, label=_layer(layer))
            ax.plot(found.lags, found.shuffled[layer], ":", color=colour)
        ax.locator_params(axis="x", integer=True)
        ax.set(xlabel="lag", ylabel="$R^2$ on held-out sequences", ylim=(-0.05, 1.05))
        ax.legend(loc="best")
    return ax


def cached_effects(found: Mapping[str, CachedEffect], ax: Axes | None = None) -> Axes:
    """How far outputs follow the changed hidden state of one position, by distance, and the prediction.

    Parameters
    ----------
    found : mapping of str to CachedEffect
        By the name of the model; of one task.
    ax : Axes, optional

    Returns
    -------
    Axes

    Notes
    -----
    Source: the score is ours (`planning/probes`).
    """
    with look():
        ax = new_axes(width=4.2, height=3.1)[0] if ax is None else ax
        for colour, (name, effect) in zip(COLOURS, found.items(), strict=False):
            ax.plot(effect.distances, effect.slopes, "o", color=colour, label=name)
        first = next(iter(found.values()))
        ax.step(first.distances, first.predicted, where="mid", color=ORANGE, label="all through this state")
        ax.locator_params(axis="x", integer=True)
        ax.set(xlabel="positions from the changed state", ylabel="output change by sine change")
        ax.legend(loc="best")
    return ax


def _layer(layer: int) -> str:
    return f"layer {layer}" if layer else "embedding"
