"""Which off-support pairs can be pushed down at all: one linear program, by a structured interior-point method.

With levels c_j (the common in-support logit of context j) and ``x_{jv} = c_j - h_j^T w_v``:

    max sum t_{jv}   subject to   x_{jv} >= t_{jv},  0 <= t_{jv} <= 1,  in-support logits equal to their level.

At the optimum every t is 0 or 1 (`bias/any-data-lp`): the pair is *blocked* or *strict*. The multiplier of ``x >= t``
is at least 1 on every blocked pair, and an interior method ends at strict complementarity, so the two kinds are told
apart by a gap of order 1, not by a small number.

The in-support equalities are eliminated beforehand (`ntp_theory.elimination`): W is made of the free levels q, which
couple all tokens, and of the directions that the supports of a token leave open, which do not. A Newton step then costs
one small factorisation a token and one for the levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..elimination import DEPENDENCE, Elimination
from ..errors import SolverError
from ..support import SupportPattern

__all__ = ["Partition", "partition"]

# Mean complementarity at which strict and blocked pairs differ by nine orders of magnitude.
GAP = 1e-9
MAX_ITERATIONS = 200


@dataclass(frozen=True, eq=False)
class Partition:
    """Answer of `partition`; all to the accuracy of the method, to be made exact by the caller.

    Attributes
    ----------
    off : SupportPattern
        The off-support pairs.
    strict : Tensor (n,), bool
        Which of them can be pushed down; the others are blocked.
    weights : Tensor (V, r)
        Equal in-support logits, x >= 1 on strict pairs, x = 0 on blocked ones.
    multipliers : Tensor (n,)
        At least 1 on blocked pairs, 0 on strict ones.
    """

    off: SupportPattern
    strict: Tensor
    weights: Tensor
    multipliers: Tensor


def partition(embeddings: Tensor, pattern: SupportPattern) -> Partition:
    """Solve the linear program of `bias/any-data-lp`.

    Parameters
    ----------
    embeddings : Tensor (m, r)
        With orthonormal columns (whitened); the partition does not depend on the choice.
    pattern : SupportPattern

    Returns
    -------
    Partition

    Raises
    ------
    SolverError
        If the method stops before strict and blocked pairs can be told apart.

    Notes
    -----
    Source: ours (`bias/any-data-lp`); Mehrotra's predictor-corrector method.

    Examples
    --------
    >>> one_hot = SupportPattern.from_mask(torch.tensor([[True, False], [False, True]]))
    >>> h = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    >>> partition(h / h.norm(), one_hot).strict.tolist()
    [True, True]
    >>> h = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    >>> partition(h / h.norm(), one_hot).strict.tolist()
    [False, False]
    """
    system = _Reduced(embeddings, pattern)
    one = embeddings.new_ones(len(system.off.tokens))
    weights, levels = (
        embeddings.new_zeros(pattern.vocab_size, embeddings.shape[1]),
        embeddings.new_zeros(len(embeddings)),
    )
    # x - t = r > 0 and 0 < t < 1, with the multipliers of r >= 0, t >= 0, 1 - t >= 0
    t, r, y, low, high = 0.5 * one, 0.5 * one, one, 0.5 * one, 0.5 * one
    for _ in range(MAX_ITERATIONS):
        unmet = system.apply(levels, weights) - t - r
        slack, excess = 1.0 - t, y - 1.0 - low + high
        gap = float((low * t + high * slack + y * r).mean()) / 3
        misfit = max(float(unmet.abs().max()), system.pull(y) / (1.0 + float(y.norm())))
        if gap < GAP and misfit < 100 * GAP:
            return Partition(system.off, t > 0.5, weights, y)
        theta = low / t + high / slack
        scale = 1.0 / (1.0 / theta + r / y)
        try:
            system.factorise(scale)
        except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
            break

        def newton(to_low: Tensor | float, to_high: Tensor | float, to_y: Tensor | float) -> tuple[Tensor, ...]:
            """The Newton direction towards given complementarity products, eliminated down to the decoder."""
            a = to_low / t - low - to_high / slack + high - excess  # noqa: B023
            b = a / theta + to_y / y - r - unmet  # noqa: B023
            d_levels, d_weights = system.solve(scale * b + y)  # noqa: B023
            dy = scale * (b - system.apply(d_levels, d_weights))  # noqa: B023
            dt = (a - dy) / theta  # noqa: B023
            dr = (to_y - r * dy) / y - r  # noqa: B023
            d_low = (to_low - low * dt) / t - low  # noqa: B023
            d_high = (to_high + high * dt) / slack - high  # noqa: B023
            return d_levels, d_weights, dt, dr, dy, d_low, d_high

        _, _, dt, dr, dy, d_low, d_high = newton(0.0, 0.0, 0.0)
        primal = min(_room(t, dt), _room(slack, -dt), _room(r, dr))
        dual = min(_room(y, dy), _room(low, d_low), _room(high, d_high))
        after = (low + dual * d_low) * (t + primal * dt) + (high + dual * d_high) * (slack - primal * dt)
        after = after + (y + dual * dy) * (r + primal * dr)
        aim = (float(after.mean()) / 3 / gap) ** 3 * gap
        d_levels, d_weights, dt, dr, dy, d_low, d_high = newton(aim - dt * d_low, aim + dt * d_high, aim - dr * dy)
        primal = min(1.0, 0.995 * min(_room(t, dt), _room(slack, -dt), _room(r, dr)))
        dual = min(1.0, 0.995 * min(_room(y, dy), _room(low, d_low), _room(high, d_high)))
        levels, weights, t, r = (
            levels + primal * d_levels,
            weights + primal * d_weights,
            t + primal * dt,
            r + primal * dr,
        )
        y, low, high = y + dual * dy, low + dual * d_low, high + dual * d_high
    raise SolverError(
        "strict and blocked off-support pairs cannot be told apart in double precision "
        f"(complementarity {gap:.1e}, constraints {misfit:.1e})",
        status="undecided",
    )


class _Reduced:
    """Levels and decoders with equal in-support logits, less those that move all logits of a context alike."""

    def __init__(self, h: Tensor, pattern: SupportPattern) -> None:
        self._h, self.off = h, SupportPattern.from_complement(pattern)
        eliminated = Elimination(h, pattern)
        # a decoder 1 a^T shifts the levels by H a and no x at all: leave those levels out
        moving, sizes, _ = torch.linalg.svd(eliminated.free - h @ (h.T @ eliminated.free), full_matrices=False)
        self._levels = moving[:, sizes > 0.5]
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
        # rounding makes the system indefinite where it is singular; this keeps it just positive
        ridge = 1e-13 * float(scale.sum()) / len(self._h)
        coupling = self._levels.T @ (dense.sum(1)[:, None] * self._levels)
        coupling.diagonal().add_(ridge)
        self._blocks: list[tuple[Tensor, Tensor]] = []
        for v, kernel in enumerate(self._open):
            # x on this token is (L - H R) q - H K y: every product with L is one with H, of few columns, as well
            response, weighted = self._response[v], dense[:, v, None] * self._h
            gram = self._h.T @ weighted
            pull = weighted.T @ self._levels - gram @ response
            block = kernel.T @ gram @ kernel
            block.diagonal().add_(ridge)
            factor = torch.linalg.cholesky(block)
            cross = -torch.linalg.solve_triangular(factor, kernel.T @ pull, upper=False)
            left, right = torch.cat([response, pull, cross]), torch.cat([pull + gram @ response, response, cross])
            coupling.addmm_(left.T, right, alpha=-1.0)
            self._blocks.append((factor, cross))
        self._coupling = torch.linalg.cholesky(coupling)

    def solve(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Levels and decoder of the solution for the right-hand side ``A^T values``."""
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

    def pull(self, values: Tensor) -> float:
        """Norm of ``A^T values``."""
        levels, kernels = self._adjoint(values)
        return float(torch.cat([levels, *kernels]).norm())

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


def _room(value: Tensor, change: Tensor) -> float:
    """The longest step up to 1 that keeps a positive vector non-negative."""
    falling = change < 0
    return min(1.0, float((-value[falling] / change[falling]).min())) if bool(falling.any()) else 1.0
