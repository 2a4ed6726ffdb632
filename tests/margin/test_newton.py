"""Proximal steps against the equation that defines them, and on data whose condition stalls gradient steps."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from ntp_theory.cone import project_cone
from ntp_theory.construct import random
from ntp_theory.margin import solve_svm
from ntp_theory.margin.newton import Proximal
from ntp_theory.testing import datasets


@given(datasets(max_contexts=5, max_vocab_size=5, max_dim=4), st.sampled_from([1e-2, 1.0, 1e2]), st.integers(0, 99))
def test_a_step_is_the_fixed_point_of_a_projected_gradient_step(data, sigma, seed):
    """C = P(C_k - sigma gradient(C)) holds at the minimiser, whoever finds it."""
    start, _ = project_cone(torch.randn(data.support.shape, generator=torch.Generator().manual_seed(seed)).double(),
                            data.pattern)  # fmt: skip
    found, _ = Proximal(data).step(start, sigma)
    assume(found is not None)
    descent = data.support.double() - data.embeddings @ (found.T @ data.embeddings).T
    expected, _ = project_cone(start + sigma * descent, data.pattern)
    # the linear systems have condition up to 1 + sigma ||H||^2
    size = 1.0 + float(start.norm() + found.norm()) + sigma
    condition = 1.0 + sigma * float(data.embeddings.square().sum())
    assert float((found - expected).norm()) <= 1e-13 * size * condition


@given(datasets(max_contexts=5, max_vocab_size=5, max_dim=4))
def test_short_steps_do_not_fail(data):
    """Next to the identity a step changes few signs, so Newton's method ends."""
    sigma = 1e-2 / (1.0 + float(data.embeddings.square().sum()))
    assert Proximal(data).step(torch.zeros(data.support.shape, dtype=torch.float64), sigma)[0] is not None


@pytest.mark.parametrize(("seed", "steps"), [(2, 150), (4, 150)])
def test_ill_conditioned_data_is_solved(seed, steps):
    """||W_mm|| of 23 and 17, where thousands of gradient steps leave a gap of 1e-6."""
    solution = solve_svm(random(7, 51, 65, 4, rng=seed), tol=1e-12)
    assert solution.norm > 15 and solution.iterations <= steps
