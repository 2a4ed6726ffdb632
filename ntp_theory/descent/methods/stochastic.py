"""Stochastic gradient descent: batches of contexts, or of (context, next token) pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ...dataset import NTPDataset
from ...doors import positive, share, whole
from ...errors import UsageError
from ...softmax import SoftmaxResidual, fitting_view
from ...support import SupportPattern
from .schedule import decayed, log_decayed, log_sum

__all__ = ["StochasticGradientDescent", "StochasticPairDescent"]

# A round of independent draws has at least this many batches: making a generator costs as much as some steps.
BATCHES = 256


@dataclass(frozen=True, eq=False)
class StochasticState:
    """W_k (V, d), what it descends on, the draws of this round, the first and the last eta, k, and the sum of eta."""

    weights: Tensor
    data: NTPDataset
    drawn: Tensor
    first: float
    step_size: float
    count: int
    log_elapsed: float


@dataclass(frozen=True)
class StochasticGradientDescent:
    """``W_{k+1} = W_k - eta_k G_k``, G_k the mean gradient of a batch of contexts; ``eta_k = eta (k + 1)^-decay``.

    Parameters
    ----------
    step_size : float, optional
        Eta; if not given, one over the largest smoothness constant of a single draw, which for draws with replacement
        is ``2 / max_j ||h_j||^2``.
    batch_size : int
        Contexts a step.
    replace : bool
        True: independent draws with probabilities pi. False: every round goes through all contexts once in random
        order, each counted with m pi_j; the last batch of a round may be smaller.
    decay : float
        From 0 (constant step size) to 1.
    seed : int
        The draws of a round are a function of the seed and the number of the round.

    Raises
    ------
    UsageError
        If a setting is out of its range. From `init`, if a batch without replacement is larger than the data.

    Notes
    -----
    The mean of G_k over the draws is the gradient. A context's own gradient vanishes with its off-support mass and its
    distance from p_j, so on compatible separable data noise dies out with the gradient (`bias/strong-growth`), and a
    constant step size has the limit of gradient descent (`bias/footnote-8`).

    Source: 2402.18551 footnote 8 (`bias/footnote-8`, `bias/strong-growth`).

    Examples
    --------
    >>> data = NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])
    >>> method = StochasticGradientDescent(step_size=1.0, seed=0)
    >>> state = method.step(method.init(data, torch.zeros(2, 2, dtype=torch.float64)))
    >>> state.drawn.tolist()[0], state.weights.tolist()
    (1, [[0.0, -0.5], [0.0, 0.5]])
    """

    step_size: float | None = None
    batch_size: int = 1
    replace: bool = True
    decay: float = 0.0
    seed: int = 0
    name: ClassVar[str] = "sgd"

    def __post_init__(self) -> None:
        if self.step_size is not None:
            object.__setattr__(self, "step_size", positive("step_size", self.step_size))
        object.__setattr__(self, "batch_size", whole("batch_size", self.batch_size, at_least=1))
        if not isinstance(self.replace, bool):
            raise UsageError(f"replace is {self.replace!r}; it must be True or False")
        object.__setattr__(self, "decay", share("decay", self.decay))
        object.__setattr__(self, "seed", whole("seed", self.seed, at_least=0))

    def init(self, data: NTPDataset, weights: Tensor) -> StochasticState:
        """Start at ``weights`` (V, d)."""
        if data.ranks.size > 1:
            raise UsageError("data is a shard with some of the contexts only, and draws need all: pass data.whole()")
        masses = self._masses(data)
        if not self.replace and self.batch_size > len(masses):
            raise UsageError(f"batch_size is {self.batch_size}; without replacement it must be at most {len(masses)}")
        first = self.step_size
        if first is None:
            share = 1.0 if self.replace else len(masses) * masses
            largest = float((share * data.embeddings[self._contexts(data)].square().sum(1)).max()) / 2
            first = 1 / largest if largest > 0.0 else 1.0
        drawn = torch.empty(0, dtype=torch.int64, device=weights.device)
        return StochasticState(weights, data, drawn, first, first, 0, -math.inf)

    def step(self, state: StochasticState) -> StochasticState:
        """One step along the gradient of a batch."""
        data, masses = state.data, self._masses(state.data)
        number, batch = divmod(state.count, self._batches(masses))
        drawn = state.drawn if batch else self._round(masses, number)
        items = drawn[batch * self.batch_size : (batch + 1) * self.batch_size]
        step_size = decayed(state.first, self.decay, state.count)
        weights = state.weights - step_size * self._gradient(state.weights, data, items)
        elapsed = log_sum(state.log_elapsed, log_decayed(state.first, self.decay, state.count))
        return StochasticState(weights, data, drawn, state.first, step_size, state.count + 1, elapsed)

    def _batches(self, masses: Tensor) -> int:
        """Batches in a round, which without replacement is one pass over the data."""
        once = math.ceil(len(masses) / self.batch_size)
        return max(once, BATCHES) if self.replace else once

    def _round(self, masses: Tensor, number: int) -> Tensor:
        """The draws of a round."""
        random = np.random.default_rng([self.seed, number])
        if self.replace:
            p = masses.double().cpu().numpy()
            drawn = random.choice(len(p), size=self._batches(masses) * self.batch_size, p=p / p.sum())
        else:
            drawn = random.permutation(len(masses))
        return torch.from_numpy(drawn).to(masses.device)

    def _gradient(self, weights: Tensor, data: NTPDataset, items: Tensor) -> Tensor:
        """Mean gradient of what was drawn, whose mean over the draws is the gradient."""
        masses = self._masses(data)
        shares = masses.new_ones(len(items)) if self.replace else len(masses) * masses[items]
        pattern, conditionals = self._targets(data, items)
        h = data.embeddings[self._contexts(data)[items]]
        logits = weights @ h.T
        view = fitting_view(logits.device, logits.numel())
        with np.errstate(over="ignore", invalid="ignore"):
            SoftmaxResidual(pattern, conditionals, shares / len(items), view)(view(logits))
        return logits @ h

    def _masses(self, data: NTPDataset) -> Tensor:
        """Probabilities (n,) of what is drawn."""
        return data.weights

    def _contexts(self, data: NTPDataset) -> Tensor:
        """Contexts (n,) of what is drawn."""
        return torch.arange(data.num_contexts, device=data.weights.device)

    def _targets(self, data: NTPDataset, items: Tensor) -> tuple[SupportPattern, Tensor]:
        """Next tokens of what was drawn, one row for each item, and their probabilities on the entries."""
        sizes, rows = data.pattern.sizes[items], torch.arange(len(items), device=items.device)
        rows = rows.repeat_interleave(sizes)
        # entries of a context are consecutive
        entries = torch.arange(len(rows), device=items.device)
        entries = entries + (data.pattern.starts[items] - (sizes.cumsum(0) - sizes))[rows]
        pattern = SupportPattern(rows, data.pattern.tokens[entries], len(items), data.vocab_size)
        return pattern, data.conditionals[entries]


@dataclass(frozen=True)
class StochasticPairDescent(StochasticGradientDescent):
    """Stochastic gradient descent on batches of (context, next token) pairs, as in training on text.

    Parameters
    ----------
    step_size, batch_size, replace, decay, seed
        As for `StochasticGradientDescent`, of the pairs (j, z), z in S_j, with probabilities ``pi_j p_{j,z}``.

    Notes
    -----
    Where a context has several next tokens, the gradients of its pairs do not vanish at W*: their second moment tends
    to ``sum_j pi_j ||h_j||^2 (1 - ||p_j||^2)``, so there is no strong growth, and with a constant step size P_F W_k
    does not converge (`bias/strong-growth`). With decay it does.

    Source: ours (`bias/strong-growth`).

    Examples
    --------
    >>> data = NTPDataset([[1.0]], [[0.5, 0.5]])
    >>> method = StochasticPairDescent(step_size=1.0, seed=0)
    >>> state = method.step(method.init(data, torch.zeros(2, 1, dtype=torch.float64)))
    >>> state.drawn.tolist()[0], state.weights.tolist()
    (1, [[-0.5], [0.5]])
    """

    name: ClassVar[str] = "sgd-pairs"

    def _masses(self, data: NTPDataset) -> Tensor:
        return data.joint

    def _contexts(self, data: NTPDataset) -> Tensor:
        return data.pattern.contexts

    def _targets(self, data: NTPDataset, items: Tensor) -> tuple[SupportPattern, Tensor]:
        rows = torch.arange(len(items), device=items.device)
        pattern = SupportPattern(rows, data.pattern.tokens[items], len(items), data.vocab_size)
        return pattern, data.weights.new_ones(len(items))
