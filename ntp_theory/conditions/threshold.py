"""How often random data is NTP-separable: Monte Carlo in which every draw is decided with a proof."""

from __future__ import annotations

import math
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import scipy.stats

from ..construct import random
from ..dataset import NTPDataset
from ..doors import whole
from ..errors import SolverError, UsageError
from ..subspace import data_subspace
from ..sweeps import processes, sweep
from .separability import check_separability

__all__ = ["Proportion", "separability_probability", "wendel_heuristic", "wendel_probability"]

BATCH = 16  # draws that a process takes at a time


@dataclass(frozen=True)
class Proportion:
    """A probability estimated from independent draws.

    Attributes
    ----------
    draws, successes : int
        Number of draws, and how many were proved to be successes.
    undecided : int
        Draws proved neither way. The interval holds whichever way they fall.
    confidence : float
        Probability, over the draws, that the interval contains the true value; at least.

    Raises
    ------
    UsageError
        If the numbers are not those of a sample, or ``confidence`` is not strictly between 0 and 1.

    Examples
    --------
    >>> half = Proportion(draws=200, successes=100)
    >>> half.estimate, round(half.low, 3), round(half.high, 3)
    (0.5, 0.429, 0.571)
    """

    draws: int
    successes: int
    undecided: int = 0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        whole("draws", self.draws, at_least=1)
        whole("successes", self.successes, at_least=0, at_most=self.draws)
        whole("undecided", self.undecided, at_least=0, at_most=self.draws - self.successes)
        if not 0 < self.confidence < 1:
            raise UsageError(f"confidence is {self.confidence!r}; it must be strictly between 0 and 1")

    @property
    def estimate(self) -> float:
        """Share of draws that were proved to be successes."""
        return self.successes / self.draws

    @property
    def low(self) -> float:
        """Lower end of the Clopper-Pearson interval, as if the undecided draws were failures."""
        k = self.successes
        return 0.0 if k == 0 else float(scipy.stats.beta.ppf((1 - self.confidence) / 2, k, self.draws - k + 1))

    @property
    def high(self) -> float:
        """Upper end of the Clopper-Pearson interval, as if the undecided draws were successes."""
        k = self.successes + self.undecided
        return 1.0 if k == self.draws else float(scipy.stats.beta.isf((1 - self.confidence) / 2, k + 1, self.draws - k))

    def summary(self) -> str:
        """The estimate and its interval in words."""
        open_ones = f", {self.undecided} undecided" if self.undecided else ""
        return (
            f"{self.successes} of {self.draws} draws{open_ones}: {self.estimate:.3f}, "
            f"between {self.low:.3f} and {self.high:.3f} at confidence {self.confidence:g}"
        )


def separability_probability(
    vocab_size: int,
    dim: int,
    num_contexts: int,
    support_size: int | tuple[int, int],
    *,
    draws: int = 200,
    confidence: float = 0.95,
    rng: int | np.random.Generator = 0,
    workers: int = 1,
    executor: Executor | None = None,
    progress: bool = False,
) -> Proportion:
    """Probability that random data is NTP-separable, with a confidence interval.

    Parameters
    ----------
    vocab_size, dim, num_contexts : int
        V, d and m.
    support_size : int or (int, int)
        S_j: the same for every context, or drawn uniformly from ``lo, ..., hi``.
    draws : int
        Number of datasets, each from `construct.random`: Gaussian embeddings, uniformly random supports.
    confidence : float
        Of the interval; strictly between 0 and 1.
    rng : int or numpy.random.Generator
        Every draw has a stream of its own, spawned from it, so that the answer does not depend on who computes it.
    workers : int
        Number of processes; more than one are those of `sweeps.processes`.
    executor : concurrent.futures.Executor, optional
        What does the work instead, as in `sweep`.
    progress : bool
        Show the progress on a terminal.

    Returns
    -------
    Proportion
        Every success was proved by a separating direction and every failure by a Farkas certificate
        (`check_separability`); what had neither is counted as undecided.

    Raises
    ------
    UsageError
        If a size is not a whole number in its range, ``confidence`` is not strictly between 0 and 1, or there are both
        an executor and workers.

    Notes
    -----
    Source: ours (`bias/separability-threshold`); the thresholds are open in 2402.18551 Remark 1.

    Examples
    --------
    >>> print(separability_probability(2, 2, 5, 1, draws=40).summary())  # 5/16 by Cover's count
    13 of 40 draws: 0.325, between 0.186 and 0.491 at confidence 0.95
    """
    models = _models(vocab_size, dim, num_contexts, support_size, draws)
    Proportion(len(models), 0, confidence=confidence)  # refuses a wrong confidence before the work
    if whole("workers", workers, at_least=1) > 1 and executor is not None:
        raise UsageError(f"workers is {workers} beside an executor, which has its own; give one of the two")
    with nullcontext(executor) if workers == 1 else processes(workers) as pool:
        found = sweep(_decide, models, rng=rng, executor=pool, batch=BATCH, progress=progress, title="separability")
    return Proportion(len(models), found.count(True), found.count(None), confidence)


