"""The solution of an instance to some thirty digits, with a proof: what all contestants are compared with.

On the right set of active constraints the conditions of optimality are linear: for every token v, with B its contexts
that have it on support or active, ``K_BB c_B = level_B - [off support]``, and rows of C sum to 0. They are solved by
iterative refinement: equations in doubles, residuals in 200-bit arithmetic, unknowns as sums of doubles. A multiplier
of the wrong sign leaves the set and a broken constraint enters it. The set to begin with is read off from any
approximate solution, or found by `homotopy`. How good the result is, `certificate.distance_bound` says, whatever it
came from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from flint import arb_mat

from .certificate import ball, distance_bound, floats

__all__ = ["Reference", "homotopy", "refine"]

Array = np.ndarray

EXCHANGES, PATIENCE, REFINEMENTS = 120, 3, 8
ENOUGH = 1e-34  # residual of the equations, margins being 1
SPREADS = (1.0, 1e-3, 1e-6)  # scales, relative to the largest multiplier, at which one is compared with a slack


@dataclass(frozen=True)
class Reference:
    """A decoder W (V, d) and an upper bound on its distance to the solution."""

    weights: Array
    bound: float

    def distance_bound(self, weights: Array) -> float:
        """Upper bound on the distance of other decoders to the solution, relative to its norm."""
        apart = float(np.linalg.norm(weights - self.weights)) + self.bound
        return apart / max(float(np.linalg.norm(self.weights)) - self.bound, np.finfo(float).tiny)


def refine(h: Array, support: Array, weights: Array, multipliers: Array) -> Reference:
    """Refine an approximate solution and prove how good the result is.

    Parameters
    ----------
    h : Array (m, d)
    support : Array (m, V), bool
    weights : Array (V, d)
        Approximate W.
    multipliers : Array (m, V)
        Approximate C; its entries on support are not used.

    Returns
    -------
    Reference
        Its bound is infinite if the active set was not found.
    """
    logits = h @ weights.T
    level = np.where(support, logits, 0.0).sum(axis=1, keepdims=True) / support.sum(axis=1, keepdims=True)
    slack, alpha = level - 1.0 - logits, -multipliers
    for spread in SPREADS:
        active = _exchange(h, support, support | (alpha > spread * alpha[~support].max() * slack))
        if active is not None:
            return _prove(h, support, active)
    return Reference(weights, np.inf)


def homotopy(h: Array, support: Array) -> Reference:
    """The solution from nothing: embeddings ``[H, tau I]``, tau to 0, each active set begun from the one before."""
    active, m = np.ones_like(support), len(h)
    largest, depth, step = float(np.linalg.norm(h, 2)), 0.0, 1.0  # tau = largest * 10**-depth
    while depth < 14.0:
        tau = largest * 10.0 ** -(depth + step)
        found = _exchange(np.hstack([h, tau * np.identity(m)]), support, active)
        if found is not None:
            active, depth, step = found, depth + step, 2.0 * step
        elif step > 1e-4:
            step /= 4.0
        else:
            break
    found = _exchange(h, support, active)
    return Reference(np.zeros((support.shape[1], h.shape[1])), np.inf) if found is None else _prove(h, support, found)


def _exchange(h: Array, support: Array, active: Array) -> Array | None:
    """The active set of the solution, begun from another one; None if it is not found soon.

    All entries that are wrong change sides at once; if that does not make them fewer, only the last of them does, which
    cannot go in circles (Judice and Pires 1994).
    """
    exact_h, fewest, tries = ball(h), support.size, PATIENCE
    for _ in range(EXCHANGES):
        c, _, above = _solve(h, exact_h, support, active)
        wrong = np.where(active, ~support & (sum(c) > 0), above > 0)
        count = int(wrong.sum())
        if count == 0:
            return active
        fewest, tries = (count, PATIENCE) if count < fewest else (fewest, tries - 1)
        if tries < 0:
            wrong = wrong & (np.cumsum(wrong).reshape(wrong.shape) == count)
        active = active ^ wrong
    return None


def _prove(h: Array, support: Array, active: Array) -> Reference:
    c, levels, _ = _solve(h, ball(h), support, active)
    exact_c = ball(*c)
    exact_w = exact_c.transpose() * ball(h)
    weights = floats(exact_w)
    bound = distance_bound(h, support, exact_w, exact_c, levels)
    return Reference(weights, bound + np.finfo(float).eps * float(np.linalg.norm(weights)))


def _solve(h: Array, exact_h: arb_mat, support: Array, active: Array) -> tuple[list[Array], list[Array], Array]:
    """C and the levels, as sums of doubles, that meet the active constraints; and by how much others are exceeded."""
    equations, one_less = _Equations(h, active), np.where(support, 0.0, 1.0)
    c, levels = [np.zeros(active.shape)], [np.zeros(len(h))]
    for _ in range(REFINEMENTS):
        exact_c = ball(*c)
        targets = [np.broadcast_to(part[:, None], active.shape) for part in levels]
        above = floats(exact_h * (exact_c.transpose() * exact_h).transpose() - ball(*targets) + ball(one_less))
        sums = floats(exact_c * ball(np.ones((active.shape[1], 1))))[:, 0]
        if max(np.abs(above[active]).max(), np.abs(sums).max()) < ENOUGH:
            break
        more_c, more_levels = equations.solve(-above, -sums)
        c, levels = [*c, more_c], [*levels, more_levels]
    return c, levels, above


class _Equations:
    """The linear conditions of optimality on an active set, factorised token by token in doubles."""

    def __init__(self, h: Array, active: Array) -> None:
        factor = np.linalg.qr(h.T, mode="r").T
        self._shape, self._blocks = active.shape, []
        m = len(h)
        images, conditions = [np.zeros((0, m))], [np.zeros((0, m))]
        for v in range(active.shape[1]):
            rows = np.flatnonzero(active[:, v])
            square = np.linalg.qr(factor[rows].T, mode="r").T
            left, values, _ = np.linalg.svd(square, full_matrices=True)
            rank = int((values > 1e-11 * max(values.max(initial=0.0), 1e-300)).sum())
            inverse, null = left[:, :rank] / values[:rank], left[:, rank:]
            self._blocks.append((rows, inverse, null))
            images.append(np.zeros((rank, m)))
            images[-1][:, rows] = inverse.T
            conditions.append(np.zeros((null.shape[1], m)))
            conditions[-1][:, rows] = null.T
        self._images, self._conditions = np.vstack(images), np.vstack(conditions)
        self._free = scipy.linalg.null_space(self._conditions) if len(self._conditions) else np.identity(m)
        self._triangle = np.linalg.qr(self._images @ self._free, mode="r")

    def solve(self, logits: Array, sums: Array) -> tuple[Array, Array]:
        """Changes of C and of the levels: logits minus levels on the active set by ``logits``, row sums by ``sums``."""
        wanted = np.concatenate([inverse.T @ logits[rows, v] for v, (rows, inverse, _) in enumerate(self._blocks)])
        forced = np.concatenate([null.T @ logits[rows, v] for v, (rows, _, null) in enumerate(self._blocks)])
        levels = np.linalg.lstsq(self._conditions, -forced)[0] if len(forced) else np.zeros(self._shape[0])
        pull = sums - self._images.T @ (wanted + self._images @ levels)
        inner = scipy.linalg.solve_triangular(self._triangle, self._free.T @ pull, trans=1)
        levels = levels + self._free @ scipy.linalg.solve_triangular(self._triangle, inner)
        met = wanted + self._images @ levels
        pull = sums - self._images.T @ met
        shares = np.linalg.lstsq(self._conditions.T, pull)[0] if len(forced) else np.zeros(0)
        c, i, k = np.zeros(self._shape), 0, 0
        for v, (rows, inverse, null) in enumerate(self._blocks):
            c[rows, v] = inverse @ met[i : i + inverse.shape[1]] + null @ shares[k : k + null.shape[1]]
            i, k = i + inverse.shape[1], k + null.shape[1]
        return c, levels
