import math

import cvxpy as cp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ntp_theory.errors import UsageError
from ntp_theory.margin.conic import norm_expression
from ntp_theory.margin.norms import FROBENIUS, NAMES, Norm, as_norm

FAMILIES = ("entrywise", "schatten", "tokenwise")
EXPONENTS = st.sampled_from([1, 2, math.inf]) | st.floats(1, 50)
EPS = 1e-13  # of norms of a few numbers each


@st.composite
def norms(draw):
    return Norm(draw(st.sampled_from(FAMILIES)), draw(EXPONENTS))


@st.composite
def matrices(draw, count=1):
    shape = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    entries = st.integers(-9, 9).map(float) | st.floats(-1, 1).map(lambda x: round(x, 9))  # squares do not vanish
    drawn = [torch.from_numpy(draw(arrays(float, shape, elements=entries))) for _ in range(count)]
    return drawn if count > 1 else drawn[0]


def turns(seed, size):
    return torch.from_numpy(np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0])


@given(norms())
def test_names_are_read_back(norm):
    assert as_norm(norm.name) == norm and as_norm(norm) is norm


def test_usual_names_and_the_dual_pairs():
    assert {name: norm.name for name, norm in NAMES.items()} == {name: name for name in NAMES}
    assert Norm("schatten", 2) == Norm("tokenwise", 2.0) == as_norm("entrywise-2") == FROBENIUS
    pairs = {"max": "sum", "spectral": "nuclear", "frobenius": "frobenius", "token": "tokenwise-1"}
    for one, other in pairs.items():
        assert as_norm(one).dual == as_norm(other) and as_norm(other).dual == as_norm(one)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 7.25, math.inf])
@pytest.mark.parametrize("family", FAMILIES)
def test_of_a_diagonal_matrix_it_is_the_norm_of_a_vector(family, p):
    x = np.array([3.0, -0.5, 2.0])
    expected = np.linalg.norm(x, p)
    assert Norm(family, p).value(torch.diag(torch.from_numpy(x))) == pytest.approx(expected, rel=EPS)


@given(norms(), matrices(), st.integers(0, 2**32 - 1))
def test_what_leaves_it_alone(norm, matrix, seed):
    r = np.random.default_rng(seed)
    size = norm.value(matrix)
    near = pytest.approx(size, rel=EPS, abs=EPS * float(matrix.norm()))
    signs = torch.from_numpy(r.choice([-1.0, 1.0], matrix.shape[1]))
    assert norm.value(matrix[r.permutation(len(matrix))]) == near
    assert norm.value(matrix[:, r.permutation(matrix.shape[1])] * signs) == near
    if norm.is_rotation_invariant:
        assert norm.value(matrix @ turns(seed, matrix.shape[1])) == near
        assert norm.value(matrix[:, :1]) <= size * (1 + EPS)
    if norm.family == "schatten":
        assert norm.value(turns(seed, len(matrix)) @ matrix) == near
        assert norm.value(matrix.T) == near


@given(norms(), matrices(count=2))
def test_hoelder(norm, pair):
    a, b = pair
    assert float((a * b).sum()) <= norm.value(a) * norm.dual.value(b) + EPS * float(a.norm() * b.norm())
    assert norm.value(a + b) <= norm.value(a) + norm.value(b) + EPS * float(a.norm() + b.norm())
    assert norm.dual.dual.family == norm.family and norm.dual.dual.p == pytest.approx(norm.p, rel=1e-12)


@given(norms(), matrices())
def test_the_dual_norm_is_attained(norm, matrix):
    """At the gradient of the norm, made from its definition: sign(x) |x|^(p-1) for the vector x that it measures."""
    if not matrix.any() or norm.p == math.inf:
        return
    unit = matrix / matrix.abs().max()
    if norm.family == "schatten":
        u, s, vt = torch.linalg.svd(unit, full_matrices=False)
        found = u[:, s > 1e-12] * s[s > 1e-12] ** (norm.p - 1) @ vt[s > 1e-12]
    elif norm.family == "tokenwise":
        lengths = unit.norm(dim=1, keepdim=True)
        found = torch.where(lengths > 0, unit / lengths * lengths ** (norm.p - 1), 0.0)
    else:
        found = unit.sign() * unit.abs() ** (norm.p - 1)
    assert float((unit * found).sum()) == pytest.approx(norm.value(unit) * norm.dual.value(found), rel=1e-9)


@given(norms(), matrices(), st.data())
def test_copies_of_rows_are_weights(norm, matrix, data):
    counts = torch.tensor(data.draw(st.lists(st.integers(1, 4), min_size=len(matrix), max_size=len(matrix))))
    repeated = matrix.repeat_interleave(counts, 0)
    weighted = norm.copies(counts.double())[:, None] * matrix
    assert norm.value(weighted) == pytest.approx(norm.value(repeated), rel=1e-12, abs=EPS)


@given(norms(), matrices(), st.data())
def test_no_matrix_within_bounds_is_larger(norm, bounds, data):
    factors = data.draw(arrays(float, tuple(bounds.shape), elements=st.floats(-1, 1)))
    matrix = torch.from_numpy(factors) * bounds.abs()
    assert norm.value(matrix) <= norm.value_within(bounds.abs()) * (1 + EPS)


@pytest.mark.parametrize("scale", [1e-80, 1.0, 1e80])
@given(norms(), matrices())
def test_scale_and_no_overflow(scale, norm, matrix):
    assert norm.value(scale * matrix) == pytest.approx(scale * norm.value(matrix), rel=1e-12, abs=EPS * scale)


@pytest.mark.parametrize("p", [1, 1.1, 4 / 3, 1.5, 1.9, 2.1, 3, math.pi, 4, 5, 20, math.inf])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", [(2, 4), (3, 2)])
def test_the_expression_for_cvxpy_is_the_norm(family, p, shape):
    norm, r = Norm(family, p), np.random.default_rng(0)
    matrix, variable = r.standard_normal(shape), cp.Variable(shape)
    value, constraints = norm_expression(variable, norm)
    problem = cp.Problem(cp.Minimize(value), [variable == matrix, *constraints])
    problem.solve(solver="CLARABEL")
    # to what the solver gives by default; 2^-19 is how far a rounded exponent may be off
    assert problem.value == pytest.approx(norm.value(torch.from_numpy(matrix)), rel=5e-6)


BAD = [
    "",
    "L2",
    "schatten",
    "schatten-",
    "schatten-x",
    "schatten-nan",
    "entrywise-0.5",
    "operator-2",
    None,
    2,
    ("max",),
]


@pytest.mark.parametrize("norm", BAD, ids=repr)
def test_other_words_are_refused(norm):
    with pytest.raises(UsageError, match="norm is .* must be one of 'frobenius', 'max'"):
        as_norm(norm)


def test_the_constructor_names_what_is_wrong():
    with pytest.raises(UsageError, match="family is 'operator'"):
        Norm("operator", 2)
    for p in (0.5, -1, math.nan, "2", True, None):
        with pytest.raises(UsageError, match=r"p is .*; it must be a number from 1 to inf"):
            Norm("schatten", p)
