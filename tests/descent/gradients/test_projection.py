"""P_F by a basis, against P_F by elimination."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.descent.gradients import projection
from ntp_theory.descent.gradients.projection import finite_part
from ntp_theory.subspace import data_subspace
from ntp_theory.testing import KINDS, datasets

kinds = st.sampled_from(KINDS).flatmap(datasets)


@given(kinds, st.integers(0, 99))
def test_it_is_the_projection_on_f(data, seed):
    """Directions of F are known to EPS / 1e-6, the size of the weakest relation that is not taken for exact."""
    matrix = torch.randn(data.vocab_size, data.dim, dtype=torch.float64, generator=torch.manual_seed(seed))
    found, expected = finite_part(matrix, data), data_subspace(data).project(matrix)
    assert (found - expected).norm() <= 1e-9 * matrix.norm()


@given(kinds)
def test_large_data_is_left_to_elimination(data):
    projection._bases.pop(data, None)
    matrix = torch.ones(data.vocab_size, data.dim, dtype=torch.float64)
    small, projection.LARGEST = projection.LARGEST, -1
    try:
        assert torch.equal(finite_part(matrix, data), data_subspace(data).project(matrix))
    finally:
        projection.LARGEST = small
        projection._bases.pop(data, None)


def test_single_precision_stays_single():
    data = projection.NTPDataset([[1.0]], [[0.5, 0.5]], dtype=torch.float32)
    found = finite_part(torch.tensor([[1.0], [3.0]]), data)
    assert found.dtype == torch.float32 and found.tolist() == [[-1.0], [1.0]]
