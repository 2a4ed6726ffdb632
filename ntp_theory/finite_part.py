"""The in-support loss ``CE_F`` on the subspace F: its minimiser, and linear systems with its Hessian.

``CE_F(W)`` is the cross-entropy with every softmax restricted to its support (`bias/auxiliary-loss`). It
depends on P_F W alone, is strictly convex on F, and its gradient and Hessian map into F, so Newton's method
with conjugate gradients started in F stays there without a projection.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .dataset import NTPDataset
from .errors import SolverError
from .support import SupportPattern

__all__ = ["InSupportLoss"]

# Curvature below this multiple of its bound counts as none: the square of the distance at which constraints count as
# dependent.
FLAT = 1e-12


class InSupportLoss:
    """``CE_F`` of a dataset, or the same with extended supports.

    Parameters
    ----------
    data : NTPDataset
    pattern : SupportPattern, optional
        Supports that the softmax is restricted to, no smaller than those of the data; those of the data if not given.

    Notes
    -----
    Source: 2402.18551 Eq. (12) (`bias/auxiliary-loss`, `bias/lemma-4`); extended supports ours
    (`bias/any-data`).

    Examples
    --------
    >>> loss = InSupportLoss(NTPDataset([[1.0]], [[0.25, 0.75, 0.0]]))
    >>> minimiser = loss.minimise()
    >>> round(float((minimiser[1] - minimiser[0]).exp()), 9)
    3.0
    """

    def __init__(self, data: NTPDataset, pattern: SupportPattern | None = None) -> None:
        self._data, self._pattern = data, pattern or data.pattern
        self._conditionals = data.conditionals
        if self._pattern is not data.pattern:
            dense = data.embeddings.new_zeros(data.num_contexts, data.vocab_size)
            dense[data.pattern.contexts, data.pattern.tokens] = data.conditionals
            self._conditionals = self._pattern.inside(dense)
        self._weights = data.weights[self._pattern.contexts]

    def probabilities(self, weights: Tensor) -> Tensor:
        """In-support softmax p_bar_{j,z} on the entries of the pattern; (n,)."""
        inside = self._pattern.inside(self._data.embeddings @ weights.T)
        return (inside - self._pattern.logsumexp(inside)[self._pattern.contexts]).exp_()

    def value(self, weights: Tensor) -> float:
        """CE_F(W), nats."""
        inside = self._pattern.inside(self._data.embeddings @ weights.T)
        logs = inside - self._pattern.logsumexp(inside)[self._pattern.contexts]
        return -float((self._weights * self._conditionals * logs).sum())

    def gradient(self, weights: Tensor) -> Tensor:
        """Gradient of CE_F, in F; (V, d)."""
        return self._gather(self._weights * (self.probabilities(weights) - self._conditionals))

    def hessian_product(self, probabilities: Tensor, direction: Tensor) -> Tensor:
        """Hessian of CE_F, where the in-support softmax is ``probabilities``, applied to a matrix; (V, d)."""
        inside = self._pattern.inside(self._data.embeddings @ direction.T)
        mean = self._pattern.sum(probabilities * inside)
        return self._gather(self._weights * probabilities * (inside - mean[self._pattern.contexts]))

    def solve_hessian(self, weights: Tensor, target: Tensor, *, tol: float = 1e-13) -> Tensor:
        """X in F with Hessian(W) X = target, for a target in F; conjugate gradients to ``tol`` relative."""
        probabilities = self.probabilities(weights)
        solution = torch.zeros_like(target)
        residual, search = target.clone(), target.clone()
        size = start = float((residual * residual).sum())
        # the Hessian is at most sum_j pi_j ||h_j||^2; what is this flat is rounding outside F
        flat = FLAT * float((self._data.weights * self._data.embeddings.square().sum(1)).sum())
        for _ in range(10 * target.numel()):
            if size <= tol**2 * start:
                break
            image = self.hessian_product(probabilities, search)
            curvature = float((search * image).sum())
            if curvature <= flat * float((search * search).sum()):
                break
            solution += size / curvature * search
            residual -= size / curvature * image
            previous, size = size, float((residual * residual).sum())
            search = residual + size / previous * search
        return solution

    def minimise(self, *, tol: float = 1e-12, max_iterations: int = 100) -> Tensor:
        """The unique minimiser of CE_F on F; (V, d).

        Parameters
        ----------
        tol : float
            Norm of the gradient, relative to ``sum_j pi_j ||h_j||``.
        max_iterations : int

        Raises
        ------
        SolverError
            If Newton's method stops above ``tol``.
        """
        weights = self._data.embeddings.new_zeros(self._data.vocab_size, self._data.dim)
        scale = float((self._data.weights * self._data.embeddings.norm(dim=1)).sum())
        value = self.value(weights)
        for _ in range(max_iterations):
            gradient = self.gradient(weights)
            size = float(gradient.norm())
            if size <= tol * scale:
                return weights
            step = self.solve_hessian(weights, gradient, tol=min(1e-2, size / scale))
            slope = float((gradient * step).sum())
            length, after = 1.0, self.value(weights - step)
            # below this the value is rounding, and the gradient decides
            while after > value - 1e-4 * length * slope and length * slope > 1e-13 * max(1.0, abs(value)):
                length /= 2
                after = self.value(weights - length * step)
            weights, value = weights - length * step, after
        raise SolverError(
            f"Newton's method on CE_F stopped at a gradient of {size:.2e}, asked for {tol * scale:.2e}",
            status="iteration limit",
            best=weights,
        )

    def _gather(self, values: Tensor) -> Tensor:
        """``sum_{j,z} value_{j,z} e_z h_j^T``; (V, d)."""
        matrix = values.new_zeros(self._data.num_contexts, self._data.vocab_size)
        matrix[self._pattern.contexts, self._pattern.tokens] = values
        return matrix.T @ self._data.embeddings
