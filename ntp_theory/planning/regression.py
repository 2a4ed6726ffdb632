"""`PositionRegression`: linear regression over positions, each of which reads features of itself and of its past."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..doors import dense, generator, number, whole
from ..errors import DatasetError, UsageError
from .constants import Constants
from .samples import as_samples
from .weights import as_weights

__all__ = ["PositionRegression"]

# Unit roundoff of double precision.
UNIT = 2.0**-53


class PositionRegression:
    """Position k predicts ``sum_{i <= k} x_ki . theta_i``; its loss is half the mean square of its errors.

    The losses l_k are means over the samples, the loss of a model is their sum over the positions. theta_i are the
    weights of position i, the same everywhere if ``tied``. They play two parts: position k reads its own features x_kk
    with theta_k, and finds what the past made of its own, x_ki . theta_i. Myopic training improves them for the first
    part alone.

    Parameters
    ----------
    features : array (samples, positions, positions, width)
        x_ki at ``[:, k, i]``; 0 for i > k.
    targets : array (samples, positions)
    tied : bool

    Raises
    ------
    DatasetError
        If shapes do not fit, an entry is not finite, all are too small or one is too large for squares of squares, a
        position reads the future, or a position's own features do not determine the weights it reads with (of all
        positions together if tied).

    Notes
    -----
    Source: `planning/convex-toy`, derived. With X the own features and S all of them, errors are ``S theta - Y``, a
    myopic gradient is ``X^T (S theta - Y)``, and a full one ``S^T (S theta - Y)``, both over the number of samples.
    Weights are (width,) if tied, (positions, width) if not.

    Examples
    --------
    >>> toy = PositionRegression.random(positions=4, width=2, samples=50)
    >>> f"{toy.myopia_gap():.4f} {toy.local_bonus():.4f}"
    '0.0073 0.0062'
    """

    def __init__(self, features: ArrayLike | Tensor, targets: ArrayLike | Tensor, *, tied: bool = False) -> None:
        (self.features, self.targets), self.tied = as_samples(features, targets), bool(tied)
        for where, own in self._own_parts():
            if (rank := int(torch.linalg.matrix_rank(own))) < self.width:
                raise DatasetError(
                    f"features of {where} about itself have rank {rank}; the rank must be the width, {self.width}, or "
                    "the best weights to read them with are not unique (take more samples, or fewer features)"
                )

    @classmethod
    def from_sequence(
        cls,
        sequence: ArrayLike | Tensor,
        targets: ArrayLike | Tensor,
        *,
        mixing: ArrayLike | Tensor | None = None,
        tied: bool = False,
    ) -> PositionRegression:
        """Every position reads one sequence of feature vectors: ``x_ki = mixing[k, i] x_i``.

        That is a layer of attention whose weights are fixed, theta being what makes the values.

        Parameters
        ----------
        sequence : array (samples, positions, width)
        targets : array (samples, positions)
        mixing : array (positions, positions), optional
            Lower triangular; ones if None, so that positions read sums.
        tied : bool

        Returns
        -------
        PositionRegression

        Raises
        ------
        DatasetError
            As the constructor.

        Examples
        --------
        >>> x = [[[1.0], [2.0]], [[3.0], [1.0]]]
        >>> PositionRegression.from_sequence(x, [[1.0, 3.0], [3.0, 4.0]], tied=True).best
        tensor([1.], dtype=torch.float64)
        """
        x = dense("sequence", sequence, 3)
        length = x.shape[1]
        weights = np.tril(np.ones((length, length))) if mixing is None else dense("mixing", mixing, 2)
        if weights.shape != (length, length):
            raise DatasetError(f"mixing has shape {weights.shape}; it must be (positions, positions), {length} each")
        return cls(weights[None, :, :, None] * x[:, None], targets, tied=tied)

    @classmethod
    def random(
        cls,
        positions: int,
        width: int,
        samples: int,
        *,
        coupling: float = 0.5,
        noise: float = 1.0,
        tied: bool = False,
        rng: int | np.random.Generator = 0,
    ) -> PositionRegression:
        """Gaussian features, and targets that some weights give but for noise.

        Parameters
        ----------
        positions, width, samples : int
        coupling : float
            What a position sees of its past is this times ``(x_kk + z) / sqrt(2)``, z independent: with a negative one
            the past works against the present, and far enough below 0 there is no forward bias.
        noise : float
            Standard deviation of what no weights explain.
        tied : bool
        rng : int or numpy.random.Generator

        Returns
        -------
        PositionRegression

        Raises
        ------
        UsageError
            If a number is out of range.
        DatasetError
            If there are too few samples for the width.

        Examples
        --------
        >>> PositionRegression.random(3, 2, 20, tied=True)
        PositionRegression(samples=20, positions=3, width=2, tied=True)
        """
        n = whole("samples", samples, at_least=1)
        k, p = whole("positions", positions, at_least=1), whole("width", width, at_least=1)
        strength = number("coupling", coupling, "a finite number", np.isfinite)
        spread = number("noise", noise, "a finite number >= 0", lambda x: 0 <= x < np.inf)
        drawn = generator(rng)
        x = drawn.standard_normal((n, k, k, p))
        own = np.einsum("skka->ska", x)
        x = np.where(np.eye(k, dtype=bool)[:, :, None], x, strength * (x + own[:, :, None]) / np.sqrt(2))
        x = np.where(np.tril(np.ones((k, k), dtype=bool))[:, :, None], x, 0.0)
        theta = drawn.standard_normal((1 if tied else k, p))
        y = np.einsum("skia,ia->sk", x, np.broadcast_to(theta, (k, p))) + spread * drawn.standard_normal((n, k))
        return cls(x, y, tied=tied)

    def __repr__(self) -> str:
        return (
            f"PositionRegression(samples={self.samples}, positions={self.positions}, width={self.width}, "
            f"tied={self.tied})"
        )

    @property
    def samples(self) -> int:
        """How many."""
        return self.targets.shape[0]

    @property
    def positions(self) -> int:
        """How many."""
        return self.targets.shape[1]

    @property
    def width(self) -> int:
        """Features that a position has of itself, and of each one before it."""
        return self.features.shape[3]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the weights: (width,) if tied, (positions, width) if not."""
        return (self.width,) if self.tied else (self.positions, self.width)

    def with_weights(self, *, tied: bool) -> PositionRegression:
        """The same data, with shared weights or with weights of each position's own."""
        return PositionRegression(self.features, self.targets, tied=tied)

    def errors(self, theta: ArrayLike | Tensor) -> Tensor:
        """Predictions minus targets (samples, positions)."""
        copies = as_weights(theta, self.shape).expand(self.positions, self.width)
        return torch.einsum("skia,ia->sk", self.features, copies) - self.targets

    def losses(self, theta: ArrayLike | Tensor) -> Tensor:
        """l_k, the loss (positions,) of every position."""
        return self.errors(theta).square().mean(0) / 2

    def loss(self, theta: ArrayLike | Tensor) -> float:
        """Their sum."""
        return float(self.losses(theta).sum())

    def gradient(self, theta: ArrayLike | Tensor) -> Tensor:
        """Of the loss, in all uses of the weights; of their shape."""
        return self._tie(torch.einsum("skia,sk->ia", self.features, self.errors(theta)) / self.samples)

    def diagonal_gradient(self, theta: ArrayLike | Tensor) -> Tensor:
        """The part of it by which weights improve the position that reads with them: myopic descent follows it.

        Source: `planning/gradient-split`, `planning/myopic-descent`.
        """
        return self._tie(torch.einsum("ska,sk->ka", self.own, self.errors(theta)) / self.samples)

    def off_diagonal_gradient(self, theta: ArrayLike | Tensor) -> Tensor:
        """The part by which the weights of a position serve later ones; the two add up to the gradient."""
        return self._tie(torch.einsum("skia,sk->ia", self._past, self.errors(theta)) / self.samples)

    @cached_property
    def best(self) -> Tensor:
        """theta*, of least loss; the shortest of these if there are several. Source: `planning/convex-toy`."""
        return _fitted(self._all_rows, self.targets.flatten()).reshape(self.shape)

    @cached_property
    def myopic_optimum(self) -> Tensor:
        """theta~: no position can read better, the weights of its past being what they are.

        Untied it is a recursion from the first position on; tied, the fixed point ``X^T S theta~ = X^T Y``.

        Raises
        ------
        UsageError
            If the weights are tied and there is none, or more than one (X^T S is singular).

        Notes
        -----
        Source: `planning/myopic-optimum`.
        """
        if self.tied:
            self._refuse_singular()
            # X = Q R, and R can be divided out: the equations are as well conditioned as they can be
            q = torch.linalg.qr(self._own_rows).Q
            solution: Tensor = torch.linalg.solve(q.T @ self._all_rows, q.T @ self.targets.flatten())
            return solution
        theta = torch.zeros(self.shape, dtype=torch.float64)
        for k in range(self.positions):
            left = self.targets[:, k] - torch.einsum("sia,ia->s", self.features[:, k, :k], theta[:k])
            theta[k] = _fitted(self.own[:, k], left)
        return theta

    def myopia_gap(self) -> float:
        """l(theta~) - l(theta*), at least 0: what is lost if nothing is computed for later positions.

        Computed as ``|S (theta~ - theta*)|^2 / 2`` over the number of samples, which does not cancel.

        Raises
        ------
        UsageError
            As `myopic_optimum`.

        Notes
        -----
        Source: `planning/myopia-gap`.
        """
        apart = self.errors(self.myopic_optimum) - self.errors(self.best)
        return float(apart.square().sum()) / (2 * self.samples)

    def best_reader(self, theta: ArrayLike | Tensor | None = None) -> Tensor:
        """The weights to read with if the past keeps the weights ``theta``; those of the best model if None."""
        past = self.best if theta is None else as_weights(theta, self.shape)
        errors = self.errors(past)
        if self.tied:
            return past - _fitted(self._own_rows, errors.flatten())
        return past - torch.stack([_fitted(self.own[:, k], errors[:, k]) for k in range(self.positions)])

    def local_bonus(self, theta: ArrayLike | Tensor | None = None) -> float:
        """What readers gain if the past keeps the weights ``theta``, at least 0; theta* if None.

        ``l(theta) - min_t sum_k l_k(theta, .., theta, t)``, 0 exactly if theta is a myopic optimum. It is computed as
        the mean square of the change of predictions, which does not cancel.

        Notes
        -----
        Source: `planning/local-bonus`.
        """
        past = self.best if theta is None else as_weights(theta, self.shape)
        change = (self.own * (self.best_reader(past) - past)).sum(2)
        return float(change.square().sum()) / (2 * self.samples)

    @cached_property
    def curvature(self) -> Tensor:
        """``X^T S`` over the samples; a myopic step multiplies ``theta - theta~`` by ``I - eta X^T S``."""
        return self._own_rows.T @ self._all_rows / self.samples

    @cached_property
    def constants(self) -> Constants:
        """Those of `planning/convergence`, and tied the sharper ones of `planning/convex-toy`."""
        squares = torch.cat([torch.linalg.svdvals(own).square() for _, own in self._own_parts()]) / self.samples
        mu, smooth = float(squares.min()), float(squares.max())
        if not self.tied:
            pairs = torch.einsum("ska,skib->kiab", self.own, self._past) / self.samples
            beta = float(torch.linalg.matrix_norm(pairs, 2).max())
            return Constants(False, mu, smooth, beta)
        m = self.curvature
        past = m - self._own_rows.T @ self._own_rows / self.samples
        least = float(torch.linalg.eigvalsh((m + m.T) / 2)[0])
        norms = [float(torch.linalg.matrix_norm(matrix, 2)) for matrix in (past, m)]
        return Constants(True, mu, smooth, norms[0], least, norms[1])

    def distance_bound(self, theta: ArrayLike | Tensor) -> Tensor:
        """How far weights can be from the myopic optimum, at most: (positions,), or one number (1,) if tied.

        Certified by the diagonal gradient there, rounding included, and the curvature: a position's error is at most
        what its gradient and the errors of its past account for.

        Raises
        ------
        UsageError
            If the weights are tied and there is no unique optimum.

        Notes
        -----
        Source: `planning/convergence` (strong monotonicity).
        """
        sizes = (self.diagonal_gradient(theta).abs() + self.gradient_rounding(theta)).reshape(-1, self.width)
        left: Tensor = sizes.norm(dim=1)
        if self.tied:
            return left / self._refuse_singular()
        return torch.tensor(self.constants.distance_bound(left.tolist()), dtype=torch.float64)

    def gradient_rounding(self, theta: ArrayLike | Tensor) -> Tensor:
        """What rounding can add to the entries of `diagonal_gradient`, at most; of the shape of the weights.

        A sum of n products is off by at most n units of roundoff of the sum of their absolute values.
        """
        copies = as_weights(theta, self.shape).abs().expand(self.positions, self.width)
        sizes = torch.einsum("skia,ia->sk", self.features.abs(), copies) + self.targets.abs()
        terms = self.positions * self.width + self.samples * self.positions + 8
        return terms * UNIT * self._tie(torch.einsum("ska,sk->ka", self.own.abs(), sizes) / self.samples)

    @cached_property
    def smallest_curvature(self) -> tuple[float, float]:
        """Least singular value of `curvature`, and how large one that is all rounding may be."""
        values = torch.linalg.svdvals(self.curvature)
        size = float(self._own_rows.norm() * self._all_rows.norm()) / self.samples
        return float(values[-1]), (self.samples * self.positions + len(values)) * UNIT * size

    def _refuse_singular(self) -> float:
        least, rounding = self.smallest_curvature
        if least <= rounding:
            raise UsageError(
                f"the least singular value of X^T S is {least:.2g}, and {rounding:.2g} of it may be rounding; it must "
                "be positive for tied weights to have one myopic optimum (`planning/convergence`, the border case)"
            )
        return least - rounding

    def _tie(self, copies: Tensor) -> Tensor:
        """A gradient in the copies (positions, width) of the weights, as one in the weights."""
        return copies.sum(0) if self.tied else copies

    @cached_property
    def own(self) -> Tensor:
        """x_kk (samples, positions, width)."""
        return self.features.diagonal(dim1=1, dim2=2).mT.contiguous()

    @cached_property
    def _past(self) -> Tensor:
        """x_ki for i < k, 0 elsewhere."""
        return self.features * torch.ones(self.positions, self.positions, dtype=torch.float64).tril(-1)[:, :, None]

    @cached_property
    def _own_rows(self) -> Tensor:
        """X, a row a sample and position."""
        return self._rows(self.features - self._past)

    @cached_property
    def _all_rows(self) -> Tensor:
        """S."""
        return self._rows(self.features)

    def _rows(self, features: Tensor) -> Tensor:
        rows = features.sum(2) if self.tied else features
        return rows.reshape(self.samples * self.positions, -1)

    def _own_parts(self) -> list[tuple[str, Tensor]]:
        """What must determine weights: the own features of each position, of all together if tied."""
        if self.tied:
            return [("all positions together", self._own_rows)]
        return [(f"position {k}", self.own[:, k]) for k in range(self.positions)]


def _fitted(rows: Tensor, targets: Tensor) -> Tensor:
    """Least squares; the shortest solution if there are several."""
    solution: Tensor = torch.linalg.lstsq(rows, targets[:, None], driver="gelsd").solution
    return solution[:, 0]
