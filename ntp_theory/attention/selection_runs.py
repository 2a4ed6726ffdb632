"""Training of attention that selects tokens: gradient, normalised and Polyak steps, on W or on keys and queries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..doors import as_decoder, dense, instance, one_of, positive, whole
from ..errors import DatasetError, SolverError, UsageError
from .selection import TokenSelection

__all__ = ["SelectionRun", "select", "worth_gradient"]

Method = Literal["gd", "ngd", "polyak"]
# Attention off the selected tokens of e^-600 and less is near the smallest double: a run ends there.
DEEPEST = 600.0


@dataclass(frozen=True, eq=False, repr=False)
class SelectionRun:
    """A run of `select`.

    Attributes
    ----------
    data : TokenSelection
    method : str
    step_size : float
        eta.
    steps : Tensor (r,), int64
        Recorded ones.
    weights : Tensor (r, d, d)
        W, or ``K Q'``.

    Examples
    --------
    >>> run = select(TokenSelection.random(2, 3, 10), steps=20, step_size=5.0)
    >>> run, bool((run.log_gaps()[1:] < run.log_gaps()[:-1]).all())
    (<SelectionRun: 20 steps of gd, 20 recorded>, True)
    """

    data: TokenSelection
    method: str
    step_size: float
    steps: Tensor
    weights: Tensor

    @property
    def selected(self) -> Tensor:
        """The tokens with most attention at the end; (n,)."""
        return self.data.selected(self.weights[-1])

    def correlations(self, direction: Tensor) -> Tensor:
        """``<W, D> / (|W| |D|)``, the measure of the papers; (r,)."""
        flat, other = self.weights.flatten(1), as_decoder(direction, self._shape, self.weights, "direction").flatten()
        found: Tensor = flat @ other / (flat.norm(dim=1) * other.norm()).clamp(min=1e-300)
        return found

    def reach(self, direction: Tensor) -> Tensor:
        """``<W, D> / |D|^2``: how many times the direction, by projection; (r,)."""
        flat = as_decoder(direction, self._shape, self.weights, "direction").flatten()
        return self.weights.flatten(1) @ flat / flat.square().sum()

    def log_gaps(self) -> Tensor:
        """Logarithm of the loss above what it would be with all attention on the tokens selected at the end; (r,).

        NaN where it is below that: before the end another selection may have been better.
        """
        logits = torch.einsum("itd,rde,ie->rit", self.data.tokens, self.weights, self.data.queries)
        alpha = self.selected
        own = self.data.scores.gather(1, alpha[:, None])
        missing = (logits.softmax(2) * (own - self.data.scores)).sum(2)  # exactly 0 at the token itself
        return torch.log1p(torch.expm1(missing) * torch.sigmoid(-own.flatten())).mean(1).log()

    @property
    def _shape(self) -> tuple[int, int]:
        return self.weights.shape[1], self.weights.shape[2]

    def __repr__(self) -> str:
        return f"<SelectionRun: {int(self.steps[-1])} steps of {self.method}, {len(self.steps)} recorded>"


def select(
    data: TokenSelection,
    method: Method = "gd",
    *,
    steps: int,
    step_size: float = 1.0,
    rank: int | None = None,
    start: ArrayLike | Tensor | None = None,
    scale: float | None = None,
    points: int = 60,
) -> SelectionRun:
    """Train attention on ``mean_i log(1 + exp(-score_i))``, the head fixed.

    Parameters
    ----------
    data : TokenSelection
    method : {"gd", "ngd", "polyak"}
        Steps of ``eta g``, of length eta, or of ``(f - f*) / |g|^2 g`` with f* the loss of the best selection.
    steps : int
        Fewer are made if attention off the selected tokens falls below e^-600, near the smallest double.
    step_size : float
        eta; "polyak" multiplies its steps with it.
    rank : int, optional
        Train keys and queries K, Q (d, rank) with ``W = K Q'`` in place of W; not by "polyak", whose first steps from
        near zero, where the gradient vanishes, would be far too long.
    start : array (d, d), optional
        W at the beginning; zero if not given. Not for keys and queries, which start at random.
    scale : float, optional
        Standard deviation of the entries of K and Q at the beginning (seed 0); 0.1 if not given.
    points : int
        About how many steps are recorded: evenly in the step for "ngd" and "polyak", in its logarithm for "gd".

    Returns
    -------
    SelectionRun

    Raises
    ------
    UsageError
        If an argument is out of range.
    SolverError
        If weights or gradients come to be infinite.

    Notes
    -----
    The loss is not convex in W. Gradients keep their digits however little attention is left off the selected token.

    Source: 2306.13596, 2308.16898 (`attention/att-svm`); 2402.05738 (`attention/ngd-polyak`).

    Examples
    --------
    >>> from ntp_theory.attention import solve_selection
    >>> data = TokenSelection.random(2, 3, 10)
    >>> run = select(data, "ngd", steps=300, step_size=0.1)
    >>> float(run.correlations(solve_selection(data, run.selected).direction)[-1]) > 0.99
    True
    """
    instance("data", data, TokenSelection)
    one_of("method", method, get_args(Method))
    count, eta = whole("steps", steps, at_least=1), positive("step_size", step_size)
    d = data.tokens.shape[2]
    if rank is None:
        if scale is not None:
            raise UsageError(f"scale is {scale!r}; it is of keys and queries, which are trained if rank is given")
        w = torch.zeros(d, d, dtype=torch.float64)
        if start is not None:
            try:
                w = torch.from_numpy(dense("start", start, 2))
            except DatasetError as error:
                raise UsageError(str(error)) from error
            if w.shape != (d, d):
                raise UsageError(f"start has shape {tuple(w.shape)}; it must be {(d, d)}")
        parameters = [w]
    else:
        if start is not None:
            raise UsageError("start is W, and keys and queries were asked for: they start at random")
        if method == "polyak":
            raise UsageError("method is 'polyak'; for keys and queries it must be 'gd' or 'ngd'")
        random = torch.Generator().manual_seed(0)
        shape = (d, whole("rank", rank, at_least=1))
        deviation = positive("scale", 0.1 if scale is None else scale)
        parameters = [deviation * torch.randn(shape, generator=random, dtype=torch.float64) for _ in range(2)]
    spaced = np.geomspace if method == "gd" else np.linspace
    at = {round(k) for k in spaced(1, count, whole("points", points, at_least=2))}
    best = data.scores.max(1).values
    taken, recorded = [], []
    for k in range(1, count + 1):
        w = parameters[0] if rank is None else parameters[0] @ parameters[1].T
        gradient, missing, deepest = _gradient(data, w, best)
        slopes = [gradient] if rank is None else [gradient @ parameters[1], gradient.T @ parameters[0]]
        size = math.sqrt(sum(float(g.square().sum()) for g in slopes))
        if not math.isfinite(size):
            raise SolverError(f"training diverged: the gradient is not finite at step {k}, step size {eta:g}", best=w)
        if size == 0.0 or deepest > DEEPEST:
            break
        length = {"gd": eta, "ngd": eta / size, "polyak": eta * missing / size**2}[method]
        parameters = [p - length * g for p, g in zip(parameters, slopes, strict=True)]
        if k in at:
            taken.append(k)
            recorded.append(parameters[0] if rank is None else parameters[0] @ parameters[1].T)
    if not recorded:
        raise UsageError(
            "no step was recorded: the gradient vanishes where the run starts, or nothing is left to select"
        )
    return SelectionRun(data, method, eta, torch.tensor(taken), torch.stack(recorded))


def _gradient(data: TokenSelection, w: Tensor, best: Tensor) -> tuple[Tensor, float, float]:
    """The gradient in W; f - f*; the least over inputs of how far logits are below their input's largest."""
    logits = data.logits(w)
    attention = logits.softmax(1)
    pull, score = worth_gradient(attention, data.scores)
    slope = -torch.sigmoid(-score) / len(score)
    gradient = torch.einsum("i,it,itd,ie->de", slope, pull, data.tokens, data.queries)
    short = ((best[:, None] - data.scores) * attention).sum(1)
    missing = torch.log1p(torch.expm1(short) * torch.sigmoid(-best)).mean()
    top = logits.topk(min(2, logits.shape[1]), dim=1).values
    return gradient, float(missing), float((top[:, 0] - top[:, -1]).min())


def worth_gradient(attention: Tensor, worth: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives of ``sum_t s_t c_t`` in the logits of s, ``s_t (c_t - sum s c)`` (n, T), and the sum itself (n,).

    Differences are taken from the token with most attention, so that nothing is lost where the others have little.

    Examples
    --------
    >>> s = torch.tensor([[1.0, 1e-40]], dtype=torch.float64)
    >>> worth_gradient(s, torch.tensor([[1.0, 0.0]], dtype=torch.float64))[0].tolist()
    [[1e-40, -1e-40]]
    """
    own = worth.gather(1, attention.argmax(1, keepdim=True))
    less = own - worth
    missing = (attention * less).sum(1, keepdim=True)
    return attention * (missing - less), (own - missing).flatten()
