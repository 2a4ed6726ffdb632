"""The constants on which convergence of myopic descent rests, and what follows from them alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..doors import number, positive
from ..errors import UsageError

__all__ = ["Constants"]

# Both of two constants that are equal come out of sums; these would have to have some million terms.
ROUNDED = 1 + 1e-9


@dataclass(frozen=True)
class Constants:
    """How convex and smooth a position's loss is in the weights it reads with, and how far the past moves it.

    G is what myopic descent goes down: the gradients of all losses, each in the weights of its own position.

    Attributes
    ----------
    tied : bool
        Whether all positions share their weights.
    convexity, smoothness : float
        mu and L: strong monotonicity and Lipschitz constant of G in the weights of the position itself.
    coupling : float
        beta: G moves by at most beta times the move of the weights of the past.
    monotone, lipschitz : float, optional
        m and K: the same as mu and L for all that descent moves. Untied they are mu and L; tied, where the weights of
        the past move too, mu - beta and L + beta unless sharper ones are given.

    Raises
    ------
    UsageError
        If no losses have such constants: mu from 0 to L, L positive, beta and K at least 0, m at most K.

    Notes
    -----
    Source: `planning/convergence`; with the sharper m and K, `planning/convex-toy`.

    Examples
    --------
    >>> Constants(tied=True, convexity=2.0, smoothness=2.0, coupling=3.0).forward_bias
    False
    >>> Constants(tied=False, convexity=2.0, smoothness=2.0, coupling=3.0).largest_step
    1.0
    """

    tied: bool
    convexity: float
    smoothness: float
    coupling: float
    monotone: float | None = None
    lipschitz: float | None = None

    def __post_init__(self) -> None:
        positive("smoothness", self.smoothness)
        number("coupling", self.coupling, "a finite number >= 0", lambda x: 0 <= x < math.inf)
        number("convexity", self.convexity, "from 0 to smoothness", lambda x: 0 <= x <= self.smoothness * ROUNDED)
        if self.lipschitz is not None:
            number("lipschitz", self.lipschitz, "a finite number >= 0", lambda x: 0 <= x < math.inf)
        if self.monotone is not None:
            number("monotone", self.monotone, "at most lipschitz", lambda x: abs(x) <= self.steepness * ROUNDED)

    @property
    def bias(self) -> float:
        """m: positive if the present outweighs the past, which is called a forward bias here."""
        if self.monotone is not None:
            return self.monotone
        return self.convexity - self.coupling if self.tied else self.convexity

    @property
    def steepness(self) -> float:
        """K."""
        if self.lipschitz is not None:
            return self.lipschitz
        return self.smoothness + self.coupling if self.tied else self.smoothness

    @property
    def forward_bias(self) -> bool:
        """Whether m > 0, so that small steps are certain to converge; untied that is so for every coupling."""
        return self.bias > 0

    @property
    def largest_step(self) -> float:
        """2 m / K^2: every smaller step size shrinks the distance at every step; 0 without a forward bias."""
        return 2 * self.bias / self.steepness / self.steepness if self.forward_bias else 0.0

    @property
    def best_step(self) -> float:
        """m / K^2, where the factor is least."""
        return self.largest_step / 2

    def factor(self, step_size: float) -> float:
        """What the distance shrinks by at every step, at least.

        Tied, that is ``rho = sqrt(1 - 2 eta m + eta^2 K^2)`` for the Euclidean distance. Untied, it is
        ``(1 + rho) / 2`` for ``sum_k t^k |theta_k - theta~_k|``, t = `discount`.

        Raises
        ------
        UsageError
            If the step size is not positive, or not below `largest_step`: then nothing is certain.

        Examples
        --------
        >>> Constants(tied=True, convexity=2.0, smoothness=2.0, coupling=1.0).factor(1 / 9)
        0.9428090415820634
        """
        return 1 - self.room(step_size)

    def room(self, step_size: float) -> float:
        """One minus `factor`, to full relative precision.

        Examples
        --------
        >>> f"{Constants(tied=True, convexity=1e-9, smoothness=1.0, coupling=0.0).room(1e-9):.1e}"
        '5.0e-19'
        """
        room = self._one_step_room(step_size)
        return room if self.tied else room / 2

    def discount(self, step_size: float) -> float:
        """t, the weight of a position's distance relative to that of the position before; 1 if tied.

        Examples
        --------
        >>> Constants(tied=False, convexity=1.0, smoothness=1.0, coupling=0.5).discount(1.0)
        0.5
        """
        if self.tied:
            return 1.0
        room = self._one_step_room(step_size)
        return room / (room + 2 * float(step_size) * self.coupling)

    def distance_bound(self, gradients: Sequence[float]) -> list[float]:
        """How far weights can be from the myopic optimum whose myopic gradients are this long, at most.

        Parameters
        ----------
        gradients : sequence of float
            Norms: one a position, or one alone if tied.

        Returns
        -------
        list of float
            A position's distance is at most what its gradient and the distances of its past account for; inf without a
            forward bias.

        Examples
        --------
        >>> Constants(tied=False, convexity=2.0, smoothness=2.0, coupling=4.0).distance_bound([1.0, 1.0])
        [0.5, 1.5]
        """
        if not self.forward_bias:
            return [math.inf] * len(gradients)
        found: list[float] = []
        for size in gradients:
            found.append((size + (0.0 if self.tied else self.coupling * sum(found))) / self.bias)
        return found

    def _one_step_room(self, step_size: float) -> float:
        """1 - rho."""
        eta = positive("step_size", step_size)
        if eta >= self.largest_step:
            raise UsageError(f"step_size is {eta:g}; it must be below {self.largest_step:g} for a factor below 1")
        gain = 2 * eta * self.bias - (eta * self.steepness) ** 2
        return gain / (1 + math.sqrt(max(0.0, 1 - gain)))  # at most 1, but for rounding, as m <= K
