"""The minimiser of the cross-entropy with a ridge in hundreds of digits, from the definition alone."""

from __future__ import annotations

import mpmath as mp
import torch


def minimiser(data, ridge, start, *, digits):
    """W (V x d) as an mpmath matrix, and CE - H there: Newton's method on all V d entries, from ``start``."""
    with mp.workdps(digits):
        rows = [[mp.mpf(x) for x in row] for row in data.embeddings.tolist()]
        masses = [[mp.mpf(x) for x in row] for row in data.probabilities.to_dense().tolist()]
        pi = [mp.mpf(x) for x in data.weights.tolist()]
        ridge, (v, d) = mp.mpf(ridge), start.shape
        w = mp.matrix([mp.mpf(x) for x in start.flatten().tolist()])
        while True:
            gradient, hessian = ridge * w, ridge * mp.eye(v * d)
            for weight, h, p in zip(pi, rows, masses, strict=True):
                logits = [sum(w[k * d + i] * h[i] for i in range(d)) for k in range(v)]
                total = sum(mp.exp(x) for x in logits)
                s = [mp.exp(x) / total for x in logits]
                for k in range(v):
                    for i in range(d):
                        gradient[k * d + i] += weight * (s[k] - p[k]) * h[i]
                        for n in range(v):
                            curve = weight * s[k] * ((k == n) - s[n]) * h[i]
                            for j in range(d):
                                hessian[k * d + i, n * d + j] += curve * h[j]
            step = mp.lu_solve(hessian, gradient)
            w -= step
            # the ridge is the smallest eigenvalue: what is left of the gradient moves W by no more than that over it
            if mp.norm(gradient) < ridge * mp.mpf(10) ** (-30):
                break
        excess = mp.mpf(0)
        for weight, h, p in zip(pi, rows, masses, strict=True):
            logits = [sum(w[k * d + i] * h[i] for i in range(d)) for k in range(v)]
            level = mp.log(sum(mp.exp(x) for x in logits))
            excess += weight * sum(q * (level - x + mp.log(q)) for q, x in zip(p, logits, strict=True) if q)
        return mp.matrix([[w[k * d + i] for i in range(d)] for k in range(v)]), excess


def distance(weights: torch.Tensor, exact) -> float:
    """Frobenius distance of a decoder in double precision from an exact one."""
    with mp.workdps(60):
        pairs = zip(weights.flatten().tolist(), list(exact), strict=True)
        return float(mp.sqrt(sum((mp.mpf(x) - y) ** 2 for x, y in pairs)))
