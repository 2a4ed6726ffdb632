"""Random noise on an embedding: how often a token that never follows overtakes one that does, measured and bounded."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import betainc
from torch import Tensor

from ..doors import generator, instance, nonnegative, whole
from ..errors import UsageError
from .tolerance import Noise, NoiseTolerance, scaled

__all__ = ["FlipRate", "cap_share", "flip_bounds", "flip_rate"]

# Draws that are looked at together.
CHUNK = 5000


@dataclass(frozen=True)
class FlipRate:
    """Outcome of `flip_rate`.

    Attributes
    ----------
    draws, flips : int
        How many noises were drawn, and how many let an off-support token overtake an in-support one.
    """

    draws: int
    flips: int

    @property
    def share(self) -> float:
        """Flips a draw."""
        return self.flips / self.draws


def flip_rate(
    tolerance: NoiseTolerance,
    size: float,
    *,
    context: int | None = None,
    draws: int = 10_000,
    rng: int | np.random.Generator = 0,
) -> FlipRate:
    """Draw noise of one size at a context and count the flips.

    Parameters
    ----------
    tolerance : NoiseTolerance
        Of a decoder; its norm is the one in which noise is measured.
    size : float
        Norm of every noise drawn.
    context : int, optional
        The least tolerant one if not given.
    draws : int
    rng : int or numpy.random.Generator
        l2: uniform on the sphere. l1, linf: uniform on the surface of the ball.

    Returns
    -------
    FlipRate
        Ties count as flips, in double precision.

    Raises
    ------
    UsageError
        If ``tolerance`` is none, ``size`` is negative or not finite, ``draws`` is no positive number, or there is no
        such context.

    Notes
    -----
    Source: ours (`bias/definition-3`).

    Examples
    --------
    >>> from ntp_theory import NTPDataset
    >>> from ntp_theory.readings import noise_tolerance
    >>> data = NTPDataset([[3.0, 0.0], [0.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]])
    >>> found = noise_tolerance([[1.0, -1.0], [-1.0, 1.0]], data)
    >>> [flip_rate(found, factor * found.radius).flips > 0 for factor in (0.999, 1.1)]
    [False, True]
    """
    instance("tolerance", tolerance, NoiseTolerance)
    size, draws, stream = nonnegative("size", size), whole("draws", draws, at_least=1), generator(rng)
    inside, outside, _ = tolerance.pair_radii(context)
    # flips have no scale: products of very small or large weights would round or overflow
    weights = scaled(tolerance.weights)
    h = tolerance.data.embeddings[tolerance.context if context is None else context].double()
    flips = 0
    for start in range(0, draws if len(outside) else 0, CHUNK):
        noise = torch.from_numpy(_on_sphere(stream, min(CHUNK, draws - start), len(h), tolerance.noise)).to(h)
        logits = (h + size * noise) @ weights.T
        flips += int((logits[:, outside].amax(1) >= logits[:, inside].amin(1)).sum())
    return FlipRate(draws, flips)


def flip_bounds(tolerance: NoiseTolerance, size: float, *, context: int | None = None) -> tuple[float, float]:
    """Bounds on the probability that uniform noise on the l2 sphere of that size flips a context.

    A pair flips where the noise lies in a cap of the sphere. Some pair flips at least as often as the one with the
    largest cap, and at most as often as all caps together. A pair that has flipped without noise is left by the noise
    beyond its hyperplane only: its cap is all but that one.

    Parameters
    ----------
    tolerance : NoiseTolerance
        In l2.
    size : float
    context : int, optional
        The least tolerant one if not given.

    Returns
    -------
    lower, upper : float
        The upper one at most 1; both up to rounding. From a tail of the beta distribution (`cap_share`).

    Raises
    ------
    UsageError
        If ``tolerance`` is none or its norm is not l2, ``size`` is negative or not finite, or there is no such context.

    Notes
    -----
    Source: ours (`bias/definition-3`).

    Examples
    --------
    >>> from ntp_theory import NTPDataset
    >>> from ntp_theory.readings import noise_tolerance
    >>> found = noise_tolerance([[1.0], [-1.0]], NTPDataset([[3.0]], [[1.0, 0.0]]))
    >>> flip_bounds(found, 2.9), flip_bounds(found, 3.1)
    ((0.0, 0.0), (0.5, 0.5))
    """
    instance("tolerance", tolerance, NoiseTolerance)
    if tolerance.noise != "l2":
        raise UsageError(f"tolerance is for noise in {tolerance.noise}; caps are known in 'l2' alone")
    size = nonnegative("size", size)
    distances = _signed_distances(tolerance, context).flatten().cpu()
    caps = cap_share(distances.abs(), size, tolerance.data.dim)
    caps = torch.where(distances > 0, caps, 1.0 - caps)
    return (float(caps.max()), min(1.0, float(caps.sum()))) if len(caps) else (0.0, 0.0)


def _signed_distances(tolerance: NoiseTolerance, context: int | None) -> Tensor:
    """To the hyperplanes of every pair; negative where they are crossed already, -inf where rows of W are equal."""
    inside, outside, _ = tolerance.pair_radii(context)
    h = tolerance.data.embeddings[tolerance.context if context is None else context].double()
    apart = scaled(tolerance.weights)[inside][:, None] - scaled(tolerance.weights)[outside]
    lengths = apart.norm(dim=2)
    return torch.where(lengths > 0, apart @ h / lengths, -math.inf)


def cap_share(distances: Tensor, size: float, dim: int) -> Tensor:
    """Share of the sphere of radius ``size`` in R^dim that lies beyond hyperplanes at given distances >= 0.

    ``1/2 I((dim - 1)/2, 1/2; 1 - (distance / size)^2)``, I the regularised incomplete beta function, up to the size.

    Examples
    --------
    >>> cap_share(torch.tensor([0.0, 0.5, 2.0]), 1.0, 3).tolist()
    [0.5, 0.25, 0.0]
    """
    size, dim = nonnegative("size", size), whole("dim", dim, at_least=1)
    ratio = distances.double().cpu() / size if size else torch.full_like(distances, math.inf).double().cpu()
    beyond = (1.0 - ratio.square()).clamp(min=0.0)
    if dim == 1:  # two points
        return torch.where(ratio <= 1.0, 0.5, 0.0)
    return torch.from_numpy(np.asarray(0.5 * betainc((dim - 1) / 2, 0.5, beyond.numpy())))


def _on_sphere(stream: np.random.Generator, count: int, dim: int, noise: Noise) -> NDArray[np.float64]:
    """Points (count, dim) on the unit sphere of the norm, uniform on its surface."""
    if noise == "linf":
        x = stream.uniform(-1.0, 1.0, (count, dim))
        x[np.arange(count), stream.integers(dim, size=count)] = stream.choice([-1.0, 1.0], count)
        return x
    x = stream.standard_normal((count, dim)) if noise == "l2" else stream.laplace(size=(count, dim))
    lengths: NDArray[np.float64] = np.linalg.norm(x, 2 if noise == "l2" else 1, axis=1, keepdims=True)
    return x / lengths
