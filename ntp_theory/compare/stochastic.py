"""Laws of descent on single (context, token) pairs: its noise does not fade, and is as large as the curvature.

At W* of compatible data the covariance of the pair gradient is the Hessian H_F itself, so the stationary covariance C
of ``x = P_F W_k - W*``, which solves ``H C + C H = eta H``, is ``eta/2`` times the identity on F: a ball of radius
``sqrt(eta dim F / 2)`` whatever the data. Mode by mode, from its start, x is an Ornstein-Uhlenbeck process; its mean is
where the tail pulls it, ``v / (eta k)`` with v the limit vector of gradient descent (`bias/sharp-gd-finite`).
"""

from __future__ import annotations

import math

import torch

from ..checks import Check
from ..descent import Trajectory
from ..predict import Limit
from ..subspace import data_subspace
from .comparison import Comparison
from .curvature import LARGEST, finite_modes
from .gradient import fading_noise, readable

__all__ = ["pair_laws"]

# Rates of decay down to this are none.
CONSTANT = 1e-3
# Standard deviations of the mean over the records.
SIGMAS = 4.0
# Modes must have decayed by this, in natural units, before the records that are read.
FORGOTTEN = 5.0
# The pull of the tail is known from this many times its burn-in on, to burn-in over time.
EARLY = 10.0


def pair_laws(run: Trajectory, limit: Limit) -> Comparison:
    """The mean of ``||P_F W_k - W*||^2`` over the second half of the records."""
    subspace = data_subspace(limit.reference)
    radius = torch.stack([(subspace.project(w) - limit.finite).square().sum() for w in run.weights])
    records = (run.times >= int(run.times[-1]) / 2).nonzero()[:, 0]
    observed = {"mean ||P_F W_k - W*||^2 over the second half": float(radius[records].mean())}
    if not fading_noise(limit):  # then the covariance of the gradient at W* is not the Hessian
        return Comparison([], "no law for pairs on data that is not compatible and separable", observed)
    if not int(run.times[-1]):
        return Comparison([], "no law read: the run has made no step", observed)
    if float(run.log_elapsed[-1]) > math.log(run.step_size * int(run.times[-1])) + CONSTANT:
        return Comparison([], "no law read: it is for steps of one size, and these get smaller", observed)
    if subspace.dim == 0 or limit.finite.numel() > LARGEST:
        return Comparison([], f"no law read: it needs dim F > 0 and at most {LARGEST} entries of W", observed)
    eta, found = run.step_size, finite_modes(limit)
    rates, modes = torch.from_numpy(found.rates), found.vectors
    elapsed = eta * run.times[records].double()
    onset = max(EARLY * limit.burn_in if limit.direction is not None else 0.0, FORGOTTEN / float(rates[0]))
    if float(elapsed[0]) < onset:
        return Comparison([], f"no law read: half of the run must be {math.ceil(onset / eta)} steps or more", observed)
    decay = torch.exp(-elapsed[:, None] * rates)
    variance = eta / 2 * (1 - decay.square())
    mean = (modes @ limit.finite_constant.double().flatten()) / elapsed[:, None]
    predicted = (variance + mean.square()).sum(1).mean()
    # x_i at two records: the covariance at the earlier one, decayed; of x_i^2 it is 2 cov^2 + 4 mean^2 cov
    first = torch.minimum(elapsed[:, None], elapsed[None, :])[..., None]
    between = torch.exp(-(elapsed[:, None] - elapsed[None, :]).abs()[..., None] * rates)
    covariance = eta / 2 * (1 - torch.exp(-2 * first * rates)) * between
    noise = (2 * covariance.square() + 4 * mean[:, None] * mean[None, :] * covariance).sum(2).mean()
    deviation = float(noise.sqrt() / predicted)
    # steps are finite, eta lambda_max/2 relative; and the curvature changes over the ball, its first order cancels
    bend = float(limit.data.embeddings.square().sum(1).max() * predicted / subspace.dim)
    pulled = float(mean.square().sum(1).mean() / predicted)
    spread = limit.active.spread(run.weights[0], eta, float(run.times[-1])) if limit.direction is not None else 0.0
    law = Check.close(
        "bias/strong-growth",
        float(predicted),
        float(radius[records].mean()),
        tolerance=SIGMAS * deviation + eta * float(rates[-1]) + bend + 2 * pulled * (math.sqrt(spread) + 1 / EARLY),
        evidence="measured",
        source="derived (D14)",
        statement="pair sampling: mean ||P_F W_k - W*||^2 over the second half, eta dim F / 2 in the end",
    )
    return readable([law])
