"""How much noise in an embedding a decoder tolerates before a token that never follows overtakes one that does.

At context j an off-support token v *overtakes* an in-support token y when its logit reaches that of y (a tie counts).
With noise e on the embedding that is ``<w_y - w_v, h_j + e> <= 0``: e has crossed a hyperplane, whose distance in an
l_p norm is ``<w_y - w_v, h_j> / ||w_y - w_v||_q`` with 1/p + 1/q = 1 (Hoelder, with equality for some e). So the
smallest noise that lets any off-support token overtake any in-support one has the size

    r_j(W) = min over y in S_j, v not in S_j of <w_y - w_v, h_j> / ||w_y - w_v||_q,

and 0 if the minimum is not positive. It does not depend on the scale of W. Since ``w_y - w_v = (e_y - e_v)^T W``, its
Euclidean length is at most ``sqrt(2) ||W||_2``, so in l2

    r_j(W)  >=  margin_j(W) / (sqrt(2) ||W||_2)  >=  margin(W) / (sqrt(2) ||W||_F).

Among all W in F_perp the last bound is largest at W_mm, where it is ``gamma / sqrt(2)``. The radius itself need not be,
except for two tokens, where both bounds are equalities.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..dataset import NTPDataset, as_dataset
from ..doors import as_decoder, one_of, whole
from ..errors import UsageError
from ..margin.norms import FROBENIUS, NAMES

__all__ = ["Noise", "NoiseTolerance", "noise_tolerance", "radius_ceiling", "scaled"]

Noise = Literal["l1", "l2", "linf"]
EXPONENT: dict[str, float] = {"l1": 1.0, "l2": 2.0, "linf": math.inf}
DUAL: dict[str, float] = {"l1": math.inf, "l2": 2.0, "linf": 1.0}

EPS = torch.finfo(torch.float64).eps
# What underflow may cost a sum of products; with the largest entry of W near 1 nothing that counts is as small.
TINY = 1e-150


@dataclass(frozen=True, eq=False, repr=False)
class NoiseTolerance:
    """Outcome of `noise_tolerance`.

    Attributes
    ----------
    data : NTPDataset
    weights : Tensor (V, d), float64
        The decoder W.
    noise : {"l1", "l2", "linf"}
        The norm of the noise.
    radii : Tensor (m,), float64
        Certified from below, rounded outward: no noise shorter than ``radii[j]`` lets an off-support token overtake an
        in-support one at context j. Infinite where every token is in the support.
    pairs : Tensor (m, 2), int64
        The pair (in-support, off-support) whose hyperplane is nearest; -1 where the radius is infinite.
    """

    data: NTPDataset
    weights: Tensor
    noise: Noise
    radii: Tensor
    pairs: Tensor

    @property
    def context(self) -> int:
        """The context that tolerates least."""
        return int(self.radii.argmin())

    @property
    def radius(self) -> float:
        """What every context tolerates, the smallest of ``radii``; infinite if there is no off-support token."""
        return float(self.radii.min())

    def pair_radii(self, context: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Radii of every pair at a context, the least tolerant one by default, rounded as ``radii``.

        Returns
        -------
        inside : Tensor (s,)
            The in-support tokens.
        outside : Tensor (V - s,)
            The off-support tokens.
        radii : Tensor (s, V - s)
            0 where the off-support token has overtaken already.
        """
        j = self._context(context)
        inside, outside = self._sides(j)
        return inside, outside, _pair_radii(self.data, scaled(self.weights), self.noise, j, inside, outside)

    def closest_flip(self, context: int | None = None) -> Tensor:
        """The noise (d,) that flips the nearest pair at a context: along ``w_v - w_y``, 1e-12 longer than the radius.

        That it flips is decided in rationals; where rounding of the radius is larger, the excess is doubled until it
        does. So its size is a certified upper bound on the radius. 0 if an off-support token has overtaken already.

        Raises
        ------
        UsageError
            If no token is off the support of the context.
        """
        j = self._context(context)
        y, v = self.pairs[j].tolist()
        if y < 0:
            raise UsageError(f"context is {j}, where every token is in the support: nothing can overtake")
        exact = self._margin(j, torch.zeros_like(self.weights[y]))
        if exact <= 0:
            return torch.zeros_like(self.weights[y])
        weights = scaled(self.weights)
        gap = weights[y] - weights[v]
        at = int(gap.abs().argmax())
        # margin over ||gap||, both in units of the largest entry of the gap, which is exact here
        margin = float(exact / abs(Fraction(float(self.weights[y, at])) - Fraction(float(self.weights[v, at]))))
        length = float(torch.linalg.vector_norm(gap / gap[at], DUAL[self.noise]))
        size = max(margin / length, torch.finfo(gap.dtype).tiny)
        steepest, excess = _steepest(gap / gap[at].abs(), self.noise), 2.0**-40
        while self._margin(j, found := -size * (1.0 + excess) * steepest) > 0:
            excess *= 2.0
        return found

    def lower_bound(self, norm: Literal["frobenius", "spectral"] = "frobenius") -> float:
        """What the margin alone guarantees in every context: ``margin(W) / (sqrt(2) ||W||)``, at most ``radius``.

        For W_mm and the Frobenius norm it is ``gamma / sqrt(2)``; the spectral norm gives more. For noise in the max
        norm it is divided by sqrt(d). 0 if W does not separate. Up to rounding.

        Raises
        ------
        UsageError
            If there is no such norm.

        Examples
        --------
        >>> data = NTPDataset([[3.0, 0.0], [0.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]])
        >>> found = noise_tolerance([[1.0, -1.0], [-1.0, 1.0]], data)  # two tokens: both are equalities
        >>> abs(found.lower_bound() / found.radius - 1) < 1e-12
        True
        """
        one_of("norm", norm, ("frobenius", "spectral"))
        weights = scaled(self.weights)
        margins = self.data.pattern.margins(self.data.embeddings.double() @ weights.T)
        length = (FROBENIUS if norm == "frobenius" else NAMES["spectral"]).value(weights)
        if not length:
            return 0.0 if self.data.pattern.num_off_support else math.inf
        euclidean = max(float(margins.min()), 0.0) / (math.sqrt(2.0) * length)
        return euclidean / (math.sqrt(self.data.dim) if self.noise == "linf" else 1.0)

    def __repr__(self) -> str:
        return f"<NoiseTolerance: {self.radius:.6g} in {self.noise}, {len(self.radii)} contexts>"

    def summary(self, limit: int = 5) -> str:
        """The answer in words, with the contexts that tolerate least."""
        if math.isinf(self.radius):
            return "every token follows every context: no noise can flip anything"
        lines = [
            f"no noise shorter than {self.radius:.6g} ({self.noise}) on any one embedding lets a token that never "
            "follows overtake one that does (certified)",
            f"the margin alone guarantees {self.lower_bound():.6g}, "
            f"by the spectral norm {self.lower_bound('spectral'):.6g}",
        ]
        for j in self.radii.argsort()[:limit].tolist():
            if math.isfinite(self.radii[j]):
                y, v = self.pairs[j].tolist()
                lines.append(
                    f"  {float(self.radii[j]):.6g} after {self.data.context_name(j)}: "
                    f"{self.data.token_name(v)} would reach {self.data.token_name(y)}"
                )
        return "\n".join(lines)

    def _context(self, context: int | None) -> int:
        if context is None:
            return self.context
        return whole("context", context, at_least=0, at_most=self.data.num_contexts - 1)

    def _sides(self, j: int) -> tuple[Tensor, Tensor]:
        pattern = self.data.pattern
        inside = pattern.tokens[pattern.starts[j] : pattern.starts[j] + pattern.sizes[j]]
        off = torch.ones(self.data.vocab_size, dtype=torch.bool, device=inside.device)
        off[inside] = False
        return inside, off.nonzero()[:, 0]

    def _margin(self, j: int, noise: Tensor) -> Fraction:
        """By how much the pair of context j is apart under the noise."""
        y, v = self.pairs[j].tolist()
        parts = (self.weights[y], self.weights[v], self.data.embeddings[j].double(), noise)
        numbers = zip(*([Fraction(x) for x in part.tolist()] for part in parts), strict=True)
        return sum(((a - b) * (x + e) for a, b, x, e in numbers), Fraction(0))


