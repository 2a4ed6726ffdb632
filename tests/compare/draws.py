"""Data drawn at random, for every test of `compare`."""

import numpy as np

from ntp_theory import NTPDataset


def drawn(seed):
    """Small data with any supports, probabilities and weights."""
    r = np.random.default_rng(seed)
    m, v = (int(r.integers(2, 6)) for _ in range(2))
    d = int(r.integers(m, m + 3))
    probabilities = np.zeros((m, v))
    for row, size in zip(probabilities, r.integers(1, v + 1, m), strict=True):
        row[r.permutation(v)[:size]] = r.dirichlet(np.full(size, 2.0))
    return NTPDataset(r.standard_normal((m, d)), probabilities, r.dirichlet(np.full(m, 2.0)))
