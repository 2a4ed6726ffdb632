"""Polar factors against hundreds and thousands of digits, and against scipy where that is good enough.

Error bound. ``R^T H = (E X) D (Y^T H)`` with both factors well conditioned: relative errors of a share delta in them
move singular vectors, and so the polar factor, by at most a small multiple of delta times their condition numbers
(Demmel, Gu, Eisenstat, Slapnicar, Veselic and Drmac 1999; the multiple is the square root of the rank times the inverse
relative gap in one decomposition, but rotations among close singular values cancel in U V^T). Where the ordinary
decomposition is used, singular values are at least 1e-4 of the largest, and rounding is divided by that.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory.descent.gradients.polar import INDEPENDENT, _orthogonal, _polar_of_columns, polar_factor
from ntp_theory.scaled import Scaled
from tests.descent.gradients.test_rank_revealing import EPS, factors, kinds
from tests.descent.oracles import exact_polar, graded_residual

shapes = st.tuples(st.integers(1, 7), st.integers(2, 5), st.integers(1, 7))


def draw_embeddings(seed, m, d):
    return torch.from_numpy(np.random.default_rng([seed, 1]).normal(size=(m, d)))


def error_bound(residual, embeddings):
    found, slack = factors(residual)
    right = embeddings.numpy().T @ found.right
    q, c, kept = _orthogonal(right)
    spread = np.linalg.norm(right) / min((abs(c[i, n]) for n, i in enumerate(kept)), default=1.0)
    condition = np.linalg.cond(found.left) * spread * np.linalg.norm(embeddings, 2)
    return 16 * slack * max(condition, 1e4)


@settings(max_examples=20)
@given(st.integers(0, 999), shapes, st.sampled_from([0.0, 5.0, 69.0]), kinds)
def test_against_250_digits(seed, shape, grading, kind):
    """Singular values down to 1e-30 times the largest, of any shape."""
    m, v, d = shape
    check(seed, m, v, d, grading, kind, digits=250)


@pytest.mark.parametrize("kind", ["tokens", "contexts", "pairs", "supports", "rings"])
@pytest.mark.parametrize("shape", [(4, 4, 5), (3, 5, 4), (6, 4, 2)])
def test_against_very_many_digits(shape, kind):
    """Singular values down to 1e-300 and e^-2000 times the largest."""
    check(7, *shape, 690.0, kind, digits=1000)
    check(8, *shape, 2000.0, kind, digits=2500)


def check(seed, m, v, d, grading, kind, digits):
    residual, embeddings = graded_residual(seed, (m, v), grading, kind), draw_embeddings(seed, m, d)
    exact, _ = exact_polar(residual, embeddings, digits)
    found = polar_factor(residual, embeddings).numpy()
    assert np.abs(found - exact).max() <= error_bound(residual, embeddings)


def test_an_ordinary_decomposition_gives_weight_to_noise():
    """What all this is for: singular values of 1, 1, e^-100, the third vector of which an ordinary one does not see."""
    residual, embeddings = graded_residual(3, (6, 4), 100.0, "pairs"), draw_embeddings(3, 6, 8)
    exact, logs = exact_polar(residual, embeddings, 250)
    assert len(logs) == 3 and logs[1] - logs[2] > 90
    u, _, vt = np.linalg.svd(residual.dense().numpy().T @ embeddings.numpy(), full_matrices=False)
    assert np.abs(u[:, :3] @ vt[:3] - exact).max() > 0.1
    assert np.abs(polar_factor(residual, embeddings).numpy() - exact).max() < 1e-12


@given(st.integers(0, 999), st.integers(2, 5), st.integers(0, 3))
def test_against_scipy_where_it_is_well_conditioned(seed, v, extra):
    """On the vectors that sum to zero the matrix has full rank, and polar factors there are those of scipy."""
    m = v + extra
    residual, embeddings = graded_residual(seed, (m, v), 0.0, "tokens"), draw_embeddings(seed, m, m)
    basis = scipy.linalg.null_space(np.ones((1, v)))
    matrix = residual.dense().numpy().T @ embeddings.numpy()
    expected = basis @ scipy.linalg.polar(basis.T @ matrix)[0]
    smallest = np.linalg.svd(basis.T @ matrix)[1][-1]
    bound = 16 * EPS * max(m, v) * np.linalg.norm(residual.dense()) * np.linalg.norm(embeddings) / smallest
    assert np.abs(polar_factor(residual, embeddings).numpy() - expected).max() <= bound + error_bound(
        residual, embeddings
    )


@given(st.integers(0, 999), shapes, st.sampled_from([0.0, 69.0, 2000.0]), kinds)
def test_rotations_of_the_embeddings_and_orders_of_tokens_and_contexts_commute(seed, shape, grading, kind):
    m, v, d = shape
    residual, embeddings = graded_residual(seed, (m, v), grading, kind), draw_embeddings(seed, m, d)
    random = np.random.default_rng(seed)
    q = torch.from_numpy(np.linalg.qr(random.normal(size=(d, d)))[0])
    tokens, contexts = (torch.from_numpy(random.permutation(n)) for n in (v, m))
    moved = Scaled(residual.rows[contexts][:, tokens], residual.log_scale[contexts][:, tokens])
    found = polar_factor(moved, embeddings[contexts] @ q)
    # a product with q is off by d units in the last place
    bound = (2 + d) * error_bound(residual, embeddings)
    assert (found - polar_factor(residual, embeddings)[tokens] @ q).abs().max() <= bound


@given(st.integers(0, 999), st.sampled_from([0.0, 69.0, 2000.0]), kinds)
def test_embeddings_that_depend_on_others_add_no_direction(seed, grading, kind):
    residual, embeddings = graded_residual(seed, (4, 6), grading, kind), draw_embeddings(seed, 4, 6)
    embeddings[3] = embeddings[0] + embeddings[1]
    sizes = torch.linalg.svdvals(polar_factor(residual, embeddings))
    rank = min(3, len(factors(residual)[0].log_diagonal))
    assert torch.allclose(sizes[:rank], torch.ones(rank, dtype=torch.float64)) and (sizes[rank:] < 1e-12).all()


@given(st.integers(0, 999), shapes, st.floats(-3000.0, 3000.0))
def test_the_size_of_the_gradient_does_not_matter(seed, shape, log_factor):
    m, v, d = shape
    residual, embeddings = graded_residual(seed, (m, v), 69.0, "tokens"), draw_embeddings(seed, m, d)
    found, moved = polar_factor(residual, embeddings), polar_factor(residual.times(log_factor), embeddings)
    # a logarithm of 3000 is off by 3000 units in the last place
    assert (found - moved).abs().max() <= 50 * error_bound(residual, embeddings)


@given(st.integers(0, 999), st.integers(2, 12), st.floats(0.0, 4000.0))
def test_ranges_that_no_double_holds_are_taken_in_parts(seed, k, spread):
    """A split in two halves, each with what it sees of the other, is what one decomposition gives where it can."""
    random = np.random.default_rng(seed)
    core = np.triu(random.uniform(-1, 1, size=(k, k)), 1) + np.diag(random.choice([-2.0, 2.0], size=k))
    near_the_middle = random.uniform(-30, 30, size=k - 2) - spread / 2
    logs = np.sort(np.concatenate([[0.0, -spread], near_the_middle]))[::-1]
    found = _polar_of_columns(core, logs)
    assert np.abs(found @ found.T - np.eye(k)).max() < 64 * EPS * k
    # the other factor, found.T @ core @ diag, is symmetric; relative to the smaller of its two columns' sizes
    other = found.T @ core
    for i in range(k):
        for j in range(i):
            ratio = np.exp(logs[i] - logs[j])
            assert abs(other[i, j] - other[j, i] * ratio) <= 64 * EPS * k * np.linalg.norm(core)


def test_nothing_and_not_a_number():
    embeddings = draw_embeddings(0, 2, 3)
    zero = Scaled(torch.zeros(2, 4, dtype=torch.float64), torch.full((2, 4), -torch.inf, dtype=torch.float64))
    assert not polar_factor(zero, embeddings).any() and polar_factor(zero, embeddings).shape == (4, 3)
    nan = Scaled(torch.full((2, 4), torch.nan, dtype=torch.float64), torch.zeros(2, 4, dtype=torch.float64))
    assert polar_factor(nan, embeddings).isnan().all()


def test_half_of_the_digits_make_a_direction():
    assert len(_orthogonal(np.array([[1.0, 1.0], [0.0, 4 * INDEPENDENT]]))[2]) == 2
    assert len(_orthogonal(np.array([[1.0, 1.0], [0.0, INDEPENDENT / 4]]))[2]) == 1


@given(st.integers(0, 999), st.floats(1.0, 6.0))
def test_a_basis_is_orthogonal_though_the_columns_nearly_depend(seed, digits):
    random = np.random.default_rng(seed)
    columns = random.normal(size=(6, 1)) + 10.0**-digits * random.normal(size=(6, 4))
    q, c, kept = _orthogonal(columns)
    assert np.abs(q.T @ q - np.eye(len(kept))).max() < 50 * EPS
    assert np.abs(q @ c.T - columns).max() < 50 * EPS * np.abs(columns).max()
