"""Learned features: what happens along training, and the laws on frozen features with their predictions drawn in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..bridge import AlongTraining, FrozenTraining
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, look, measured, new_axes, predicted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["conditions_along", "frozen_direction", "frozen_loss", "gap_along"]


def gap_along(run: AlongTraining, ax: Axes | None = None) -> Axes:
    """The model's own loss above the entropy by step: all of it, and its part within supports.

    Parameters
    ----------
    run : AlongTraining
    ax : Axes, optional
        New ones if not given.

    Returns
    -------
    Axes

    Notes
    -----
    Source: 2402.18551 (`bias/entropy-floor`, `bias/split`).

    Examples
    --------
    >>> from ntp_theory.bridge import along_training
    >>> from ntp_theory.sequence.models import model_for
    >>> from ntp_theory.sequence.tasks import SparseContexts
    >>> task = SparseContexts(vocab_size=4, num_contexts=3, context_length=2)
    >>> gap_along(along_training(model_for(task), task, steps=2, every=1)).get_yscale()
    'log'
    """
    with look():
        ax = new_axes()[0] if ax is None else ax
        for name, values, colour in (("off supports", run.tail, ORANGE), ("within supports", run.in_support, GREEN)):
            ax.plot(run.steps, values, label=name, **measured(colour))
        ax.plot(run.steps, run.gap, label=r"$\mathrm{CE}-\mathcal{H}$", **measured(BLUE))
        ax.set(yscale="log", xlabel="step of training", ylabel="nats")
        ax.set_title("Loss above the entropy")
        ax.legend(loc="best")
    return ax


def conditions_along(run: AlongTraining, ax: Axes | None = None) -> Axes:
    """By step: separability, alignment with W_mm of the features of the time, share of their margin, error on F.

    Parameters
    ----------
    run : AlongTraining
    ax : Axes, optional
        New ones if not given.

    Returns
    -------
    Axes
        From 0 to 1; what is below or above is cut off.

    Notes
    -----
    Source: 2402.18551 (`bias/nonlinear-extension`). No theorem says that the own head comes to W_mm here: nothing is
    drawn in but the 1 that it would reach.

    Examples
    --------
    >>> from ntp_theory.bridge import along_training
    >>> from ntp_theory.sequence.models import model_for
    >>> from ntp_theory.sequence.tasks import SparseContexts
    >>> task = SparseContexts(vocab_size=4, num_contexts=3, context_length=2)
    >>> len(conditions_along(along_training(model_for(task), task, steps=2, every=1)).lines)
    5
    """
    with look():
        ax = new_axes()[0] if ax is None else ax
        ax.axhline(1.0, color=BLACK, linewidth=0.8)
        for name, values, colour in (
            ("separable share of pairs", run.escaping, GREY),
            (r"$\cos(P_\perp W, W^{mm})$", run.cosine, BLUE),
            ("share of the margin", run.share, ORANGE),
            (r"$\|P_F W-W^\star\|\,/\,\|W^\star\|$", run.finite_error, GREEN),
        ):
            ax.plot(run.steps, values, label=name, **measured(colour))
        ax.set(ylim=(-0.02, 1.05), xlabel="step of training")
        ax.set_title("Own head against the limit of its features")
        ax.legend(loc="lower right", bbox_to_anchor=(1.0, 0.12))  # between the shares, near 1, and the error, near 0
    return ax


def frozen_loss(frozen: FrozenTraining, ax: Axes | None = None) -> Axes:
    """``t (CE - inf CE)`` of descent and flow by log t, with ``||W_mm||^2`` as the features alone predict it.

    Parameters
    ----------
    frozen : FrozenTraining
    ax : Axes, optional
        New ones if not given.

    Returns
    -------
    Axes

    Notes
    -----
    Source: derived (`bias/sharp-gd-loss`).

    Examples
    --------
    >>> import torch
    >>> from ntp_theory import NTPDataset
    >>> from ntp_theory.bridge import train_frozen
    >>> data = NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    >>> len(frozen_loss(train_frozen(data, torch.zeros(3, 2), steps=100)).lines)
    3
    """
    constant = frozen.limit.loss_constant
    with look():
        ax = new_axes()[0] if ax is None else ax
        flow, descent = frozen.flow.log_times[1:].numpy(), frozen.descent.log_elapsed[1:].numpy()
        ax.plot(flow, constant * frozen.loss_ratio.numpy(), label="flow", **measured(BLUE))
        ax.plot(descent, constant * frozen.descent_ratio.numpy(), label="gradient descent", **measured(GREEN))
        ax.plot([0.0, flow[-1]], [constant, constant], label=r"$\|W^{mm}\|^2$", **predicted())
        ax.set(xlabel=r"$\log t$, with $t=\eta k$", ylabel=r"$t\,(\mathrm{CE}-\inf\mathrm{CE})$", xlim=(0.0, flow[-1]))
        ax.set_title("Features frozen: the loss")
        ax.legend(loc="lower right")
    return ax


def frozen_direction(frozen: FrozenTraining, ax: Axes | None = None) -> Axes:
    """``1 - cos`` with W_mm of the increment dW/dlog t, and of W itself with its least asymptote, as predicted.

    Parameters
    ----------
    frozen : FrozenTraining
    ax : Axes, optional
        New ones if not given.

    Returns
    -------
    Axes

    Notes
    -----
    Source: derived (`bias/sharp-gd-direction`): of W itself it falls like ``1 / log^2 t``, and comes to the asymptote
    or to a larger multiple of it. The asymptote bounds nothing at finite times, and is drawn where it is below what W
    started from.

    Examples
    --------
    >>> import torch
    >>> from ntp_theory import NTPDataset
    >>> from ntp_theory.bridge import train_frozen
    >>> data = NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    >>> frozen_direction(train_frozen(data, torch.zeros(3, 2), steps=100)).get_yscale()
    'log'
    """
    limit = frozen.limit
    assert limit.direction is not None
    goal = limit.direction / limit.svm.norm
    with look():
        ax = new_axes()[0] if ax is None else ax
        s = frozen.flow.log_times[1:].numpy()
        weights = frozen.flow.weights[1:]
        turned = (weights / weights.norm(dim=(1, 2), keepdim=True) - goal).square().sum((1, 2)) / 2
        ax.plot(s, frozen.angles.numpy(), label=r"increment $dW/d\log t$", **measured(BLUE))
        ax.plot(s, turned.numpy(), label=r"$W$ itself", **measured(GREY))
        # before that it says nothing
        first = math.sqrt(limit.angle_bound / max(float(turned[0]), 1e-300)) - limit.mean_offset
        late = np.linspace(max(2.0, first), float(s[-1]), 100)
        if limit.angle_bound > 0 and late[0] < late[-1]:
            label = r"$W$ as $t\to\infty$: $c\,/\,\log^2 t$ or above"
            ax.plot(late, limit.angle_bound / (late + limit.mean_offset) ** 2, label=label, **predicted())
        ax.set(yscale="log", xlabel=r"$\log t$", ylabel=r"$1-\cos(\cdot,W^{mm})$")
        ax.set_title("Features frozen: the direction")
        ax.legend(loc="best")
    return ax
