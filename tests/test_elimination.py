"""The eliminated least squares problem against one dense least squares solve."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.elimination import Elimination
from ntp_theory.support import SupportPattern

EPS = 2.0**-52


@st.composite
def problems(draw):
    """Integer embeddings (dependent ones are frequent), a pattern without empty rows, values."""
    m, v, d = draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    h = draw(st.lists(st.lists(st.integers(-2, 2), min_size=d, max_size=d), min_size=m, max_size=m))
    rows = st.lists(st.booleans(), min_size=v, max_size=v).filter(any)
    mask = np.array(draw(st.lists(rows, min_size=m, max_size=m)))
    values = np.random.default_rng(draw(st.integers(0, 1000))).normal(size=int(mask.sum()))
    return np.array(h, dtype=float), mask, values


def dense(h, mask, values):
    """Matrix of the unknowns (W, s), its minimum-norm-in-W least squares solution."""
    (m, v), d = mask.shape, h.shape[1]
    j, z = mask.nonzero()
    decoder = np.zeros((len(j), v, d))
    decoder[np.arange(len(j)), z] = h[j]
    decoder = decoder.reshape(len(j), v * d)
    levels = np.eye(m)[j]
    # W is what is left after the levels have taken their share: project both sides off the levels
    off = np.eye(len(j)) - levels @ np.linalg.pinv(levels)
    weights = np.linalg.pinv(off @ decoder, rcond=1e-9) @ (off @ values)
    residual = off @ (values - decoder @ weights)
    return weights.reshape(v, d), residual, int(np.linalg.matrix_rank(off @ decoder, tol=1e-9))


@given(problems())
def test_fit_agrees_with_a_dense_solve(problem):
    h, mask, values = problem
    system = Elimination(torch.from_numpy(h), SupportPattern.from_mask(torch.from_numpy(mask)))
    fit = system.fit(torch.from_numpy(values))
    weights, residual, rank = dense(h, mask, values)
    assert system.rank == rank
    # integer matrices of this size have condition numbers below 1e4
    assert np.allclose(fit.weights.numpy(), weights, rtol=0, atol=1e5 * EPS * (1 + np.abs(values).sum()))
    assert np.allclose(fit.residual.numpy(), residual, rtol=0, atol=1e5 * EPS * (1 + np.abs(values).sum()))


@given(problems())
def test_the_residual_is_orthogonal_to_every_decoder_and_level(problem):
    h, mask, values = problem
    system = Elimination(torch.from_numpy(h), SupportPattern.from_mask(torch.from_numpy(mask)))
    residual = np.zeros(mask.shape)
    residual[mask] = system.fit(torch.from_numpy(values)).residual.numpy()
    bound = 1e4 * EPS * (1 + np.abs(values).sum())
    assert np.abs(residual.sum(1)).max() <= bound
    assert np.abs(h.T @ residual).max() <= bound
