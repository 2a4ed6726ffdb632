"""Gradient flow in log time: what converges and what diverges, in coordinates where neither is lost.

In s = log t the flow is ``dW/ds = -e^s grad CE``. On F the factor e^s makes it stiff, and at last an algebraic one,
``P_F grad CE = 0``: the flow stays on a slow manifold. On F_perp only the tail acts, and ``e^s pi_j softmax_v`` is of
ordinary size, if it is formed as one exponential (`bias/log-time-flow`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...dataset import NTPDataset
from ...errors import UsageError
from ...split_coordinates import SplitCoordinates
from ...support import SupportPattern
from ..smoothness import smoothness_bound

__all__ = ["FlowEquation"]

# Unknowns; the work of a step grows with their cube.
LARGEST = 2500
# Off-support pairs of less weight than this are left out of the derivative, which only has to be near.
NEGLIGIBLE = 1e-14


class FlowEquation:
    """``mass y' + force(y) = 0`` for the displacement y from the start: its F part, then its F_perp part.

    A clock c says what the equation is written in: 0 for time itself, s for s = log t. The equation is then
    ``y' = -e^c grad CE``, and its rows in F are divided by ``1 + kappa e^c`` so that they stay finite; a kappa near the
    curvatures in F keeps the system that Newton's method solves alike at neighbouring clocks.

    Parameters
    ----------
    data : NTPDataset
        In double precision, on the CPU.
    pattern : SupportPattern
        Its supports, or the extended ones of `bias/any-data`. They say what F is, and what is large and small at late
        times; the equation itself is that of the data in any case.
    init : Tensor (V, d)
        The decoder at the start.

    Attributes
    ----------
    dim : int
        n, the number of unknowns.
    scale : float
        Embeddings are divided and decoders multiplied by it in here; times are therefore multiplied by its square.
    longest : float
        Length of the longest embedding in here: no logit changes by more than this times ``||y||``.
    smoothness : float
        Bound on the curvature of the loss in here.

    Raises
    ------
    UsageError
        If there are more than 2500 unknowns, ``(V - 1) rank(H)``.
    """

    def __init__(self, data: NTPDataset, pattern: SupportPattern, init: Tensor) -> None:
        rank = int(torch.linalg.matrix_rank(data.embeddings))
        if (unknowns := (data.vocab_size - 1) * rank) > LARGEST:
            raise UsageError(
                f"data has (V - 1) rank(H) = {unknowns} unknowns; the flow takes at most {LARGEST}, because the work "
                "of a step grows with their cube"
            )
        p = data.probabilities.to_dense()
        coordinates = SplitCoordinates(_extended(data, pattern, p), torch.zeros_like(init))
        self._init, self._coordinates, off = init, coordinates, coordinates.off
        self.scale, self.longest = coordinates.scale, coordinates.longest
        self.smoothness = smoothness_bound(data) / self.scale**2
        # as much less than the bound as curvatures in F commonly are; any positive number would do
        self._kappa = self.smoothness / 30.0

        self._pattern, self._off = pattern, off
        self._inside = coordinates.inside
        self._outside = torch.cat([coordinates.outside, coordinates.beyond], 1)
        self._f, self.dim = self._inside.shape[1], self._outside.shape[1]
        self._p = pattern.inside(p)
        self._context_weights = data.weights
        self._weights, self._off_weights = data.weights[pattern.contexts], data.weights[off.contexts]
        logits = data.embeddings @ init.T
        self._largest = float(logits.abs().max())
        level = pattern.inside(logits)[coordinates.entry_anchors]
        self._start = pattern.inside(logits) - level
        self._start_off = logits[off.contexts, off.tokens] - pattern.inside(logits)[coordinates.anchors]

    def decoder(self, y: Tensor) -> Tensor:
        """The decoder (V, d) displaced by y (n,) from the start."""
        return self._init + self.displacement(y)

    def displacement(self, y: Tensor) -> Tensor:
        """The matrix (V, d) with coordinates y (n,)."""
        return self._coordinates.decoder(y[: self._f], y[self._f :])

    def size(self, y: Tensor) -> float:
        """Bound on the logits at y (n,), in nats."""
        return self._largest + self.longest * float(y.norm())

    def mass(self, clocks: Tensor) -> Tensor:
        """Diagonals (k, n) of the mass matrix."""
        mass = clocks.new_ones(len(clocks), self.dim)
        mass[:, : self._f] = (1.0 / (1.0 + self._kappa * clocks.exp()))[:, None]
        return mass

    def force(self, y: Tensor, clocks: Tensor) -> Tensor:
        """Forces (k, n) at k points (k, n), each with its clock; infinite or NaN where a tail is too large."""
        q, tail, scaled = self._softmax(y, clocks)
        inside = self._weights * (q - self._p) - q * self._by_context(tail)[:, self._pattern.contexts]
        in_f = inside @ self._inside + tail @ self._outside[:, : self._f]
        in_perp = scaled @ self._outside[:, self._f :]
        return torch.cat([in_f * self._growth(clocks)[:, None], in_perp], 1)

    def jacobian(self, y: Tensor, clock: Tensor) -> Tensor:
        """Derivative (n, n) of the force at a point (n,)."""
        (q,), (tail,), (scaled,) = self._softmax(y[None], clock[None])
        f, m, contexts, weights = self._f, self._pattern.num_contexts, self._pattern.contexts, self._context_weights
        kept = q * (self._weights - self._by_context(tail[None])[0, contexts])
        heavy = ~((tail < NEGLIGIBLE) & (scaled < NEGLIGIBLE))  # NaN too
        off, tail, scaled, outside = self._off.contexts[heavy], tail[heavy], scaled[heavy], self._outside[heavy]
        mean = y.new_zeros(m, self.dim)
        mean[:, :f].index_add_(0, contexts, kept[:, None] * self._inside)
        mean.index_add_(0, off, tail[:, None] * outside)
        pull = y.new_zeros(m, self.dim - f).index_add_(0, off, scaled[:, None] * outside[:, f:])
        in_f = outside[:, :f].T @ (tail[:, None] * outside) - mean[:, :f].T @ (mean / weights[:, None])
        in_f[:, :f] += self._inside.T @ (kept[:, None] * self._inside)
        in_perp = outside[:, f:].T @ (scaled[:, None] * outside) - pull.T @ (mean / weights[:, None])
        return torch.cat([in_f * self._growth(clock), in_perp])

    def _softmax(self, y: Tensor, clocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Softmax restricted to the supports (k, n'); ``pi_j softmax_v`` off them (k, n''), alone and times e^c."""
        inside = y[:, : self._f] @ self._inside.T + self._start
        level = self._logsumexp(inside, self._pattern)
        log_odds = y @ self._outside.T + self._start_off - level[:, self._off.contexts]
        # the mass of the support: 1 / (1 + sum of the odds)
        kept = torch.nn.functional.softplus(self._logsumexp(log_odds, self._off))
        log_tail = log_odds - kept[:, self._off.contexts] + self._off_weights.log()
        return (
            (inside - level[:, self._pattern.contexts]).exp(),
            log_tail.exp(),
            (log_tail + clocks[:, None]).exp(),
        )

    def _growth(self, clocks: Tensor) -> Tensor:
        """``e^c / (1 + kappa e^c)``."""
        return 1.0 / (self._kappa + (-clocks).exp())

    def _by_context(self, tail: Tensor) -> Tensor:
        return tail.new_zeros(len(tail), self._off.num_contexts).index_add_(1, self._off.contexts, tail)

    def _logsumexp(self, values: Tensor, pairs: SupportPattern) -> Tensor:
        """Log of the sum of exp(values) (k, pairs) by context, -inf where there are none; (k, m)."""
        index = pairs.contexts.expand(len(values), -1)
        top = values.new_full((len(values), pairs.num_contexts), -torch.inf)
        top = top.scatter_reduce_(1, index, values, "amax")
        sums = torch.zeros_like(top).index_add_(1, pairs.contexts, (values - top.gather(1, index)).exp())
        return sums.log() + top


def _extended(data: NTPDataset, pattern: SupportPattern, p: Tensor) -> NTPDataset:
    """A dataset that has the pattern for its supports."""
    if len(pattern.tokens) == len(data.pattern.tokens):
        return data
    uniform = pattern.mask().double() / pattern.sizes[:, None]
    return NTPDataset(data.embeddings, (p + uniform) / 2.0, data.weights)
