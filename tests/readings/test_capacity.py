"""Ranks of Jacobians against maps whose rank is known by construction."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.readings import jacobian_rank


@given(st.integers(1, 4), st.integers(2, 4), st.integers(1, 4), st.data())
def test_linear_decoder_has_v_minus_one_times_the_rank_of_its_embeddings(n, v, d, draw):
    entries = st.lists(st.lists(st.integers(-2, 2), min_size=d, max_size=d), min_size=n, max_size=n)
    h = torch.tensor(draw.draw(entries), dtype=torch.float64)
    found = jacobian_rank(lambda theta: h @ theta.view(v, d).T, torch.ones(v * d, dtype=torch.float64))
    rank = int(torch.linalg.matrix_rank(h))
    assert found.rank == (v - 1) * rank <= found.bound == min(v * d, n * (v - 1))
    assert found.is_free == (rank == n)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(2, 4), st.integers(0, 99))
def test_rank_of_a_made_map(k, n, v, seed):
    generator = torch.Generator().manual_seed(seed)
    rank = int(torch.randint(0, min(k, n * (v - 1)) + 1, (1,), generator=generator))
    # orthonormal centred outputs times orthonormal inputs: singular values 1
    centred = torch.randn(n, v, n * (v - 1), generator=generator, dtype=torch.float64)
    centred = (centred - centred.mean(1, keepdim=True)).reshape(n * v, -1)
    out = torch.linalg.qr(centred).Q[:, :rank]
    into = torch.linalg.qr(torch.randn(k, k, generator=generator, dtype=torch.float64)).Q[:rank]
    shifts = torch.randn(n, 1, k, generator=generator, dtype=torch.float64)  # move all tokens of a context alike
    found = jacobian_rank(lambda t: (out @ (into @ t)).view(n, v) + shifts @ t, torch.zeros(k, dtype=torch.float64))
    assert found.rank == rank
    assert found.gap > 1e6
    assert ("not free" in found.summary()) == (rank < n * (v - 1))


def test_the_point_matters_where_it_is_special():
    h = torch.tensor([[1.0], [2.0]], dtype=torch.float64)

    def logits(theta):
        return h @ theta[:1, None] @ theta[None, 1:]

    assert jacobian_rank(logits, torch.zeros(3, dtype=torch.float64)).rank == 0
    assert jacobian_rank(logits, torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)).rank == 1


@pytest.mark.parametrize(
    ("logits", "parameters", "words"),
    [
        ("rank", torch.zeros(2, dtype=torch.float64), "logits is 'rank'"),
        (lambda t: t, torch.zeros(2), "float64"),
        (lambda t: t, torch.zeros(2, 2, dtype=torch.float64), "vector"),
        (lambda t: t, torch.zeros(2, dtype=torch.float64), "matrix"),
        (lambda t: t[:, None], torch.zeros(2, dtype=torch.float64), "matrix"),
        (lambda t: t[None] / 0, torch.zeros(2, dtype=torch.float64), "finite"),
    ],
)
def test_refusals(logits, parameters, words):
    with pytest.raises(UsageError, match=words):
        jacobian_rank(logits, parameters)


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1.0, 1e200])
def test_rank_has_no_scale(scale):
    found = jacobian_rank(lambda theta: scale * theta.view(2, 3), torch.ones(6, dtype=torch.float64))
    assert found.rank == found.bound == 4
    assert float(found.singular_values[0]) == pytest.approx(scale, rel=1e-12)


@pytest.mark.parametrize(
    ("logits", "words"),
    [
        (lambda theta: theta.view(2, 3).float(), "float64"),
        (lambda theta: theta.detach().view(2, 3), "differentiable"),
        (lambda theta: (theta - 1).sqrt().view(2, 3), "derivative"),
        (lambda theta: theta.view(2, 3)[:0], "matrix"),
        (lambda theta: theta.view(2, 3).to_sparse(), "matrix"),
    ],
)
def test_maps_without_a_usable_derivative_are_refused(logits, words):
    with pytest.raises(UsageError, match=words):
        jacobian_rank(logits, torch.ones(6, dtype=torch.float64))
