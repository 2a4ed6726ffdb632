"""Free logits in coordinates that keep the two parts of the loss apart, each with digits of its own.

The logits of context j are ``L_in + y + n``: y lives on the support and sums to 0 there (the subspace F), n is level on
the support (its complement); both sum to 0. At a small ridge y is of the size of the ridge and n of its logarithm: in
one sum y would be rounded away, and with it the gradient on the supports.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ..dataset import NTPDataset
from ..loss import exp_minus_1_minus_x

__all__ = ["LogitPoint", "SplitLogits"]


@dataclass(frozen=True, eq=False)
class LogitPoint:
    """Logits and what the loss says of them; contexts in rows.

    Attributes
    ----------
    on, off : Tensor (m, V)
        The parts y and n.
    softmax : Tensor (m, V)
    gradient : Tensor (m, V)
        ``pi_j (softmax - p_j)``, each entry to its own relative accuracy.
    in_support, tail : float
        The two parts of CE - H in nats (`bias/split`).
    """

    on: Tensor
    off: Tensor
    softmax: Tensor
    gradient: Tensor
    in_support: float
    tail: float


class SplitLogits:
    """The coordinates of one dataset with free embeddings.

    Parameters
    ----------
    data : NTPDataset
        Only its conditionals and weights are used.

    Attributes
    ----------
    finite : Tensor (m, V)
        L_in, contexts in rows.
    basis : Tensor (m (V - 1), m V)
        Orthonormal rows: first those of F, then those of its complement.
    num_on : int
        dim F.

    Examples
    --------
    >>> split = SplitLogits(NTPDataset([[1.0]], [[0.5, 0.5, 0.0]]))
    >>> point = split.at(torch.tensor([1e-30, 100.0], dtype=torch.float64))
    >>> split.num_on, f"{point.tail:.3g} {point.in_support:.3g}"
    (1, '3.23e-54 2.5e-61')
    """

    def __init__(self, data: NTPDataset) -> None:
        pattern = data.pattern.to("cpu")
        self._weights = data.weights.double().cpu()[:, None]
        self._support = pattern.mask()
        shape = self._support.shape
        logs = data.log_conditionals.double().cpu()
        self._log_p = torch.full(shape, -torch.inf, dtype=torch.float64)
        self._log_p[pattern.contexts, pattern.tokens] = logs
        self._p = self._log_p.exp()
        means = pattern.sum(logs) / pattern.sizes
        self.finite = torch.where(self._support, self._log_p - means[:, None], 0.0)
        self._means = means[:, None]
        on: list[Tensor] = []
        off: list[Tensor] = []
        for j, row in enumerate(self._support):
            for rows, inside in ((on, row), (off, ~row)):
                rows.extend(_placed(_differences(int(inside.sum())), inside, j, shape))
            if not bool(row.all()):
                level = row.double() - float(row.double().mean())
                off.extend(_placed((level / level.norm())[None], torch.ones_like(row), j, shape))
        self.num_on = len(on)
        self.basis = torch.stack([*on, *off]) if on or off else torch.zeros(0, self._support.numel()).double()

    def logits(self, point: LogitPoint) -> Tensor:
        """The logits of a point (m, V)."""
        return self.finite + point.on + point.off

    def coordinates(self, matrix: Tensor) -> Tensor:
        """Coordinates of a matrix (m, V) whose rows sum to 0."""
        return self.basis @ matrix.flatten()

    def at(self, coordinates: Tensor) -> LogitPoint:
        """The point with the given coordinates (m (V - 1),)."""
        shape = self._support.shape
        on = (coordinates[: self.num_on] @ self.basis[: self.num_on]).reshape(shape)
        off = (coordinates[self.num_on :] @ self.basis[self.num_on :]).reshape(shape)
        inside = self._support
        level = off.masked_fill(~inside, -torch.inf).amax(1, keepdim=True)
        # the sum over the support of p e^y is 1 + shift
        shift = (self._p * torch.where(inside, on, 0.0).expm1()).sum(1, keepdim=True).log1p()
        ratio = torch.where(inside, on - shift, 0.0)
        log_odds = (off - level + self._means - shift).masked_fill(inside, -torch.inf)
        tails = torch.logsumexp(log_odds, 1, keepdim=True)
        kept, taken = logsigmoid(-tails), logsigmoid(tails)  # log(1 - eps), log eps
        softmax = torch.where(inside, self._p * (ratio + kept).exp(), (log_odds + kept).exp())
        within = self._p * (ratio.expm1() - taken.exp() * ratio.exp())
        gradient = self._weights * torch.where(inside, within, softmax)
        divergence = self._weights * self._p * exp_minus_1_minus_x(ratio)
        return LogitPoint(on, off, softmax, gradient, float(divergence.sum()), -float((self._weights * kept).sum()))

    def masses(self, point: LogitPoint) -> Tensor:
        """``pi_j softmax`` (m, V)."""
        found: Tensor = self._weights * point.softmax
        return found

    def relative_gradient(self, point: LogitPoint) -> Tensor:
        """``(softmax - p) / softmax`` (m, V), which is 1 off the supports."""
        return torch.where(self._support, point.gradient / self.masses(point), 1.0)

    def hessian(self, point: LogitPoint) -> Tensor:
        """Second derivatives of CE in the coordinates: the spread on the supports, off them, and between the two.

        Each is of its own size, and none is lost in a larger one.
        """
        rows = self.basis.reshape(len(self.basis), *self._support.shape)
        parts, means, masses = [], [], []
        for part in (self._support, ~self._support):
            mass = self.masses(point) * part
            total = mass.sum(1)
            mean = (rows * mass).sum(2) / total.clamp(min=torch.finfo(mass.dtype).tiny)
            centred = (rows - mean[..., None]).flatten(1)
            parts.append((centred * mass.flatten()) @ centred.mT)
            means.append(mean)
            masses.append(total)
        between = means[0] - means[1]
        found: Tensor = sum(parts) + (between * (masses[0] * masses[1] / self._weights[:, 0])) @ between.mT
        return found


def _differences(count: int) -> Tensor:
    """Orthonormal rows (count - 1, count) that sum to 0."""
    rows = torch.zeros(max(count - 1, 0), max(count, 1), dtype=torch.float64)
    for i in range(count - 1):
        rows[i, : i + 1], rows[i, i + 1] = 1.0, -(i + 1.0)
    return torch.nn.functional.normalize(rows)


def _placed(rows: Tensor, where: Tensor, context: int, shape: torch.Size) -> list[Tensor]:
    """Rows on some tokens of one context, as flat matrices (m V,)."""
    found = []
    for row in rows:
        matrix = torch.zeros(shape, dtype=torch.float64)
        matrix[context, where] = row
        found.append(matrix.flatten())
    return found
