"""`UnconstrainedFeatures`: cross-entropy with a ridge on the decoder and on context embeddings that are free."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..dataset import NTPDataset, as_dataset
from ..doors import as_decoder, dense, number, positive
from ..errors import DatasetError, SolverError, UsageError
from ..loss import evaluate
from .factors import matrix_of
from .limit import FreeLimit, predict_free
from .newton import Optimum, minimise
from .path import LogitPath
from .split import SplitLogits

__all__ = ["UnconstrainedFeatures"]

# Entries m V of the logits, from which one Newton step would take seconds and gigabytes.
LARGEST = 1600
# Steps in log(1 / ridge) between two solves.
STRIDE = math.log(10.0)


class UnconstrainedFeatures:
    """``min over W, H of CE(WH) + ridge/2 (||W||^2 + ||H||^2)``, a model of networks that can embed contexts at will.

    W (V, d) is the decoder, column j of H (d, m) the embedding of context j. If d is at least the rank of a minimiser
    L (at most min(V - 1, m)), this is ``min over L of CE(L) + ridge ||L||_*``, which is convex; everything here is
    computed, and certified, in that form.

    Parameters
    ----------
    probabilities : array-like (m, V), dense or scipy/torch sparse
        Row j is p_j, as in `NTPDataset`.
    weights : array-like (m,), optional
        pi_j; uniform if not given.
    token_names, context_names : sequence of str, optional

    Attributes
    ----------
    data : NTPDataset
        The same with columns of the identity as embeddings: its decoders (V, m) are the logits.

    Raises
    ------
    DatasetError
        As `NTPDataset`.
    UsageError
        If there are more than 1600 logits; second derivatives are kept as dense matrices.

    Notes
    -----
    Source: 2408.15417 as recalled (`geometry/ufm-nuclear`); the certificate is ours.

    Examples
    --------
    >>> problem = UnconstrainedFeatures([[0.75, 0.25, 0.0], [0.0, 0.0, 1.0]])
    >>> path = problem.solve([1e-2, 1e-8])
    >>> path
    LogitPath(points=2, ridge=0.01 .. 1e-08, nuclear_norm=5.472 .. 21.18)
    >>> bool((path.relative_gap <= 1e-8).all())
    True
    """

    data: NTPDataset

    def __init__(
        self,
        probabilities: Any,
        weights: ArrayLike | Tensor | None = None,
        *,
        token_names: Sequence[str] | None = None,
        context_names: Sequence[str] | None = None,
    ) -> None:
        try:
            shape = np.shape(probabilities)
        except ValueError as error:
            raise DatasetError(f"probabilities must be a matrix (contexts, tokens) ({error})") from error
        if not shape:
            raise DatasetError(f"probabilities must be a matrix (contexts, tokens), got {probabilities!r}")
        if math.prod(shape) > LARGEST:  # before embeddings are made, whose number is the square of the contexts
            raise UsageError(f"probabilities has shape {tuple(shape)}; it must have at most {LARGEST} entries")
        eye = np.eye(shape[0])
        self.data = NTPDataset(eye, probabilities, weights, token_names=token_names, context_names=context_names)
        self._split = SplitLogits(self.data)

    @classmethod
    def of(cls, data: NTPDataset) -> UnconstrainedFeatures:
        """The problem with the contexts of a dataset, whose embeddings are forgotten.

        Contexts that share an embedding stay apart: free embeddings may tell them from one another.

        Raises
        ------
        UsageError
            If it is no dataset, or there are more than 1600 logits.

        Examples
        --------
        >>> UnconstrainedFeatures.of(NTPDataset([[2.0], [1.0]], [[0.5, 0.5], [1.0, 0.0]])).data.dim
        2
        """
        as_dataset("data", data)
        if (size := data.num_contexts * data.vocab_size) > LARGEST:
            raise UsageError(f"data has {size} pairs of a context and a token; it must have at most {LARGEST}")
        names = {"token_names": data.token_names, "context_names": data.context_names}
        return cls(data.probabilities.to_dense().cpu(), data.weights.cpu(), **names)

    def objective(self, decoder: ArrayLike | Tensor, features: ArrayLike | Tensor, ridge: float) -> float:
        """``CE(WH) - H + ridge/2 (||W||^2 + ||H||^2)`` in nats: the cost above the entropy.

        Parameters
        ----------
        decoder : array-like (V, d)
        features : array-like (d, m)
        ridge : float
            Above 0.

        Examples
        --------
        >>> round(UnconstrainedFeatures([[1.0, 0.0]]).objective([[0.0], [0.0]], [[0.0]], 0.1), 6)  # log 2
        0.693147
        """
        ridge, like = positive("ridge", ridge), self.data.embeddings
        d = matrix_of("decoder", decoder).shape[1]
        w = as_decoder(decoder, (self.data.vocab_size, d), like, "decoder")
        h = as_decoder(features, (d, self.data.num_contexts), like, "features")
        return evaluate(w @ h, self.data).gap + ridge / 2 * float(w.square().sum() + h.square().sum())

    def limit(self) -> FreeLimit:
        """Where the minimisers go as the ridge vanishes, computed from supports, conditionals and weights alone.

        Raises
        ------
        SolverError
            If the max-margin logits could not be certified.

        Examples
        --------
        >>> print(UnconstrainedFeatures([[0.75, 0.25, 0.0], [0.0, 0.0, 1.0]]).limit().closed_form)
        True
        """
        return predict_free(self.data)

    def solve(self, ridge: float | Sequence[float] | ArrayLike | Tensor, *, tol: float = 1e-8) -> LogitPath:
        """Certified minimisers at the given ridges.

        The path is followed from large ridges to small ones, at most a factor of 10 at a time, each solve starting from
        the tangent of the last.

        Parameters
        ----------
        ridge : float or sequence of float
            From 1e-12 to 1e12; below, doubles do not hold the gradient to the digits that the certificate needs.
        tol : float
            Largest `LogitPath.relative_gap`, in [1e-10, 1).

        Returns
        -------
        LogitPath
            Points in the order of ``ridge``.

        Raises
        ------
        SolverError
            If a minimum could not be certified to ``tol``.
        UsageError
            If an argument is out of range.

        Examples
        --------
        >>> path = UnconstrainedFeatures([[1.0, 0.0]]).solve([1e-2, 1e-3])
        >>> [f"{x:.5f}" for x in path.nuclear_norm]  # log(sqrt(2) / ridge - 1) / sqrt(2)
        ['3.49639', '5.12908']
        """
        try:
            values = dense("ridge", np.atleast_1d(np.asarray(ridge, dtype=float)), 1)
        except (DatasetError, TypeError, ValueError) as error:
            raise UsageError(f"ridge is {ridge!r}; it must be a number, or a sequence of numbers ({error})") from error
        for i, value in enumerate(values):
            number(f"ridge[{i}]", float(value), "a number from 1e-12 to 1e12", lambda x: 1e-12 <= x <= 1e12)
        tol = number("tol", tol, "a number from 1e-10 to below 1", lambda x: 1e-10 <= x < 1.0)
        found: dict[int, Optimum] = {}
        follow = _Follower(self._split, tol)
        for i in np.argsort(-values, kind="stable"):
            found[int(i)] = follow(float(values[i]))
        return LogitPath.of(self.data, values, [found[i] for i in range(len(values))])


class _Follower:
    """Minimisers at smaller and smaller ridges."""

    def __init__(self, split: SplitLogits, tol: float) -> None:
        self._split, self._tol = split, tol
        self._at = split.coordinates(-split.finite)
        self._tangent = torch.zeros_like(self._at)
        # from this ridge on the minimiser is 0
        gradient = split.at(self._at).gradient
        if not bool(torch.isfinite(gradient).all()):
            raise SolverError("conditionals are too small for double precision: the loss of even logits is not finite")
        first = float(torch.linalg.matrix_norm(gradient, 2))
        self._time = -math.log(first) if first else 0.0

    def __call__(self, ridge: float) -> Optimum:
        goal = -math.log(ridge)
        while goal - self._time > STRIDE:
            self._solve(math.exp(-self._time - STRIDE), self._time + STRIDE)
        return self._solve(ridge, max(goal, self._time))

    def _solve(self, ridge: float, time: float) -> Optimum:
        start = self._at + (time - self._time) * self._tangent
        found = minimise(self._split, ridge, start, tol=self._tol)
        self._at, self._tangent, self._time = found.coordinates, self._split.coordinates(found.slope), time
        return found
