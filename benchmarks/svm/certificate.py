"""How far a decoder is from the solution of the NTP-SVM, at most: the judge of every contestant.

Let W be feasible (equal logits on each support, margins at least 1), and C a matrix whose rows sum to 0 and that is at
most 0 off the supports, with ``W_C = C^T H`` and ``alpha = -C`` off support. Then

    1/2 ||W||^2 - D(C)  =  1/2 ||W - W_C||^2 + sum alpha (margin(W) - 1),    D(C) = sum alpha - 1/2 ||W_C||^2,

and W is within ``sqrt(2 (1/2 ||W||^2 - D(C)))`` of the solution, as the objective is 1-strongly convex and D(C) bounds
its minimum from below (`svm/dual`). The right-hand side is a sum of terms that are not negative, so nothing cancels.
`distance_bound` evaluates it with products in 200-bit ball arithmetic; what is left to doubles are residuals that these
have made small. `distance_bound_in_doubles` is for data that is too large for that.

Nothing here, or in `benchmarks.svm.reference`, uses `ntp_theory.margin`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy.linalg
from flint import arb, arb_mat, ctx

__all__ = ["PRECISION", "ball", "distance_bound", "distance_bound_in_doubles", "floats"]

Array = np.ndarray

PRECISION = 200  # bits


def ball(*parts: Array) -> arb_mat:
    """The exact sum of matrices of doubles."""
    ctx.prec = PRECISION
    total = arb_mat(parts[0].tolist())
    for part in parts[1:]:
        total += arb_mat(part.tolist())
    return total


def floats(matrix: arb_mat) -> Array:
    """A matrix of balls, rounded to doubles."""
    return np.array([float(entry) for entry in matrix.entries()]).reshape(matrix.nrows(), matrix.ncols())


def distance_bound(h: Array, support: Array, weights: arb_mat, multipliers: arb_mat, levels: Sequence[Array]) -> float:
    """Upper bound on the Frobenius distance of W to the solution; infinite if W is too far from feasible to tell.

    Parameters
    ----------
    h : Array (m, d)
    support : Array (m, V), bool
    weights : arb_mat (V, d)
        W.
    multipliers : arb_mat (m, V)
        C; entries off support that are positive count as 0, and row sums are made up for on the supports.
    levels : sequence of Array (m,)
        The logit of each support, as a sum of doubles.

    Returns
    -------
    float
    """
    exact_h, c = ball(h), _into_cone(multipliers, support)
    alpha = np.where(support, 0.0, -floats(c))
    targets = [np.broadcast_to(part[:, None], support.shape) for part in levels]
    # logits minus what they may be at most: the level on support, one less off it
    above = floats(exact_h * weights.transpose() - ball(*targets) + ball(np.where(support, 0.0, 1.0)))
    norm = float(np.linalg.norm(floats(weights)))
    apart = float(np.linalg.norm(floats(weights - c.transpose() * exact_h)))
    return _from_residuals(h, support, above, alpha, norm, apart)


def distance_bound_in_doubles(h: Array, support: Array, weights: Array, multipliers: Array) -> float:
    """`distance_bound` for independent embeddings, with all products in doubles.

    The logits are replaced by the nearest ones that are feasible and meet the constraints with a multiplier exactly;
    they are those of exactly one decoder in the span of H, whose residuals are then zero by definition. Only norms of
    differences are left, which lose ``eps cond(H)``.
    """
    basis, triangle = np.linalg.qr(h.T)  # H = triangle^T basis^T
    logits = h @ weights.T
    level = np.where(support, logits, 0.0).sum(axis=1, keepdims=True) / support.sum(axis=1, keepdims=True)
    c = np.where(support, multipliers, np.minimum(multipliers, 0.0))
    slack = level - 1.0 - logits
    tight = ~support & (-c > slack)  # what is smaller, the slack or the multiplier, is taken to be zero
    c = np.where(support | tight, c, 0.0)
    feasible = np.where(support, level, np.where(tight, level - 1.0, np.minimum(logits, level - 1.0)))
    # on support the multipliers are those of the logits, shifted to make up for the row
    wanted = scipy.linalg.solve_triangular(triangle, feasible, trans=1)
    inner = scipy.linalg.solve_triangular(triangle, wanted)
    c = np.where(support, inner, c)
    c -= np.where(support, c.sum(axis=1, keepdims=True) / support.sum(axis=1, keepdims=True), 0.0)
    moved = np.linalg.norm(scipy.linalg.solve_triangular(triangle, logits - feasible, trans=1))
    outside = np.linalg.norm(weights - (weights @ basis) @ basis.T)
    apart = np.linalg.norm(wanted - triangle @ c)
    rounding = np.finfo(float).eps * np.linalg.cond(triangle) * np.linalg.norm(weights)
    return float(np.hypot(moved, outside) + apart + rounding)


def _from_residuals(h: Array, support: Array, above: Array, alpha: Array, norm: float, apart: float) -> float:
    """The bound from norms and residuals that are accurate to rounding of their own size."""
    uneven = float(np.abs(above[support]).max())
    move = _way_to_equal_logits(h, support, above)
    swing = uneven + 2.0 * move * float(np.linalg.norm(h, axis=1).max())  # by which the move changes a margin
    short = max(float(above[~support].max()) + swing, 0.0)
    if not short < 0.5:
        return math.inf
    stretch = (norm + move) * short / (1.0 - short)  # scaling to margins of at least 1
    slack = (np.maximum(-above, 0.0) + swing + short) / (1.0 - short)
    gap = 0.5 * (apart + move + stretch) ** 2 + float((alpha * slack)[~support].sum())
    return move + stretch + math.sqrt(2.0 * gap)


def _way_to_equal_logits(h: Array, support: Array, above: Array) -> float:
    """Upper bound on how far the nearest W with equal logits on each support is."""
    several = support & (support.sum(axis=1, keepdims=True) > 1)
    if not several.any():
        return 0.0
    values = np.linalg.svd(h, compute_uv=False)
    if len(h) <= h.shape[1] and values[-1] > 1e-10 * values[0]:
        return float(np.linalg.norm(above[several]) / values[-1])  # all logits can be chosen
    # else by the differences to the first token of each support, which are <e_z - e_first, W h_j>
    first = support.argmax(axis=1)
    contexts, tokens = np.nonzero(several & (np.arange(support.shape[1]) != first[:, None]))
    bases = first[contexts]
    inner = (tokens[:, None] == tokens).astype(float) + (bases[:, None] == bases)
    inner -= (tokens[:, None] == bases).astype(float) + (bases[:, None] == tokens)
    gram = (h @ h.T)[np.ix_(contexts, contexts)] * inner
    smallest, largest = np.linalg.eigvalsh(gram)[[0, -1]]
    differences = np.linalg.norm(above[contexts, tokens] - above[contexts, bases])
    return float(differences / math.sqrt(smallest)) if smallest > 1e-12 * largest else math.inf


def _into_cone(multipliers: arb_mat, support: Array) -> arb_mat:
    """Positive entries off support become 0, and the first entry on each support makes the row sum 0, exactly."""
    m, vocab = support.shape
    entries = multipliers.entries()
    rows = [entries[j * vocab : (j + 1) * vocab] for j in range(m)]
    for row, on in zip(rows, support.tolist(), strict=True):
        row[:] = [c if inside or c < 0 else arb(0) for c, inside in zip(row, on, strict=True)]
        row[on.index(True)] -= sum(row, arb(0))
    return arb_mat(rows)
