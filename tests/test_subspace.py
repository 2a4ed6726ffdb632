"""The data subspace F against rational arithmetic, and its projections for nearly dependent embeddings.

Rounding: a projection by two passes of elimination is off by a small multiple of ``cond * 2^-52 *
||W||``, cond that of the unit generators; multiples up to 20 were seen, 200 is allowed.
"""

from __future__ import annotations

import gc
import weakref
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import subspace
from ntp_theory.dataset import NTPDataset
from ntp_theory.errors import UsageError
from ntp_theory.subspace import DataSubspace, data_subspace, project, project_complement
from ntp_theory.support import SupportPattern
from ntp_theory.testing import datasets

EPS = 2.0**-52


def generators(h, mask):
    """Rows ``(e_z - e_a) h_j^T``, flat, in the order of `DataSubspace`: by context, then token."""
    out = []
    for row, support in zip(np.asarray(h), np.asarray(mask), strict=True):
        anchor, *others = np.flatnonzero(support)
        for z in others:
            matrix = np.zeros((len(support), len(row)), dtype=row.dtype)
            matrix[z], matrix[anchor] = row, -row
            out.append(matrix.ravel())
    return np.array(out).reshape(len(out), np.shape(mask)[1] * np.shape(h)[1])


def exact_basis(vectors):
    """Orthogonal basis of the span, by Gram-Schmidt in rational arithmetic."""
    basis = []
    for vector in vectors:
        rest = [Fraction(x) for x in vector]
        for b in basis:
            rest = [x - dot(rest, b) / dot(b, b) * y for x, y in zip(rest, b, strict=True)]
        if any(rest):
            basis.append(rest)
    return basis


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def condition(vectors, rank):
    """Condition number of the unit generators, zero directions left out."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    values = np.linalg.svd(vectors / np.where(norms > 0, norms, 1), compute_uv=False)
    return values[0] / values[rank - 1] if rank else 1.0


@st.composite
def integer_cases(draw):
    """Embeddings of small integers (zero, repeated, collinear ones are frequent), supports, a decoder."""
    m, v, d = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    entry = st.integers(-2, 2)
    h = draw(st.lists(st.lists(entry, min_size=d, max_size=d), min_size=m, max_size=m))
    rows = st.lists(st.booleans(), min_size=v, max_size=v).filter(any)
    mask = draw(st.lists(rows, min_size=m, max_size=m))
    weights = draw(st.lists(st.integers(-9, 9), min_size=v * d, max_size=v * d))
    if draw(st.booleans()):
        h[-1], mask[-1] = h[0], mask[0]
    return np.array(h), np.array(mask), np.array(weights).reshape(v, d)


def make(h, mask):
    return DataSubspace(torch.tensor(h, dtype=torch.float64), SupportPattern.from_mask(torch.tensor(mask)))


@given(integer_cases())
def test_dimension_and_projection_against_rational_arithmetic(case):
    h, mask, weights = case
    space, vectors = make(h, mask), generators(h, mask)
    basis = exact_basis(vectors.tolist())
    assert space.dim == len(basis)
    flat = weights.ravel().tolist()
    exact = [sum((dot(flat, b) / dot(b, b) * b[i] for b in basis), Fraction(0)) for i in range(len(flat))]
    found = space.project(weights).numpy().ravel()
    bound = 200 * EPS * condition(vectors, space.dim) * np.linalg.norm(weights)
    assert np.linalg.norm(found - np.array(exact, dtype=float)) <= bound
    rest = space.project_complement(weights).numpy().ravel()
    assert np.linalg.norm(weights.ravel() - found - rest) <= bound


@given(integer_cases())
def test_the_complement_has_equal_logits_in_every_support(case):
    """Whatever the condition number: the in-support logit differences of P_perp W are rounding."""
    h, mask, weights = case
    rest = make(h, mask).project_complement(weights).numpy()
    logits = h @ rest.T
    for row, support in zip(logits, mask, strict=True):
        # logits are sums of d <= 3 products of |h| <= 2 and |W| <= 9 * 2
        assert np.ptp(row[support]) <= 1000 * EPS


@given(integer_cases(), st.integers(0, 1000))
def test_interpolate_meets_what_can_be_met_and_proves_the_rest(case, seed):
    """Logits of a decoder plus levels are met by its P_F; of anything else the misfit is a certificate."""
    h, mask, weights = case
    space, vectors = make(h, mask), generators(h, mask)
    random = np.random.default_rng(seed)
    bound = 200 * EPS * condition(vectors, space.dim) * (np.linalg.norm(weights) + 10)
    values = (h @ weights.T + random.normal(size=(len(h), 1)))[mask]
    found, misfit = space.interpolate(torch.from_numpy(values))
    assert torch.linalg.norm(found - space.project(weights)) <= 5 * bound
    assert misfit.abs().max() <= 5 * bound
    other = random.normal(size=len(values))
    _, misfit = space.interpolate(torch.from_numpy(other))
    norms = np.linalg.norm(h, axis=1)
    c = np.zeros(mask.shape)
    c[mask] = misfit.numpy()
    c /= np.where(norms > 0, norms, 1.0)[:, None] ** 2
    assert np.abs(c.sum(1)).max() <= bound and np.abs(h.T @ c).max() <= bound
    assert (c[mask] * other).sum() >= (misfit.numpy() ** 2).sum() / max(1.0, norms.max() ** 2) - bound


@pytest.mark.parametrize(
    ("h", "mask", "dim"),
    [
        ([[0, 0]], [[1, 1, 1]], 0),  # zero embedding: no logits at all
        ([[1, 2]], [[1, 0, 0]], 0),  # one-hot: F is trivial (`bias/remark-1`)
        ([[1, 2]], [[1, 1, 1]], 2),
        ([[1, 2], [2, 4]], [[1, 1, 1], [1, 1, 1]], 2),  # collinear
        ([[1, 2], [1, 2]], [[1, 1, 0], [0, 1, 1]], 2),  # repeated, chained supports
        ([[1, 0], [0, 1], [1, 1]], [[1, 1], [1, 1], [1, 1]], 2),
        ([[1, 0], [0, 1], [1, 1]], [[1, 1, 0], [1, 0, 1], [0, 1, 1]], 3),
        ([[3]], [[1]], 0),
    ],
)
def test_dimensions_by_hand(h, mask, dim):
    assert make(h, np.array(mask, dtype=bool)).dim == dim


@given(datasets(), st.integers(0, 1000))
def test_p_f_is_an_orthogonal_projection(data, seed):
    """Idempotent, self-adjoint, P_F + P_perp = 1, P_F P_perp = 0, Pythagoras (`bias/erratum-E11`).

    Generators nearer than 1e-6 to the span of others are dropped, so cond <= 1e6 up to a factor of dim.
    """
    a, b = torch.from_numpy(np.random.default_rng(seed).normal(size=(2, data.vocab_size, data.dim)))
    vectors = generators(data.embeddings, data.support)
    norm = torch.linalg.norm
    cond = condition(vectors, data_subspace(data).dim)
    bound = float(200 * EPS * cond * (norm(a) + norm(b) + 1) ** 2)
    p, q = project(a, data), project_complement(a, data)
    assert norm(project(p, data) - p) <= bound and norm(project_complement(q, data) - q) <= bound
    assert norm(p + q - a) <= bound and norm(project(q, data)) <= bound
    assert abs((p * b).sum() - (a * project(b, data)).sum()) <= bound
    assert abs((p * q).sum()) <= bound
    assert abs(norm(p) ** 2 + norm(q) ** 2 - norm(a) ** 2) <= bound


def test_norms_do_not_add_up_only_their_squares_do():
    """`bias/erratum-E11`: the unsquared identity of Lemma 4 (4) fails for a generic W."""
    data = NTPDataset([[1.0]], [[0.5, 0.5, 0.0]])
    w = torch.tensor([[1.0], [3.0], [5.0]])
    parts = torch.linalg.norm(project(w, data)) + torch.linalg.norm(project_complement(w, data))
    assert parts > 1.1 * torch.linalg.norm(w)


@given(datasets(), st.integers(0, 1000))
def test_projection_moves_with_the_data(data, seed):
    """Permuted contexts, relabelled tokens, rotated or scaled embeddings."""
    random = np.random.default_rng(seed)
    h, mask = data.embeddings.numpy(), data.support.numpy()
    w = random.normal(size=(data.vocab_size, data.dim))
    space = make(h, mask)
    bound = 400 * EPS * condition(generators(h, mask), space.dim) * np.linalg.norm(w)
    expected = space.project(w).numpy()
    rows, columns = random.permutation(len(h)), random.permutation(len(w))
    q = np.linalg.qr(random.normal(size=(data.dim, data.dim)))[0]
    for moved, w_moved, back in (
        (make(h[rows], mask[rows]), w, lambda x: x),
        (make(h, mask[:, columns]), w[columns], lambda x: x[np.argsort(columns)]),
        (make(h @ q, mask), w @ q, lambda x: x @ q.T),
        (make(-3.0 * h, mask), w, lambda x: x),
        (make(h * np.geomspace(1e-70, 1e70, len(h))[:, None], mask), w, lambda x: x),
    ):
        assert moved.dim == space.dim
        assert np.linalg.norm(back(moved.project(w_moved).numpy()) - expected) <= bound


def high_precision_projection(h, mask, w):
    """P_F W in 60 digits, for independent generators."""
    with mpmath.workdps(60):
        a = mpmath.matrix(generators(h, mask).tolist())
        x = mpmath.lu_solve(a * a.T, a * mpmath.matrix(w.ravel().tolist()))
        return np.array([float(value) for value in a.T * x]).reshape(w.shape)


def stretched(cond, m=5, d=6, seed=0):
    random = np.random.default_rng(seed)
    left = np.linalg.qr(random.normal(size=(m, m)))[0]
    right = np.linalg.qr(random.normal(size=(d, m)))[0]
    return left * np.geomspace(1, 1 / cond, m) @ right.T


MASK = np.array([[1, 1, 1, 0], [1, 1, 0, 1], [1, 1, 0, 0], [0, 1, 1, 0], [1, 1, 1, 1]], dtype=bool)


@pytest.mark.parametrize("cond", [1.0, 1e2, 1e4, 1e5, 1e6])
def test_accuracy_with_ill_conditioned_embeddings(cond):
    """The error grows with cond, not with its square, which the Gram matrix alone would give."""
    h, w = stretched(cond), np.random.default_rng(1).normal(size=(4, 6))
    space = make(h, MASK)
    assert space.dim == len(generators(h, MASK))
    error = np.linalg.norm(space.project(w).numpy() - high_precision_projection(h, MASK, w))
    assert error <= 200 * EPS * condition(generators(h, MASK), space.dim) * np.linalg.norm(w)
    logits = h @ space.project_complement(w).numpy().T
    spread = max(np.ptp(row[support]) for row, support in zip(logits, MASK, strict=True))
    assert spread <= 50 * EPS * np.linalg.norm(w)  # |h| <= 1


@pytest.mark.parametrize("ratio", [5.0, 500.0])
def test_accuracy_with_a_large_common_mean(ratio):
    random = np.random.default_rng(2)
    h, w = random.normal(size=(5, 6)) + ratio * random.normal(size=6), random.normal(size=(4, 6))
    space = make(h, MASK)
    error = np.linalg.norm(space.project(w).numpy() - high_precision_projection(h, MASK, w))
    assert error <= 200 * EPS * condition(generators(h, MASK), space.dim) * np.linalg.norm(w)


@pytest.mark.parametrize(("distance", "dim"), [(1e-4, 2), (1e-5, 2), (1e-8, 1), (1e-12, 1)])
def test_nearly_dependent_generators_count_as_dependent_below_a_millionth(distance, dim):
    h = np.array([[1.0, 0.0], [1.0, distance]])
    assert make(h, np.array([[True, True], [True, True]])).dim == dim


@pytest.mark.parametrize(
    ("rule", "weights"),
    [
        (r"weights has shape \(2, 3\), expected \(vocab_size, dim\) = \(3, 2\)", torch.zeros(2, 3)),
        (r"weights has shape \(3,\)", [1.0, 2.0, 3.0]),
        (r"weights\[2, 1\] is nan; every entry must be finite", [[0, 0], [0, 0], [0, np.nan]]),
        (r"weights must be a matrix \(V, d\) of real numbers", np.ones((3, 2)) * 1j),
        (r"weights must be a matrix \(V, d\) of real numbers", "abc"),
        (r"weights must be a matrix \(V, d\) of real numbers", [[1.0], [1.0, 2.0]]),
    ],
)
def test_decoders_that_are_refused(rule, weights):
    data = NTPDataset(np.eye(2), [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    for function in (project, project_complement):
        with pytest.raises(UsageError, match=rule):
            function(weights, data)


def test_single_precision_data_gives_single_precision_answers():
    data = NTPDataset(np.eye(2), [[0.5, 0.5, 0.0], [0.25, 0.25, 0.5]], dtype=torch.float32)
    w = np.arange(6.0).reshape(3, 2)
    found = project(w, data)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), project(w, data.to(dtype=torch.float64)), rtol=0, atol=1e-5)


def test_the_factor_is_computed_once_and_dies_with_its_dataset(monkeypatch):
    data = NTPDataset([[1.0]], [[0.5, 0.5]])
    first = data_subspace(data)
    monkeypatch.setattr(subspace, "DataSubspace", None)
    assert data_subspace(data) is first
    gone = weakref.ref(data)
    del data
    gc.collect()
    assert gone() is None
