"""The cross-entropy times ``e^mu`` near its infimum, where neither it nor its gradient is lost in rounding.

The variables are the displacement ``P_F W - W*`` in units of ``e^-mu`` and the off-support logits. The in-support part
of the loss, which is of second order in e^-mu, and the tail, whose exponentials are formed as ``exp(mu + log tail)``,
then both have gradients of ordinary size. From mu = 460 on the unit stays e^-460: the in-support gradient is linear to
the last digit long before, and squares of the unit stay away from the smallest double a while longer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..loss import exp_minus_1_minus_x
from ..split_coordinates import SplitCoordinates

__all__ = ["Frame", "Magnified"]

LINEAR = 460.0


@dataclass(frozen=True, eq=False)
class Magnified:
    """``e^mu CE`` at a point.

    Attributes
    ----------
    inside : Tensor (n,)
        In-support entries of ``e^mu pi_j (softmax - p)``, the gradient in the logits.
    rho : Tensor (k,)
        Its off-support entries, ``e^mu pi_j softmax_v``.
    log_odds : Tensor (k,)
        Off-support tokens against the support of their context.
    softmax_inside, softmax_off : Tensor (n,), Tensor (k,)
        The softmax itself.
    log_in_support, log_tail : float
        Logarithms of the two parts of CE - inf CE.
    """

    inside: Tensor
    rho: Tensor
    log_odds: Tensor
    softmax_inside: Tensor
    softmax_off: Tensor
    log_in_support: float
    log_tail: float

    @property
    def log_excess(self) -> float:
        """Logarithm of CE - inf CE."""
        return float(torch.tensor([self.log_in_support, self.log_tail], dtype=torch.float64).logsumexp(0))


class Frame:
    """The loss as a function of the displacement in F and of the off-support logits, at one mu.

    Parameters
    ----------
    coordinates : SplitCoordinates
    mu : float
    near : bool
        Whether displacements are counted from W* in units of e^-mu, or from 0 in units of 1: far from W* the former
        would only add the rounding of W*.

    Attributes
    ----------
    factor, unit : float
        ``e^mu``, but no more than e^460; and the unit of displacements.
    base : Tensor (f,)
        Where displacements are counted from.
    base_off : Tensor (k,)
        Off-support minus anchor logits there.
    """

    def __init__(self, coordinates: SplitCoordinates, mu: float, *, near: bool) -> None:
        self.coordinates, self.mu, self.near = coordinates, mu, near
        self.factor = math.exp(min(mu, LINEAR))
        self.unit = 1.0 / self.factor if near else 1.0
        data, pattern = coordinates.data, coordinates.data.pattern
        log_p = data.log_conditionals
        self.base, self.base_off, self._start = coordinates.finite, coordinates.finite_off, torch.zeros_like(log_p)
        if not near:
            self.base, self.base_off = torch.zeros_like(self.base), torch.zeros_like(self.base_off)
            self._start = -pattern.sizes.to(log_p.dtype).log()[pattern.contexts] - log_p
        # logarithm of the sum of in-support exponentials, relative to that of the anchor, without displacement
        self._level = -(log_p + self._start)[coordinates.anchors]  # (k,)
        self._log_weights = data.weights.log()

    def evaluate(self, displacement: Tensor, off: Tensor) -> Magnified:
        """The loss at a displacement (f,) and off-support minus anchor logits (k,)."""
        log_ratio, level = self._supports(displacement)
        return self._at(log_ratio, off - level)

    def evaluate_at_odds(self, displacement: Tensor, log_odds: Tensor) -> tuple[Magnified, Tensor]:
        """The loss at a displacement and odds (k,) of off-support tokens against supports, and their logits ``off``."""
        log_ratio, level = self._supports(displacement)
        return self._at(log_ratio, log_odds), log_odds + level

    def inside(self, displacement: Tensor) -> Tensor:
        """In-support minus anchor logits at a displacement; (n,)."""
        x = self.coordinates
        start = x.data.log_conditionals + self._start
        return start - start[x.entry_anchors] + self.unit * (x.inside @ displacement)

    def _supports(self, displacement: Tensor) -> tuple[Tensor, Tensor]:
        """Log(q / p) on the supports (n,); logarithm of their sum of exponentials, relative to the anchor's; (k,)."""
        data, pattern, off = self.coordinates.data, self.coordinates.data.pattern, self.coordinates.off
        y = self._start + self.unit * (self.coordinates.inside @ displacement)
        # the logarithm of the mean of exp(y) under p, without cancellation where all y are small
        small = pattern.sum(data.conditionals * y.clamp(-0.5, 0.5).expm1()).log1p()
        large = pattern.logsumexp(data.log_conditionals + y)
        rise = torch.where(pattern.max(y.abs()) < 0.5, small, large)
        return y - rise[pattern.contexts], rise[off.contexts] + self._level

    def _at(self, log_ratio: Tensor, log_odds: Tensor) -> Magnified:
        data, pattern = self.coordinates.data, self.coordinates.data.pattern
        contexts, weights = self.coordinates.off.contexts, data.weights[pattern.contexts]
        total = self._total(log_odds)
        log_kept = -_softplus(total)  # log(1 - eps)
        log_softmax = log_odds + log_kept[contexts]
        rho = (self.mu + self._log_weights[contexts] + log_softmax).clamp(max=700.0).exp()
        rho_by_context = weights.new_zeros(data.num_contexts).index_add_(0, contexts, rho)
        q = data.conditionals * log_ratio.exp()
        inside = self.factor * weights * data.conditionals * log_ratio.expm1() - q * rho_by_context[pattern.contexts]
        return Magnified(
            inside=inside,
            rho=rho,
            log_odds=log_odds,
            softmax_inside=q * log_kept.exp()[pattern.contexts],
            softmax_off=log_softmax.exp(),
            log_in_support=self._log_divergence(log_ratio),
            log_tail=float(torch.logsumexp(self._log_weights + _log_softplus(total), 0)),
        )

    def _total(self, log_odds: Tensor) -> Tensor:
        """Logarithm of the sum of exponentials by context; -inf where all tokens are in the support; (m,)."""
        contexts = self.coordinates.off.contexts
        top = log_odds.new_full((self.coordinates.data.num_contexts,), -torch.inf)
        top = top.scatter_reduce_(0, contexts, log_odds, "amax")
        sums = torch.zeros_like(top).index_add_(0, contexts, (log_odds - top[contexts]).exp())
        return torch.where(sums > 0, sums.log() + top, -torch.inf)

    def _log_divergence(self, log_ratio: Tensor) -> float:
        """Logarithm of ``sum_j pi_j KL(p_j || q_j)``."""
        joint, size = self.coordinates.data.joint, float(log_ratio.abs().max())
        if size == 0.0:
            return -math.inf
        if size > 1e-20:
            return _log(float((joint * exp_minus_1_minus_x(log_ratio)).sum()))
        # half the mean square; the true unit may be smaller than ours here
        square = float((joint * (log_ratio / size).square()).sum()) / 2
        return _log(square) + 2 * (math.log(size) - max(0.0, self.mu - LINEAR))


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


def _softplus(x: Tensor) -> Tensor:
    return torch.logaddexp(x, torch.zeros_like(x))


def _log_softplus(x: Tensor) -> Tensor:
    """The logarithm of log(1 + exp(x)), which is x itself where x is far below 0."""
    return torch.where(x < -37.0, x, _softplus(x.clamp(min=-37.0)).log())
