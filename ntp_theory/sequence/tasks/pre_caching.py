"""`PreCaching`: a task of numbers in which what later positions need is of no use now."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import jv, ndtr

from ...doors import generator, one_of, positive, share, whole
from .batch import Batch
from .task import SPLITS, Task

__all__ = ["PreCaching"]

Floats = NDArray[np.float64]
# Terms of the series for the loss of saying 0.
TERMS = 10_000


class PreCaching(Task):
    """Targets are sums of ``sin(a x)`` over a window of earlier positions, or what is read now; a coin says which.

    At every position the input is ``(x_n, z_n)``, with x_n standard normal and z_n a coin, and the target

        y_n = z_n (sin(a x_(n-s)) + .. + sin(a x_(n-s-K+1))) + (1 - z_n) x_n,

    where positions before the first contribute 0. With s = 1 the present is excluded: sin(a x_n) is of no use at
    position n, and a model that computes it there does so for later positions, it *pre-caches*. With s = 0 it is of use
    now as well: later positions may find it as a *breadcrumb*.

    Parameters
    ----------
    frequency : float
        a.
    window : int
        K, how many sines a sum has.
    probability : float
        p, of z_n = 1.
    shift : int
        s, how far back the window ends: 1 excludes the present, 0 is the breadcrumbs control.
    length : int
        T, positions.

    Raises
    ------
    UsageError
        If a number is out of range.

    Notes
    -----
    Source: 2404.00859 (`planning/synthetic-task`); the defaults are the paper's, p one of its values. Every batch is
    drawn when it is asked for. Targets are functions of the inputs, so the least possible loss is 0.

    Examples
    --------
    >>> task = PreCaching(frequency=5.0, window=2, probability=1.0, length=3)
    >>> batch = task.sample(100, rng=0)
    >>> batch.prompts.shape, batch.answers.shape
    (torch.Size([100, 3, 2]), torch.Size([100, 3]))
    >>> sines = torch.sin(5 * batch.prompts[:, :, 0])
    >>> torch.allclose(batch.answers[:, 2], sines[:, 0] + sines[:, 1], atol=1e-5)
    True
    """

    numbers = 2
    right_answers = False
    vocab_size = 1

    def __init__(
        self,
        frequency: float = 10.0,
        window: int = 10,
        probability: float = 0.3,
        *,
        shift: int = 1,
        length: int = 64,
    ) -> None:
        self.frequency = positive("frequency", frequency)
        self.window = whole("window", window, at_least=1)
        self.probability = share("probability", probability)
        self.shift = whole("shift", shift, at_least=0)
        self.length = whole("length", length, at_least=1)

    @property
    def max_length(self) -> int:
        """T."""
        return self.length

    @property
    def depth(self) -> int:
        """Two layers: the first computes the sines, the second adds them up."""
        return 2

    def __repr__(self) -> str:
        return (
            f"PreCaching(frequency={self.frequency!r}, window={self.window}, probability={self.probability!r}, "
            f"shift={self.shift}, length={self.length})"
        )

    def sample(self, n: int, rng: int | np.random.Generator = 0, *, split: str | None = None) -> Batch:
        """n sequences, drawn independently.

        Parameters
        ----------
        n : int
        rng : int or numpy.random.Generator
        split : {"train", "test"}, optional
            The same rng gives independent draws for the two; no two sequences are ever the same.

        Returns
        -------
        Batch
            Prompts (n, T, 2) and answers (n, T), float32 on the CPU.

        Raises
        ------
        UsageError
            If an argument is out of range.
        """
        whole("n", n, at_least=1)
        random = generator(rng)
        if split is not None:
            one_of("split", split, SPLITS)
            random = np.random.default_rng([SPLITS.index(split), *random.integers(2**63, size=4)])
        prompts = np.empty((n, self.length, 2), dtype=np.float32)
        prompts[:, :, 0] = random.standard_normal((n, self.length), dtype=np.float32)
        prompts[:, :, 1] = random.random((n, self.length)) < self.probability
        return Batch(torch.from_numpy(prompts), torch.from_numpy(self.targets(prompts)))

    def features(self, prompts: NDArray[np.float32]) -> Floats:
        """sin(a x) at every position, (b, T), in double precision."""
        return np.sin(self.frequency * prompts[:, :, 0].astype(np.float64))

    def targets(self, prompts: NDArray[np.float32]) -> NDArray[np.float32]:
        """The targets (b, T) of inputs (b, T, 2): sums in double precision, the nearest first, rounded once."""
        sines = self.features(prompts)
        sums = np.zeros_like(sines)
        for back in range(self.shift, min(self.shift + self.window, self.length)):
            sums[:, back:] += sines[:, : self.length - back]
        x, z = prompts[:, :, 0], prompts[:, :, 1]
        return np.where(z == 1, sums, x).astype(np.float32)

    def terms(self) -> tuple[int, ...]:
        """How many sines the sum has at every position: fewer at the first ones.

        Examples
        --------
        >>> PreCaching(window=2, length=5).terms()
        (0, 1, 2, 2, 2)
        """
        return tuple(max(0, min(self.window, n + 1 - self.shift)) for n in range(self.length))

    def zero_losses(self, delta: float = 1.0) -> tuple[float, ...]:
        """The expected Huber loss of saying 0 at every position (`planning/synthetic-task`).

        With shift 1 and p = 1 nobody who sees the present alone does better: the target is symmetric about 0 given it.

        Parameters
        ----------
        delta : float
            As in `Regression`.

        Returns
        -------
        tuple of float, T of them
            Exact but for the end of a series, ``((K + delta) / pi^1.5 / 10^4)^2`` at most.

        Examples
        --------
        >>> losses = PreCaching(probability=1.0).zero_losses()
        >>> f"{sum(losses) / 64:.4f}"
        '1.2570'
        """
        positive("delta", delta)
        sums = _expected_huber(self.frequency, self.window, delta)
        density = math.exp(-(delta**2) / 2) / math.sqrt(2 * math.pi)
        present = float(ndtr(delta)) - 0.5 + delta * density - delta**2 * float(ndtr(-delta))
        p = self.probability
        return tuple(p * sums[m] + (1 - p) * present for m in self.terms())


def _expected_huber(frequency: float, most: int, delta: float) -> list[float]:
    """The expected Huber loss of saying 0 for sums of 0 to ``most`` independent sin(a x).

    For ``|s| <= m`` and a step ``h < 2 pi / (m + delta)`` the Huber loss of s is, without error, the trapezoidal sum
    over all multiples t of h of ``sin(delta t) (1 - cos(t s)) / t^3 / pi``: the integrand is band-limited. The mean of
    cos(t s) is the characteristic function of one sine to the power m, and the sum of ``sin(k theta) / k^3`` a cubic.
    """
    step = math.pi / (most + delta)
    k = np.arange(1, TERMS + 1, dtype=np.float64)
    one = _characteristic(frequency, step * k)
    weights = np.sin(delta * step * k) / (step * k) ** 3
    theta = delta * step
    without_sum = (math.pi**2 * theta / 6 - math.pi * theta**2 / 4 + theta**3 / 12) / step**3
    variance = -math.expm1(-2 * frequency**2) / 2
    return [
        step / math.pi * (delta * m * variance / 2 + 2 * (without_sum - float(weights @ one**m))) if m else 0.0
        for m in range(most + 1)
    ]


def _characteristic(frequency: float, t: Floats) -> Floats:
    """The mean of exp(i t sin(a x)) for a standard normal x, by the expansion of Jacobi and Anger."""
    found: Floats = jv(0, t)
    k = 2
    while math.exp(-((k * frequency) ** 2) / 2) > 1e-17:
        found = found + 2 * math.exp(-((k * frequency) ** 2) / 2) * jv(k, t)
        k += 2
    return found
