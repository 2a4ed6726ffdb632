"""Free features: Gram matrices, slopes and modes, each beside its prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from ..geometry import FeatureFlow, FreeLimit, LogitPath, mode_strength
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, look, measured, new_axes, predicted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["grams", "modes", "slopes"]

COLOURS = (BLUE, ORANGE, GREEN, BLACK, GREY)


def grams(
    path: LogitPath,
    limit: FreeLimit,
    *,
    which: Literal["words", "contexts"] = "contexts",
    index: int = -1,
    ax: Axes | None = None,
) -> Axes:
    """Cosines of embeddings: measured below the diagonal, as the limit predicts them above it.

    Parameters
    ----------
    path : LogitPath
    limit : FreeLimit
    which : {"words", "contexts"}
        Rows of the decoder, or embeddings of contexts.
    index : int
        Point of the path.
    ax : Axes, optional
        New ones if not given.

    Returns
    -------
    Axes
        Contexts, or tokens, in the order of the data; those with an embedding of 0 are left white.

    Notes
    -----
    Source: 2408.15417 (`geometry/gram-collapse`).

    Examples
    --------
    >>> from ntp_theory.geometry import UnconstrainedFeatures
    >>> problem = UnconstrainedFeatures([[0.75, 0.25, 0.0], [0.0, 0.0, 1.0]])
    >>> grams(problem.solve(1e-4), problem.limit()).get_xlabel()
    'contexts'
    """
    w, h = path.factors(index)
    found = w @ w.mT if which == "words" else h.mT @ h
    foreseen = limit.grams()[0 if which == "words" else 1]
    cosines = torch.tril(_cosines(found)) + torch.triu(_cosines(foreseen), diagonal=1)
    with look():
        ax = new_axes(width=3.6, height=3.2)[0] if ax is None else ax
        image = ax.imshow(cosines.numpy(), vmin=-1.0, vmax=1.0, cmap="RdBu_r", interpolation="nearest")
        n = len(cosines)
        ax.plot([-0.5, n - 0.5], [-0.5, n - 0.5], color=BLACK, linewidth=0.8)
        ax.grid(False)
        ax.set(xlabel=which, ylabel=which)
        ax.set_title(f"Cosines of {which}: limit above, ridge {float(path.ridge[index]):.0e} below", fontsize=8)
        ax.figure.colorbar(image, ax=ax, shrink=0.85)
    return ax


def slopes(path: LogitPath, limit: FreeLimit, ax: Axes | None = None) -> Axes:
    """How far slope and direction of the logits are from L_mm along the ridge, with the predictions if they are known.

    Parameters
    ----------
    path : LogitPath
        Ridges below 1.
    limit : FreeLimit
    ax : Axes, optional
        New ones if not given.

    Returns
    -------
    Axes
        ``||dL / d log(1/ridge) - L_mm|| / ||L_mm||`` and ``||L / ||L|| - L_mm / ||L_mm||||``, both on logarithmic axes.

    Notes
    -----
    Source: 2408.15417 (`geometry/ufm-limit`); the predictions are derived (`FreeLimit`).

    Examples
    --------
    >>> from ntp_theory.geometry import UnconstrainedFeatures
    >>> problem = UnconstrainedFeatures([[0.75, 0.25, 0.0], [0.0, 0.0, 1.0]])
    >>> slopes(problem.solve([1e-2, 1e-4]), problem.limit()).get_yscale()
    'log'
    """
    goal, ridges = limit.direction, path.ridge.tolist()
    with look():
        ax = new_axes()[0] if ax is None else ax
        for name, colour, values, known in (
            ("slope", BLUE, [_away(x, goal) for x in path.slopes], limit.slope),
            ("direction", GREEN, [_turned(x, goal) for x in path.logits], limit.logits),
        ):
            ax.plot(ridges, values, label=name, **measured(colour))
            if limit.offset is not None:
                distance = _away if name == "slope" else _turned
                line = [distance(known(r), goal) for r in ridges]
                ax.plot(ridges, line, label="predicted" if name == "direction" else None, **predicted())
        ax.set(xscale="log", yscale="log", xlabel="ridge", ylabel="distance to $L^{mm}$, relative")
        ax.invert_xaxis()
        ax.set_title("The slope finds $L^{mm}$, the direction follows")
        ax.legend(loc="best")
    return ax


def modes(flow: FeatureFlow, target: Tensor, *, delta: float | None = None, ax: Axes | None = None) -> Axes:
    """Strengths of the singular values of a target over the time of a flow, with the closed form drawn in.

    Parameters
    ----------
    flow : FeatureFlow
    target : Tensor (V, m)
    delta : float, optional
        Of the spectral start of a flow on square loss: draws the closed form.
    ax : Axes, optional
        New ones if not given.

    Returns
    -------
    Axes

    Notes
    -----
    Source: 2505.08348 (`geometry/saxe-dynamics`, `geometry/semantics`).

    Examples
    --------
    >>> from ntp_theory.geometry import feature_flow, spectral_start, square_loss_gradient
    >>> target = torch.diag(torch.tensor([2.0, 1.0], dtype=torch.float64))
    >>> run = feature_flow(square_loss_gradient(target), *spectral_start(target, 3.0, rng=0), [0.0, 1.0, 2.0])
    >>> len(modes(run, target, delta=3.0).lines)
    4
    """
    levels = torch.linalg.svdvals(target)
    levels = levels[levels > 1e-10 * levels[0]].tolist()
    strengths = flow.strengths(target)
    with look():
        ax = new_axes()[0] if ax is None else ax
        for i, level in enumerate(levels):
            colour = COLOURS[i % len(COLOURS)]
            label = rf"$\sigma = {level:.2f}$"
            ax.plot(flow.times.numpy(), strengths[:, i].numpy(), label=label, **measured(colour))
            if delta is not None:
                ax.plot(flow.times.numpy(), mode_strength(level, delta, flow.times).numpy(), **predicted(colour))
        ax.set(xlabel="time", ylabel="strength of the mode")
        ax.set_title("Larger singular values first")
        ax.legend(loc="lower right")
    return ax


def _cosines(gram: Tensor) -> Tensor:
    lengths = gram.diagonal().clamp(min=0).sqrt()
    lengths = torch.where(lengths > 1e-6 * lengths.max(), lengths, torch.nan)
    return gram / (lengths[:, None] * lengths)


def _away(found: Tensor, goal: Tensor) -> float:
    return float((found - goal).norm() / goal.norm())


def _turned(found: Tensor, goal: Tensor) -> float:
    return float((found / found.norm() - goal / goal.norm()).norm())
