"""How often noise in an embedding lets a token that never follows overtake one that does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..doors import whole
from ..readings import NoiseTolerance, flip_bounds, flip_rate
from .style import BLUE, GREEN, GREY, ORANGE, look, measured, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["flip_rates"]


def flip_rates(
    tolerance: NoiseTolerance, ax: Axes | None = None, *, context: int | None = None, draws: int = 10_000
) -> Axes:
    """Flip rate at a context against the size of the noise, its bounds by caps of the sphere, and the certified radius.

    Parameters
    ----------
    tolerance : NoiseTolerance
        In l2, with a positive radius at the context.
    ax : Axes, optional
        New ones if not given.
    context : int, optional
        The least tolerant one if not given.
    draws : int
        Noises of each size.

    Returns
    -------
    Axes

    Raises
    ------
    UsageError
        If ``draws`` is no positive number, there is no such context, or the norm is not l2.

    Notes
    -----
    Source: ours (`bias/definition-3`).

    Examples
    --------
    >>> from ntp_theory import NTPDataset
    >>> from ntp_theory.readings import noise_tolerance
    >>> data = NTPDataset([[3.0, 0.0], [0.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]])
    >>> flip_rates(noise_tolerance([[1.0, -1.0], [-1.0, 1.0]], data), draws=10).get_xlabel()
    'size of the noise / certified radius (l2)'
    """
    draws = whole("draws", draws, at_least=1)
    j = tolerance.context if context is None else context
    radius = float(tolerance.pair_radii(j)[2].min())
    # in certified radii
    sizes = np.concatenate([[0.25, 0.5, 0.75, 0.999999], np.geomspace(1.1, 12.0, 16)])
    fine = np.concatenate([[0.25, 1.0], np.geomspace(1.001, 12.0, 80)])
    bounds = np.array([flip_bounds(tolerance, float(size) * radius, context=j) for size in fine])
    rates = [
        flip_rate(tolerance, float(size) * radius, context=j, draws=draws, rng=i).share for i, size in enumerate(sizes)
    ]
    with look():
        ax = new_axes(width=4.8, height=3.2)[0] if ax is None else ax
        ax.fill_between(
            fine, bounds[:, 0], bounds[:, 1], color=ORANGE, alpha=0.25, lw=0, label="predicted to be between"
        )
        ax.plot(sizes, rates, **measured(BLUE), label=f"measured, {draws} noises each")
        ax.axvline(1.0, color=GREEN, label=f"certified radius, {radius:.4g}")
        ax.plot([float(tolerance.closest_flip(j).norm()) / radius], [1.0], "v", color=GREY, label="closest flip")
        ax.set(xscale="log", ylim=(-0.03, 1.05), xlabel="size of the noise / certified radius (l2)", ylabel="flip rate")
        ax.set_title(f"Noise after {tolerance.data.context_name(j)}")
        ax.set_xticks(ticks := [0.25, 0.5, 1, 2, 4, 8], [f"{x:g}" for x in ticks], minor=False)
        ax.set_xticks([], minor=True)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
    return ax
