"""Answers computed from the definitions, by other means than the library's."""

from fractions import Fraction

import numpy as np
import sympy
from scipy.optimize import linprog, nnls


def constraint_rows(h, mask):
    """Rows of (6a), as equations, and of (6b), as inequalities >= 1, on the flattened W."""
    m, v = mask.shape
    equal, above = [], []
    for j in range(m):
        inside, outside = np.flatnonzero(mask[j]), np.flatnonzero(~mask[j])
        anchor = inside[0]
        for other, rows in [(z, equal) for z in inside[1:]] + [(v, above) for v in outside]:
            row = np.zeros((v, h.shape[1]))
            row[anchor], row[other] = h[j], -h[j]
            rows.append(row.ravel())
    return np.reshape(equal, (-1, v * h.shape[1])), np.reshape(above, (-1, v * h.shape[1]))


def is_separable(h, mask):
    """Feasibility of (6) by linear programming."""
    equal, above = constraint_rows(h, mask)
    answer = linprog(
        np.zeros(above.shape[1]),
        A_ub=-above if len(above) else None,
        b_ub=-np.ones(len(above)) if len(above) else None,
        A_eq=equal if len(equal) else None,
        b_eq=np.zeros(len(equal)) if len(equal) else None,
        bounds=(None, None),
    )
    assert answer.status in (0, 2), answer.message
    return answer.status == 0


def smallest_separator(h, mask):
    """W_mm by least-distance programming (Lawson and Hanson), equations as pairs of inequalities."""
    equal, above = constraint_rows(h, mask)
    rows = np.vstack([equal, -equal, above])
    right = np.concatenate([np.zeros(2 * len(equal)), np.ones(len(above))])
    stacked = np.vstack([rows.T, right])
    target = np.append(np.zeros(rows.shape[1]), 1.0)
    residual = stacked @ nnls(stacked, target)[0] - target
    return (-residual[:-1] / residual[-1]).reshape(mask.shape[1], h.shape[1])


def is_compatible(h, counts):
    """Solvability of (4) in exact arithmetic: `bias/compatibility-exact`."""
    equal, _ = constraint_rows(h, counts > 0)
    odds = []
    for row in counts:
        inside = np.flatnonzero(row)
        odds += [Fraction(int(row[inside[0]]), int(row[z])) for z in inside[1:]]
    system = sympy.Matrix([[sympy.Rational(*float(x).as_integer_ratio()) for x in row] for row in equal])
    for null in system.T.nullspace() if odds else []:
        integer = null * sympy.ilcm(1, *[entry.q for entry in null])
        product = Fraction(1)
        for base, power in zip(odds, integer, strict=True):
            product *= base ** int(power)
        if product != 1:
            return False
    return True


def cross_entropy(h, mask, probabilities, weights, decoder):
    """Loss and gradient of the softmax restricted to ``mask``."""
    logits = np.where(mask, h @ decoder.T, -np.inf)
    top = logits.max(1, keepdims=True)
    log_sum = np.log(np.exp(logits - top).sum(1, keepdims=True)) + top
    log_q = np.where(mask, logits - log_sum, 0.0)
    residual = np.exp(logits - log_sum) - probabilities
    return -(weights[:, None] * probabilities * log_q).sum(), (weights[:, None] * residual).T @ h