def noise_tolerance(weights: ArrayLike | Tensor, data: NTPDataset, *, noise: Noise = "l2") -> NoiseTolerance:
    """How much noise in each embedding a decoder tolerates before an off-support token overtakes an in-support one.

    Parameters
    ----------
    weights : array-like (V, d)
        W: the direction W_mm of `predict` or `solve_svm`, ``W* + R W_mm``, or the decoder of a trained model.
    data : NTPDataset
        Where some tokens cannot be driven out, take ``Limit.reference``, which counts them as supported.
    noise : {"l1", "l2", "linf"}
        The norm of the noise.

    Returns
    -------
    NoiseTolerance

    Raises
    ------
    UsageError
        If ``data`` is no dataset, ``weights`` does not fit it, or there is no such norm.

    Notes
    -----
    Logits are those of real arithmetic; a computer that evaluates them rounds. Gradient descent turns to W_mm, and the
    radius has no scale, so the radii of its iterates tend to those of W_mm (like 1/log k, as the direction does).
    Source: ours, from the margins of 2402.18551 Definition 3 (`bias/definition-3`).

    Examples
    --------
    >>> data = NTPDataset([[3.0, 0.0], [0.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]])
    >>> found = noise_tolerance([[1.0, -1.0], [-1.0, 1.0]], data)
    >>> [round(r, 6) for r in found.radii.tolist()], round(float(found.closest_flip(0).norm()), 6)
    ([2.12132, 2.828427], 2.12132)
    """
    as_dataset("data", data)
    one_of("noise", noise, get_args(Noise))
    decoder = as_decoder(weights, (data.vocab_size, data.dim), data.embeddings.double())
    radii = torch.full((data.num_contexts,), torch.inf, dtype=torch.float64, device=decoder.device)
    pairs = torch.full((data.num_contexts, 2), -1, dtype=torch.int64, device=decoder.device)
    found = NoiseTolerance(data, decoder, noise, radii, pairs)
    unit = scaled(decoder)
    for j in range(data.num_contexts):
        inside, outside = found._sides(j)
        if len(outside):
            between = _pair_radii(data, unit, noise, j, inside, outside)
            at = int(between.argmin())
            radii[j] = between.flatten()[at]
            pairs[j, 0], pairs[j, 1] = inside[at // len(outside)], outside[at % len(outside)]
    return found


def radius_ceiling(data: NTPDataset, *, noise: Noise = "l2") -> float:
    """What the least tolerant context can have at most, whatever the decoder.

    If y follows context j but not k, and v follows k but not j, the same hyperplane lies between the two embeddings, on
    the wrong side of neither: the radii of j and k sum to ``||h_j - h_k||`` at most. And no radius is larger than
    ``||h_j||``, since noise ``-h_j`` makes all logits equal.

    Parameters
    ----------
    data : NTPDataset
    noise : {"l1", "l2", "linf"}

    Returns
    -------
    float
        ``min(||h_j||, ||h_j - h_k|| / 2)`` over such contexts and pairs; infinite if no token is off a support. Up to
        rounding.

    Raises
    ------
    UsageError
        If ``data`` is no dataset, or there is no such norm.

    Notes
    -----
    Source: ours.

    Examples
    --------
    >>> radius_ceiling(NTPDataset([[3.0, 0.0], [0.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]]))
    2.5
    """
    as_dataset("data", data)
    one_of("noise", noise, get_args(Noise))
    h, p = data.embeddings.double(), EXPONENT[noise]
    some_off = (data.pattern.sizes < data.vocab_size).nonzero()[:, 0]
    lowest = torch.linalg.vector_norm(h[some_off], p, dim=1).min() if len(some_off) else h.new_tensor(torch.inf)
    for j, clashing in _clashes(data):
        apart = torch.linalg.vector_norm(h[clashing] - h[j], p, dim=1)
        lowest = torch.minimum(lowest, apart.min() / 2) if len(apart) else lowest
    return float(lowest)


def _clashes(data: NTPDataset) -> Iterator[tuple[int, Tensor]]:
    """Of each context, the later ones with which neither support contains the other."""
    mask = data.support.double()
    for j in range(data.num_contexts - 1):
        shared = mask[j + 1 :] @ mask[j]
        apart = (shared < data.pattern.sizes[j]) & (shared < data.pattern.sizes[j + 1 :])
        yield j, apart.nonzero()[:, 0] + j + 1


def scaled(weights: Tensor) -> Tensor:
    """A power of 2 times W, with a largest entry near 1: radii have no scale, and products then do not overflow."""
    exponent = torch.frexp(weights.abs().max()).exponent.clamp(-1000, 1000)
    return torch.ldexp(weights, -exponent)


def _steepest(gap: Tensor, noise: Noise) -> Tensor:
    """The unit vector in the norm of the noise along which ``<gap, .>`` grows fastest."""
    if noise == "l2":
        along: Tensor = gap / gap.norm()
        return along
    if noise == "linf":
        return gap.sign()
    unit, largest = torch.zeros_like(gap), int(gap.abs().argmax())
    unit[largest] = gap[largest].sign()
    return unit


def _pair_radii(data: NTPDataset, weights: Tensor, noise: Noise, j: int, inside: Tensor, outside: Tensor) -> Tensor:
    """Distances to the hyperplanes of context j of a `scaled` decoder, each rounded down.

    A sum of d products is off by at most d units of rounding of the sum of their absolute values, in any order, and a
    norm by d units of itself; twice that leaves room for the operations around them.
    """
    h, dim = data.embeddings[j].double(), data.dim
    rounding = 2 * (dim + 4) * EPS
    logits, sizes = weights @ h, weights.abs() @ h.abs()
    margins = logits[inside][:, None] - logits[outside]
    slack = rounding * (sizes[inside][:, None] + sizes[outside]) + TINY * (1.0 + float(h.abs().sum()))
    gaps = torch.cdist(weights[inside], weights[outside], p=DUAL[noise], compute_mode="donot_use_mm_for_euclid_dist")
    longest = gaps * (1.0 + rounding) + TINY * dim
    radii: Tensor = ((margins - slack).clamp(min=0.0) / longest) * (1.0 - rounding)
    return radii
