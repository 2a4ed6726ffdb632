"""The four panels of the paper's Figs. 3-5: a gradient descent run beside what the data predicts for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import loss as exact_loss
from ..descent import Trajectory
from ..doors import instance
from ..errors import UsageError
from ..predict import Limit
from ..subspace import data_subspace
from .style import BLACK, GREEN, GREY, look, measured, new_axes, predicted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["alignment", "distance", "four_panels", "loss", "norm"]


def four_panels(trajectory: Trajectory, limit: Limit, axes: list[Axes] | None = None) -> list[Axes]:
    """Loss, norm, alignment and distance on F of a run, each with its prediction.

    Parameters
    ----------
    trajectory : Trajectory
    limit : Limit
        The prediction for the data of the run.
    axes : list of four Axes, optional
        A new figure if not given.

    Returns
    -------
    list of Axes

    Raises
    ------
    UsageError
        If nothing diverges under ``limit``, so that there is no direction to align with.

    Notes
    -----
    Source: 2402.18551 Figs. 3-5 (`bias/figure-a2`); the predicted curves are ours (`bias/sharp-gd-loss`,
    `bias/offset`, `bias/sharp-gd-finite`).

    Examples
    --------
    >>> from ntp_theory import construct, descend, predict
    >>> data = construct.tiny()
    >>> axes = four_panels(descend(data, steps=10), predict(data))
    >>> [ax.get_title(loc="left") for ax in axes]
    ['Loss', 'Norm', 'Alignment', 'Distance on F']
    """
    with look():
        axes = new_axes(2, 2, width=4.2, height=3.1) if axes is None else axes
    loss(trajectory, limit, axes[0])
    norm(trajectory, limit, axes[1])
    alignment(trajectory, limit, axes[2])
    distance(trajectory, limit, axes[3])
    return axes


def loss(trajectory: Trajectory, limit: Limit | None = None, ax: Axes | None = None) -> Axes:
    """Cross-entropy by step over the entropy; with a prediction also ``inf CE + ||W_mm||^2 / (eta k)``.

    Parameters
    ----------
    trajectory : Trajectory
    limit : Limit, optional
        Without it (text that is not separable) only what was measured is drawn.
    ax : Axes, optional

    Returns
    -------
    Axes

    Notes
    -----
    Source: `bias/entropy-floor`, `bias/sharp-gd-loss`.

    Examples
    --------
    >>> from ntp_theory import construct, descend
    >>> loss(descend(construct.tiny(), steps=10)).get_ylabel()
    'CE (nats)'
    """
    instance("trajectory", trajectory, Trajectory)
    entropy = trajectory.data.entropy
    k, values = _after_start(trajectory, entropy + trajectory.gap)
    law = None
    if limit is not None and limit.direction is not None:
        law = limit.loss_constant / (trajectory.step_size * k)
    with look():
        ax = new_axes()[0] if ax is None else ax
        ax.plot(k, values, label="measured", **measured())
        top = max(float(values.max()), entropy)
        if limit is not None and limit.infimum - entropy > 0.01 * (top - entropy):
            ax.axhline(limit.infimum, color=GREY, linestyle=":", label="predicted infimum", zorder=1)
        ax.axhline(entropy, color=BLACK, linestyle="--", linewidth=1.0, label=r"entropy $\mathcal{H}$", zorder=1)
        ax.set_ylim(entropy - 0.06 * (top - entropy), top + 0.06 * (top - entropy))
        if limit is not None and law is not None:
            near = limit.infimum + law <= top
            label = r"$\inf\,\mathrm{CE}+\|W^{mm}\|^2/(\eta k)$"
            ax.plot(k[near], limit.infimum + law[near], label=label, **predicted())
            _excess(ax, trajectory, limit, k, law)
        _finish(ax, "Loss", "CE (nats)", legend="upper right")
    return ax


def norm(trajectory: Trajectory, limit: Limit, ax: Axes | None = None) -> Axes:
    """Norm of W_k by step, and of the predicted ``W_mm log(eta k) + offset``, whose slope tends to ``||W_mm||``.

    Parameters
    ----------
    trajectory : Trajectory
    limit : Limit
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    UsageError
        If nothing diverges under ``limit``.

    Notes
    -----
    Source: `bias/sharp-gd-norm`, `bias/offset`.

    Examples
    --------
    >>> from ntp_theory import construct, descend, predict
    >>> data = construct.tiny()
    >>> norm(descend(data, steps=10), predict(data)).get_title(loc="left")
    'Norm'
    """
    _direction(limit)
    k, values = _after_start(trajectory, trajectory.norm)
    later, decoders = _predicted_decoders(trajectory, limit, k)
    with look():
        ax = new_axes()[0] if ax is None else ax
        ax.plot(k, values, label=r"$\|W_k\|$ measured", **measured())
        slope = r"predicted, slope $\|W^{mm}\|=" + f"{limit.svm.norm:.3g}$"
        ax.plot(later, [float(w.norm()) for w in decoders], label=slope, **predicted())
        ax.set_ylim(bottom=0.0)
        _finish(ax, "Norm", r"$\|W_k\|$")
    return ax


def alignment(trajectory: Trajectory, limit: Limit, ax: Axes | None = None) -> Axes:
    """Cosine of W_mm with W_k and with ``W_k - W*`` by step, and the predicted approach to 1 like ``1/log^2 k``.

    Parameters
    ----------
    trajectory : Trajectory
    limit : Limit
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    UsageError
        If nothing diverges under ``limit``.

    Notes
    -----
    Source: `bias/theorem-2`, `bias/sharp-gd-direction`.

    Examples
    --------
    >>> from ntp_theory import construct, descend, predict
    >>> data = construct.tiny()
    >>> alignment(descend(data, steps=10), predict(data)).get_title(loc="left")
    'Alignment'
    """
    direction = _direction(limit)
    k, whole = _after_start(trajectory, [_cosine(w, direction) for w in trajectory.weights])
    _, rest = _after_start(trajectory, [_cosine(w - limit.finite, direction) for w in trajectory.weights])
    later, decoders = _predicted_decoders(trajectory, limit, k)
    with look():
        ax = new_axes()[0] if ax is None else ax
        ax.axhline(1.0, color=BLACK, linestyle="--", linewidth=1.0, zorder=1)
        ax.plot(k, whole, label="$W_k$ measured", **measured())
        ax.plot(k, rest, label=r"$W_k-W^{*}$ measured", **measured(GREEN))
        for shift, label in ((torch.zeros_like(limit.finite), "both predicted"), (limit.finite, None)):
            ax.plot(later, [_cosine(w - shift, direction) for w in decoders], label=label, **predicted())
        _finish(ax, "Alignment", r"cosine with $W^{mm}$")
    return ax


def distance(trajectory: Trajectory, limit: Limit, ax: Axes | None = None) -> Axes:
    """Distance ``||P_F W_k - W*||`` by step, and the predicted ``||D|| / (eta k)``.

    Parameters
    ----------
    trajectory : Trajectory
    limit : Limit
    ax : Axes, optional

    Returns
    -------
    Axes

    Notes
    -----
    Source: `bias/theorem-2`, `bias/sharp-gd-finite`.

    Examples
    --------
    >>> from ntp_theory import construct, descend, predict
    >>> data = construct.tiny()
    >>> distance(descend(data, steps=10), predict(data)).get_yscale()
    'log'
    """
    subspace = data_subspace(limit.reference)
    gaps = [float((subspace.project(w) - limit.finite).norm()) for w in trajectory.weights]
    k, values = _after_start(trajectory, gaps)
    constant = float(limit.finite_constant.norm())
    with look():
        ax = new_axes()[0] if ax is None else ax
        ax.plot(k, values, label="measured", **measured())
        if constant > 0.0:
            law = constant / (trajectory.step_size * k)
            near = law <= 2 * values.max()
            label = r"$\|D\|/(\eta k)$, $\|D\|=" + f"{constant:.3g}$"
            ax.plot(k[near], law[near], label=label, **predicted())
        ax.set_yscale("log")
        _finish(ax, "Distance on F", r"$\|\mathcal{P}_\mathcal{F}W_k-W^{*}\|$")
    return ax


def _direction(limit: Limit) -> Tensor:
    instance("limit", limit, Limit)
    if limit.direction is None:
        raise UsageError("limit.direction is None; nothing diverges, so there is no direction to draw")
    return limit.direction


def _after_start(
    trajectory: Trajectory, values: Tensor | list[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Steps and values without k = 0, which a logarithmic axis cannot show."""
    k = trajectory.times.cpu().double().numpy()
    series = np.asarray(values.tolist() if isinstance(values, Tensor) else values, dtype=np.float64)
    return k[k > 0], series[k > 0]


