"""Which off-support pairs can be pushed down at all: a pair of linear systems, by a structured interior-point method.

With levels c_j (the common in-support logit of context j), ``x_{jv} = c_j - h_j^T w_v`` and A the map from decoders
with equal in-support logits to x, the two sides of the question are

    x = A w >= 0    and    A^T y = 0, y >= 0.

Every solution has x y = 0, and some solution has x + y > 0 (Goldman and Tucker): a pair is *strict* where that x is
positive and *blocked* where that y is (`bias/any-data-lp`). The path ``A w + s 1 = x``, ``A^T y = s A^T 1``,
``x y = s 1`` leads there from ``w = 0, x = y = 1`` at s = 1; on it ``mean(x + y) = 1 + s``, so nothing grows, and as s
falls to 0 it ends at such a solution, in the middle of all of them.

The in-support equalities are eliminated beforehand (`ntp_theory.elimination`): W is made of the free levels q, which
couple all tokens, and of the directions that the supports of a token leave open, which do not. A Newton step then costs
one small factorisation a token and one for the levels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..elimination import DEPENDENCE, Elimination
from ..support import SupportPattern

__all__ = ["Partition", "partitions"]

# s at which strict and blocked pairs of ordinary data differ by many orders of magnitude.
CLOSE = 1e-9
MAX_ITERATIONS = 100
# Steps shorter than this, and values of s below this, are led by rounding.
SHORTEST, LOWEST = 1e-3, 1e-20
# Regularisation of the systems, relative to their diagonals, and passes that take it out again.
RIDGE, REFINEMENTS = 2e-16, 2


@dataclass(frozen=True, eq=False)
class Partition:
    """An answer of `partitions`; all to the accuracy of the method, to be made exact by the caller.

    Attributes
    ----------
    off : SupportPattern
        The off-support pairs.
    strict : Tensor (n,), bool
        Which of them can be pushed down; the others are blocked.
    weights : Tensor (V, r)
        Equal in-support logits, x > 0 on strict pairs, x = 0 on blocked ones.
    multipliers : Tensor (n,)
        Positive on blocked pairs, 0 on strict ones.
    """

    off: SupportPattern
    strict: Tensor
    weights: Tensor
    multipliers: Tensor


def partitions(embeddings: Tensor, pattern: SupportPattern) -> Iterator[Partition]:
    """Follow the path to the partition of `bias/any-data-lp`.

    Parameters
    ----------
    embeddings : Tensor (m, r)
        With orthonormal columns (whitened); the partition does not depend on the choice.
    pattern : SupportPattern

    Yields
    ------
    Partition
        From s = 1e-9 on, ever nearer to the end of the path, until rounding stops the method: the first is right unless
        the data is close to other data with another partition. The caller tells by checking both sides.

    Notes
    -----
    Source: ours (`bias/any-data-lp`); a homogeneous predictor-corrector method after Mehrotra.

    Examples
    --------
    >>> one_hot = SupportPattern.from_mask(torch.tensor([[True, False], [False, True]]))
    >>> h = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    >>> next(partitions(h / h.norm(), one_hot)).strict.tolist()
    [True, True]
    >>> h = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    >>> next(partitions(h / h.norm(), one_hot)).strict.tolist()
    [False, False]
    """
    system = _Reduced(embeddings, pattern)
    x = y = embeddings.new_ones(len(system.off.tokens))
    weights = embeddings.new_zeros(pattern.vocab_size, embeddings.shape[1])
    levels, s = embeddings.new_zeros(len(embeddings)), 1.0
    for _ in range(MAX_ITERATIONS):
        try:
            system.factorise(y / x)
        except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
            return

        def newton(aim: float, products: Tensor | float) -> tuple[Tensor, ...]:
            """The step towards the path at ``aim``, with given products x y."""
            unmet = system.apply(levels, weights) + aim - x  # noqa: B023
            missing = products / x - y  # noqa: B023
            d_levels, d_weights = system.solve(missing - y / x * unmet - aim + y)  # noqa: B023
            dx = system.apply(d_levels, d_weights) + unmet  # noqa: B023
            return d_levels, d_weights, dx, missing - y / x * dx  # noqa: B023

        _, _, dx, dy = newton(0.0, 0.0)
        length = min(_room(x, dx), _room(y, dy))
        share = (float((x + length * dx) @ (y + length * dy)) / float(x @ y)) ** 3
        d_levels, d_weights, dx, dy = newton(share * s, share * float(x @ y) / len(x) - dx * dy)
        length = min(1.0, 0.995 * min(_room(x, dx), _room(y, dy)))
        if not length > SHORTEST or float((x + y).mean()) > 3.0:
            return
        levels, weights = levels + length * d_levels, weights + length * d_weights
        x, y, s = x + length * dx, y + length * dy, (1.0 - length * (1.0 - share)) * s
        if s < CLOSE:
            yield Partition(system.off, x > y, weights, y)
        if s < LOWEST:
            return


class _Reduced:
    """Levels and decoders with equal in-support logits, less those that move all logits of a context alike."""

    def __init__(self, h: Tensor, pattern: SupportPattern) -> None:
        self._h, self.off = h, SupportPattern.from_complement(pattern)
        eliminated = Elimination(h, pattern)
        # a decoder 1 a^T shifts the levels by H a and no x at all: leave those levels out
        shifted = h.T @ eliminated.free
        shares, mix = torch.linalg.eigh(shifted.T @ shifted)  # 1 for the shifts, 0 for what is orthogonal to them
        self._levels = eliminated.free @ mix[:, shares < 0.5]
        self._response = h.new_zeros(pattern.vocab_size, h.shape[1], self._levels.shape[1])
        self._response.index_add_(
            0, pattern.tokens, eliminated.inverse[:, :, None] * self._levels[pattern.contexts][:, None, :]
        )
        self._open = [_kernel(h[rows]) for rows in _by_token(pattern)]

    def apply(self, levels: Tensor, weights: Tensor) -> Tensor:
        """``x = c_j - h_j^T w_v`` on the off-support pairs."""
        return levels[self.off.contexts] - self.off.inside(self._h @ weights.T)

    def factorise(self, scale: Tensor) -> None:
        """Prepare to solve with ``A^T diag(scale) A``, A the map from free levels and open directions to x."""
        dense = scale.new_zeros(len(self._h), self.off.vocab_size)
        dense[self.off.contexts, self.off.tokens] = scale
        self._scale = scale
        coupling = self._levels.T @ (dense.sum(1)[:, None] * self._levels)
        size = coupling.diagonal().clone()
        self._blocks: list[tuple[Tensor, Tensor]] = []
        for v, kernel in enumerate(self._open):
            # x on this token is (L - H R) q - H K y: every product with L is one with H, of few columns, as well;
            # those with H K are formed on their own, as blocked pairs, which weigh most, may cancel in them
            response, weighted = self._response[v], dense[:, v, None] * self._h
            gram = self._h.T @ weighted
            pull = weighted.T @ self._levels - gram @ response
            moved = self._h @ kernel
            weighted = dense[:, v, None] * moved
            block = moved.T @ weighted
            factor = _factor(block, block.diagonal())
            across = weighted.T @ self._levels - weighted.T @ self._h @ response
            cross = -torch.linalg.solve_triangular(factor, across, upper=False)
            left, right = torch.cat([response, pull, cross]), torch.cat([pull + gram @ response, response, cross])
            coupling.addmm_(left.T, right, alpha=-1.0)
            self._blocks.append((factor, cross))
        self._coupling = _factor(coupling, size)

    def solve(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Levels and decoder of the solution for the right-hand side ``A^T values``."""
        levels, weights = self._solve(values)
        for _ in range(REFINEMENTS):
            more = self._solve(values - self._scale * self.apply(levels, weights))
            levels, weights = levels + more[0], weights + more[1]
        return levels, weights

    def _solve(self, values: Tensor) -> tuple[Tensor, Tensor]:
        right, by_token = self._adjoint(values)
        halves = []
        for (factor, cross), row in zip(self._blocks, by_token, strict=True):
            half = torch.linalg.solve_triangular(factor, row[:, None], upper=False)[:, 0]
            right = right - cross.T @ half
            halves.append(half)
        q = torch.cholesky_solve(right[:, None], self._coupling)[:, 0]
        weights = self._response @ q
        for v, ((factor, cross), kernel, half) in enumerate(zip(self._blocks, self._open, halves, strict=True)):
            weights[v] += (
                kernel @ torch.linalg.solve_triangular(factor.T, (half - cross @ q)[:, None], upper=True)[:, 0]
            )
        return self._levels @ q, weights

    def _adjoint(self, values: Tensor) -> tuple[Tensor, list[Tensor]]:
        """``A^T values``: its part on the free levels, and on the open directions of each token."""
        dense = values.new_zeros(len(self._h), self.off.vocab_size)
        dense[self.off.contexts, self.off.tokens] = values
        by_token = -(dense.T @ self._h)
        levels = self._levels.T @ dense.sum(1) + torch.einsum("vrq,vr->q", self._response, by_token)
        return levels, [kernel.T @ row for kernel, row in zip(self._open, by_token, strict=True)]