def wendel_heuristic(
    vocab_size: int,
    dim: int,
    num_contexts: int,
    support_size: int | tuple[int, int],
    *,
    draws: int = 200,
    rng: int | np.random.Generator = 0,
) -> Fraction:
    """What Wendel's theorem would give for `separability_probability` if the constraints were in general position.

    Inside the complement of F, of dimension ``D = (V-1) d - dim F``, each of the ``N = sum_j (V - S_j)`` off-support
    pairs asks for one inequality. If these were N vectors in general position and symmetric, the probability that all
    can be met would be `wendel_probability` of N and D. They are for V = 2 and are *not* for larger V.

    Parameters
    ----------
    vocab_size, dim, num_contexts, support_size, draws, rng
        As in `separability_probability`; with the same ``rng`` these are the same draws.

    Returns
    -------
    Fraction
        Average over the draws, whose dim F and N vary; exact for the draws.

    Raises
    ------
    UsageError
        If a size is not a whole number in its range.

    Notes
    -----
    Source: ours (`bias/separability-threshold`), after J. G. Wendel, "A problem in geometric probability" (1962).

    Examples
    --------
    >>> wendel_heuristic(vocab_size=3, dim=9, num_contexts=12, support_size=2, draws=20)
    Fraction(1, 2)
    """
    models = _models(vocab_size, dim, num_contexts, support_size, draws)
    return sum(sweep(_heuristic, models, rng=rng), Fraction(0)) / len(models)


def wendel_probability(num_points: int, dim: int) -> Fraction:
    """Probability that N symmetric random points in general position in R^D lie in one open half-space.

    Parameters
    ----------
    num_points, dim : int
        N and D.

    Returns
    -------
    Fraction
        ``2^(1-N) sum_{i<D} C(N-1, i)``, exactly; 1 if there is no point.

    Raises
    ------
    UsageError
        If a number is not whole or negative.

    Notes
    -----
    Source: Wendel (1962); Cover (1965) for the signs of fixed points (`classical/cover-wendel`).

    Examples
    --------
    >>> wendel_probability(5, 2), wendel_probability(10, 6)
    (Fraction(5, 16), Fraction(191, 256))
    """
    n, d = whole("num_points", num_points, at_least=0), whole("dim", dim, at_least=0)
    if n == 0:
        return Fraction(1)
    return Fraction(sum(math.comb(n - 1, i) for i in range(min(d, n))), 2 ** (n - 1))


@dataclass(frozen=True)
class _Model:
    """The random model, as what a process needs to make a draw of it."""

    vocab_size: int
    dim: int
    num_contexts: int
    support_size: int | tuple[int, int]

    def draw(self, stream: np.random.Generator) -> NTPDataset:
        return random(self.vocab_size, self.dim, self.num_contexts, self.support_size, stream)


def _models(
    vocab_size: int, dim: int, num_contexts: int, support_size: int | tuple[int, int], draws: int
) -> list[_Model]:
    """The model of each draw: the same."""
    draws = whole("draws", draws, at_least=1)
    model = _Model(vocab_size, dim, num_contexts, support_size)
    model.draw(np.random.default_rng(0))  # refuses wrong sizes here, not in another process
    return [model] * draws


def _decide(model: _Model, stream: np.random.Generator) -> bool | None:
    """Whether a draw is separable, proved; None where the data is within rounding of the boundary."""
    try:
        return check_separability(model.draw(stream)).separable
    except SolverError:
        return None


def _heuristic(model: _Model, stream: np.random.Generator) -> Fraction:
    data = model.draw(stream)
    freedom = (data.vocab_size - 1) * data.dim - data_subspace(data).dim
    return wendel_probability(data.pattern.num_off_support, freedom)