def _predicted_decoders(
    trajectory: Trajectory, limit: Limit, k: NDArray[np.float64]
) -> tuple[NDArray[np.float64], list[Tensor]]:
    """Predicted W_k at the recorded steps from the burn-in on, where the expansion begins to mean something."""
    later = k[k >= limit.burn_in / trajectory.step_size]
    return later, [limit.decoder(step, trajectory.step_size) for step in later]


def _cosine(a: Tensor, b: Tensor) -> float:
    size = float(a.norm() * b.norm())
    return float((a * b).sum()) / size if size else math.nan


def _excess(ax: Axes, trajectory: Trajectory, limit: Limit, k: NDArray[np.float64], law: NDArray[np.float64]) -> None:
    """The same loss above its infimum, in a small logarithmic picture inside: there the law is a straight line."""
    gaps = [exact_loss.evaluate(w, limit.reference).gap for w in trajectory.weights]
    _, values = _after_start(trajectory, gaps)
    inset = ax.inset_axes((0.6, 0.24, 0.38, 0.36))
    inset.plot(k, values, **measured() | {"markersize": 2.4})
    near = law <= 3 * values.max()
    inset.plot(k[near], law[near], **predicted())
    inset.set(xscale="log", yscale="log")
    inset.set_title(r"$\mathrm{CE}-\inf\,\mathrm{CE}$", fontsize=7.5, loc="left", fontweight="normal", pad=2.0)
    inset.tick_params(labelsize=6.5)
    inset.minorticks_off()


def _finish(ax: Axes, title: str, label: str, legend: Literal["best", "upper right"] = "best") -> None:
    ax.set_xscale("log")
    ax.set(xlabel="step $k$", ylabel=label)
    ax.set_title(title, loc="left")
    ax.legend(loc=legend)