def _by_token(pattern: SupportPattern) -> list[Tensor]:
    """The contexts of each token of a pattern."""
    order = pattern.tokens.argsort(stable=True)
    counts = torch.bincount(pattern.tokens, minlength=pattern.vocab_size).tolist()
    return list(pattern.contexts[order].split(counts))


def _kernel(rows: Tensor) -> Tensor:
    """Orthonormal basis (r, k) of the vectors orthogonal to all rows."""
    if len(rows) == 0:
        return torch.eye(rows.shape[1], dtype=rows.dtype, device=rows.device)
    _, sizes, vt = torch.linalg.svd(rows)
    kernel: Tensor = vt[int((sizes > DEPENDENCE * sizes[:1]).sum()) :].T
    return kernel.contiguous()


def _factor(matrix: Tensor, size: Tensor) -> Tensor:
    """Cholesky factor of a matrix that rounding, of terms with the given diagonal, may have left indefinite."""
    for k in range(8):
        factor: Tensor
        factor, failed = torch.linalg.cholesky_ex(matrix + torch.diag(RIDGE * 100.0**k * size))
        if not bool(failed):
            return factor
    raise torch.linalg.LinAlgError("no multiple of the diagonal makes the matrix positive")  # type: ignore[attr-defined]


def _room(value: Tensor, change: Tensor) -> float:
    """The longest step up to 1 that keeps a positive vector non-negative."""
    falling = change < 0
    return min(1.0, float((-value[falling] / change[falling]).min())) if bool(falling.any()) else 1.0
