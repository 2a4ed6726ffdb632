"""The in-support loss ``CE_F`` on the subspace F: its minimiser, and linear systems with its Hessian.

``CE_F(W)`` is the cross-entropy with every softmax restricted to its support (`bias/auxiliary-loss`). It
depends on P_F W alone, is strictly convex on F, and its gradient and Hessian map into F.

Newton's method meets two difficulties here. Blocked pairs can have probabilities of e^-100 at the minimiser: the
Hessian is taken at the softmax mixed with a little of the uniform distribution, as much as the gradient is large, so
that no step trusts curvature which the next one will not find. And contexts tie all tokens together, but
not strongly: conjugate gradients preconditioned with one d x d block a token need a few dozen products.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor

from .dataset import NTPDataset
from .elimination import DEPENDENCE, alike
from .errors import SolverError
from .support import SupportPattern

__all__ = ["InSupportLoss"]

# Curvature below this multiple of what the preconditioner expects is rounding outside F.
FLAT = 1e-8
# The value of the loss is known to this, relative; below it the gradient decides.
ROUNDING = 1e-13
# Products with the Hessian in one solution.
MAX_PRODUCTS = 1000
# Entries of the blocks of the preconditioner; above it only their diagonals are kept.
LARGEST = 5e7


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

    def log_probabilities(self, weights: Tensor) -> Tensor:
        """Logarithm of the in-support softmax on the entries of the pattern; (n,)."""
        inside = self._pattern.inside(self._data.embeddings @ weights.T)
        return inside - self._pattern.logsumexp(inside)[self._pattern.contexts]

    def probabilities(self, weights: Tensor) -> Tensor:
        """In-support softmax p_bar_{j,z} on the entries of the pattern; (n,)."""
        return self.log_probabilities(weights).exp_()

    def value(self, weights: Tensor) -> float:
        """CE_F(W), nats."""
        return -float((self._weights * self._conditionals * self.log_probabilities(weights)).sum())

    def gradient(self, weights: Tensor) -> Tensor:
        """Gradient of CE_F, in F; (V, d)."""
        return self._gather(self._weights * (self.probabilities(weights) - self._conditionals))

    def hessian_product(self, probabilities: Tensor, direction: Tensor) -> Tensor:
        """Hessian of CE_F, where the in-support softmax is ``probabilities``, applied to a matrix; (V, d)."""
        inside = self._pattern.inside(self._data.embeddings @ direction.T)
        mean = self._pattern.sum(probabilities * inside)
        return self._gather(self._weights * probabilities * (inside - mean[self._pattern.contexts]))

    def solve_hessian(self, weights: Tensor, target: Tensor, *, tol: float = 1e-13) -> Tensor:
        """X with Hessian(W) X = target, for a target in F, up to a part outside F; to ``tol`` relative."""
        probabilities = self.probabilities(weights)
        solution, residual, size = torch.zeros_like(target), target, float(target.norm())
        aim = tol * size
        while size > aim:
            # rounding leads conjugate gradients out of F; a restart from the true residual leads them back
            solution = solution + self._conjugate_gradients(probabilities, residual, max(1e-4, aim / size))
            residual = target - self.hessian_product(probabilities, solution)
            previous, size = size, float(residual.norm())
            if size > 0.9 * previous:
                break
        return solution

    def bend(self, weights: Tensor, direction: Tensor) -> Tensor:
        """Second derivative of the gradient at ``weights``, twice along ``direction``; (V, d), in F."""
        probabilities, contexts = self.probabilities(weights), self._pattern.contexts
        inside = self._pattern.inside(self._data.embeddings @ direction.T)
        squares = (inside - self._pattern.sum(probabilities * inside)[contexts]).square()
        variance = self._pattern.sum(probabilities * squares)[contexts]
        return self._gather(self._weights * probabilities * (squares - variance))

    def curvature(self, weights: Tensor) -> tuple[float, Tensor]:
        """Largest eigenvalue of the Hessian at ``weights``, and its eigenvector (V, d) of norm 1."""
        probabilities = self.probabilities(weights)

        def product(vector: NDArray[np.float64]) -> NDArray[np.float64]:
            direction = torch.from_numpy(np.array(vector).reshape(weights.shape)).to(weights)
            image: NDArray[np.float64] = self.hessian_product(probabilities, direction).cpu().numpy().ravel()
            return image

        start = np.random.default_rng(0).standard_normal(weights.numel())
        operator = LinearOperator((weights.numel(), weights.numel()), matvec=product, dtype=np.float64)
        values, vectors = eigsh(operator, k=1, which="LA", v0=start)
        return float(values[0]), torch.from_numpy(vectors.reshape(weights.shape)).to(weights)

    def minimise(self, *, tol: float = 1e-12, max_iterations: int = 300) -> Tensor:
        """A minimiser of CE_F, whose projection on F is the unique one there; (V, d).

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
        uniform = 1.0 / self._pattern.sizes.to(weights.dtype)[self._pattern.contexts]
        value, trust, last, best = self.value(weights), 1.0, torch.inf, (torch.inf, weights)
        for _ in range(max_iterations):
            probabilities = self.probabilities(weights)
            gradient = self._gather(self._weights * (probabilities - self._conditionals))
            size = float(gradient.norm())
            best = min(best, (size, weights), key=lambda pair: pair[0])
            if size == 0.0:
                break
            mixed = (probabilities + trust * uniform) / (1.0 + trust)
            step = self._conjugate_gradients(mixed, gradient, min(0.1, trust**0.5)) / (1.0 + trust)
            slope = float((gradient * step).sum())
            if slope <= 0.0 or (slope >= 0.25 * last and (best[0] <= tol * scale or slope <= ROUNDING**2)):
                break  # what is left is rounding
            length, after = 1.0, self.value(weights - step)
            while after > value - 1e-4 * length * slope and length * slope > ROUNDING * max(1.0, abs(value)):
                length /= 2
                after = self.value(weights - length * step)
            weights, value, last = weights - length * step, after, slope
            # a step that went all the way earns a longer one: elsewhere the loss may be flatter than its slope says
            trust = min(1.0, slope, trust / 10.0 if length == 1.0 else 1.0)
        if best[0] > tol * scale:
            raise SolverError(
                f"Newton's method on CE_F stopped at a gradient of {best[0]:.2e}, asked for {tol * scale:.2e}",
                status="iteration limit",
                best=best[1],
            )
        return best[1]

    def _conjugate_gradients(self, probabilities: Tensor, target: Tensor, tol: float) -> Tensor:
        """Solve with the Hessian at ``probabilities``, to ``tol`` in the norm of the preconditioner."""
        precondition = self._preconditioner(probabilities)
        solution, residual = torch.zeros_like(target), target.clone()
        scaled = search = precondition(residual)
        size = start = length = float((residual * scaled).sum())
        for _ in range(MAX_PRODUCTS):
            if size <= tol**2 * start:
                break
            image = self.hessian_product(probabilities, search)
            curvature = float((search * image).sum())
            # the preconditioner bounds the Hessian up to a factor 2; what is this flat is rounding outside F
            if curvature <= FLAT * length:
                break
            solution += size / curvature * search
            residual -= size / curvature * image
            scaled = precondition(residual)
            previous, size = size, float((residual * scaled).sum())
            search = scaled + size / previous * search
            length = size + (size / previous) ** 2 * length  # of the search direction, in the preconditioner's norm
        return solution

    def _preconditioner(self, probabilities: Tensor) -> Callable[[Tensor], Tensor]:
        """Inverse of the blocks ``sum_j pi_j p (1 - p) h_j h_j^T`` of the tokens, on the span of their contexts."""
        h, (v, d) = self._data.embeddings, (self._data.vocab_size, self._data.dim)
        spread = h.new_zeros(len(h), v)
        contexts, likely = self._pattern.contexts, probabilities > 0.5
        others = self._pattern.sum(torch.where(likely, 0.0, probabilities))[contexts]  # 1 - p without cancellation
        values = self._weights * probabilities * torch.where(likely, others, 1.0 - probabilities)
        spread[contexts, self._pattern.tokens] = values
        if v * d**2 > LARGEST:
            diagonal = spread.T @ h.square()
            inverse = torch.where(diagonal > 0, 1.0 / diagonal, 0.0)
            return lambda matrix: inverse * matrix
        blocks = h.new_zeros(v, d * d)
        for part in torch.arange(len(h), device=h.device).split(max(1, int(LARGEST / d**2))):
            blocks += spread[part].T @ (h[part, :, None] * h[part, None, :]).flatten(1)
        blocks = blocks.reshape(v, d, d)
        size = blocks.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]
        blocks = blocks / torch.where(size > 0, size, 1.0) + self._outside
        ridge = 1e-14
        while True:
            factor, failed = torch.linalg.cholesky_ex(blocks + ridge * torch.eye(d, dtype=h.dtype, device=h.device))
            if not bool(failed.any()):
                break
            ridge *= 10
        inverses = torch.cholesky_inverse(factor) / torch.where(size > 0, size, torch.inf)
        return lambda matrix: (inverses @ matrix[:, :, None])[:, :, 0]

    @cached_property
    def _outside(self) -> Tensor:
        """Projections on what no context with a choice reaches, by token; (V, d, d)."""
        h, d = self._data.embeddings, self._data.dim
        lengths = h.norm(dim=1, keepdim=True)
        unit = h / torch.where(lengths > 0, lengths, 1.0)
        outside = torch.eye(d, dtype=h.dtype, device=h.device).repeat(self._data.vocab_size, 1, 1)
        chosen = (self._pattern.sizes > 1).nonzero()[:, 0]
        pattern = self._pattern.select(chosen)
        for rows, entries in alike(pattern):
            _, sizes, vt = torch.linalg.svd(unit[chosen[rows]], full_matrices=False)
            reached = vt[sizes > DEPENDENCE * sizes[:1]]
            outside[pattern.tokens[entries[:, 0]]] -= reached.T @ reached
        return outside

    def _gather(self, values: Tensor) -> Tensor:
        """``sum_{j,z} value_{j,z} e_z h_j^T``; (V, d)."""
        matrix = values.new_zeros(self._data.num_contexts, self._data.vocab_size)
        matrix[self._pattern.contexts, self._pattern.tokens] = values
        return matrix.T @ self._data.embeddings
