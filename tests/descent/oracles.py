"""Residuals and polar factors in as many digits as it takes."""

from __future__ import annotations

import mpmath
import numpy as np
import torch
from mpmath import mpf

from ntp_theory.scaled import Scaled


def exact_residual(weights, data, digits):
    """``pi_j (softmax(W h_j) - p_j)``, a list of rows."""
    with mpmath.workdps(digits):
        masses = data.probabilities.to_dense().tolist()
        pi = [mpf(x) for x in data.weights.tolist()]
        if data.counts is not None:  # from which weights and conditionals have been rounded
            counts = torch.zeros(data.num_contexts, data.vocab_size, dtype=torch.int64)
            counts[data.pattern.contexts, data.pattern.tokens] = data.counts
            masses = counts.tolist()
            pi = [mpf(sum(row)) for row in masses]
        rows = []
        for j, h in enumerate(data.embeddings.tolist()):
            logits = [mpmath.fdot(row, h) for row in weights.tolist()]
            sizes = [mpmath.exp(x - max(logits)) for x in logits]
            total, mass = mpmath.fsum(sizes), mpmath.fsum(map(mpf, masses[j]))
            share = pi[j] / mpmath.fsum(pi)
            rows.append([share * (x / total - mpf(p) / mass) for x, p in zip(sizes, masses[j], strict=True)])
        return rows


def entries(matrix):
    """The entries of a `Scaled`, exactly."""
    log_scale = matrix.log_scale.expand_as(matrix.rows)
    return [
        [mpf(x) * mpmath.exp(mpf(s)) for x, s in zip(*pair, strict=True)]
        for pair in zip(matrix.rows.tolist(), log_scale.tolist(), strict=True)
    ]


def balanced(residual):
    """Exact rows that sum to zero: the largest entry of each is minus the sum of the others."""
    rows = entries(residual)
    for row in rows:
        k = max(range(len(row)), key=lambda v: abs(row[v]))
        row[k] = mpf(0)
        row[k] = -mpmath.fsum(row)
    return rows


def exact_polar(residual, embeddings, digits):
    """``U V^T`` of ``R^T H``, and the logarithms of its singular values."""
    with mpmath.workdps(digits):
        matrix = mpmath.matrix(balanced(residual)).T * mpmath.matrix(embeddings.tolist())
        u, s, vt = mpmath.svd_r(matrix)
        s = [x for x in s if x > s[0] * mpf(10) ** (-digits // 2)]
        k = len(s)
        found = np.array((u[:, :k] * vt[:k, :]).tolist(), dtype=float)
        return found.reshape(matrix.rows, matrix.cols), [float(mpmath.log(x)) for x in s]


def graded_residual(seed, size, grading, kind):
    """Rows (m, V) that sum to zero with entries from 1 down to e^-grading, spread in one of five ways.

    *tokens*: small columns. *contexts*: small rows. *pairs*: tokens that are hardly ever confused with those of another
    pair. *supports*: rows of moderate size on one of these pairs, with both signs, small elsewhere. *rings*: the same,
    with pairs among the first three tokens.
    """
    m, v = size
    random = np.random.default_rng(seed)
    log = -3 * random.uniform(size=size)
    sign = np.ones(size)
    if kind == "tokens":
        log -= grading * random.uniform(size=v)
    elif kind == "contexts":
        log -= grading * random.uniform(size=(m, 1))
    label = random.integers(v, size=m)
    groups = 2 * (np.arange(v) // 2)[:, None] + np.arange(2)
    if kind == "rings":
        groups = np.stack([np.arange(v) % 3, (np.arange(v) + 1) % 3], 1)
    if kind in ("pairs", "supports", "rings"):
        log -= grading * ~(groups[label][:, :, None] == np.arange(v)).any(1)
    for j, pair in enumerate(groups[label]):
        if kind in ("supports", "rings") and pair.max() < v:
            others = np.delete(log[j], pair)
            log[j, pair[0]] = random.normal()
            sign[j, pair[1]], log[j, pair[1]] = -1, np.logaddexp.reduce([log[j, pair[0]], *others])
        else:
            others = np.delete(log[j], label[j])
            sign[j, label[j]] = -1
            log[j, label[j]] = np.logaddexp.reduce(others)
    return Scaled(torch.from_numpy(sign), torch.from_numpy(log))
