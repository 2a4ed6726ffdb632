import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import NTPDataset, check_compatibility
from ntp_theory.construct import DESIGNED, designed
from ntp_theory.construct.instances import a2, sep_incompat
from ntp_theory.errors import SolverError
from ntp_theory.exact import decide_compatibility
from ntp_theory.subspace import project
from ntp_theory.testing import datasets
from tests.construct.oracles import is_compatible


@st.composite
def counted(draw):
    """Integer embeddings and small counts: rows often agree by chance, so both answers occur."""
    m, d, v = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 4))
    rows = st.lists(st.integers(-2, 2), min_size=d, max_size=d).map(tuple)
    h = np.array(draw(st.lists(rows, min_size=m, max_size=m, unique=True)), dtype=float)
    counts = st.lists(st.sampled_from([0, 1, 1, 2, 4]), min_size=v, max_size=v).filter(any)
    return NTPDataset.from_counts(h, np.array(draw(st.lists(counts, min_size=m, max_size=m))))


def dense_counts(data):
    out = np.zeros((data.num_contexts, data.vocab_size), dtype=int)
    out[data.pattern.contexts, data.pattern.tokens] = data.counts
    return out


def assert_proved(answer, data):
    pattern, logs = data.pattern, data.log_conditionals
    if answer.compatible:
        assert answer.certificate is None
        inside = pattern.inside(data.embeddings @ answer.solution.T)
        odds = inside - inside[pattern.starts][pattern.contexts]
        expected = logs - logs[pattern.starts][pattern.contexts]
        # 1e-9 of the largest logarithm on either entry of a difference, the documented tolerance
        assert (odds - expected).abs().max() <= 2e-9 * max(1.0, float(logs.abs().max()))
        outside = answer.solution - project(answer.solution, data)
        assert outside.norm() <= 1e-9 * (1 + answer.solution.norm())
        return
    c = answer.certificate
    assert answer.solution is None
    matrix = np.zeros((data.num_contexts, data.vocab_size))
    matrix[c.contexts, c.tokens] = c.coefficients
    assert not matrix[~data.support.numpy()].any()
    assert np.abs(matrix).sum() == pytest.approx(1, abs=1e-14)
    # entries below 1e-12 are left out, and relations that hold to 1e-6 count
    assert np.abs(matrix.sum(1)).max() <= 1e-11
    assert np.linalg.norm(matrix.T @ data.embeddings.numpy()) == pytest.approx(c.residual, abs=1e-15)
    assert c.residual <= 1e-6 * float(data.embeddings.norm(dim=1).max())
    dense = data.probabilities.to_dense().numpy()
    value = (matrix[dense > 0] * np.log(dense[dense > 0])).sum()
    # row sums are rounding, so counts and probabilities give the same value
    assert value == pytest.approx(c.value, abs=1e-11)
    assert c.value == answer.residual > 0
    assert c.norm_bound > 1e3
    assert c.verify()


@given(counted())
def test_the_answer_is_that_of_exact_arithmetic(data):
    answer = check_compatibility(data)
    assert answer.compatible == is_compatible(data.embeddings.numpy(), dense_counts(data))
    assert_proved(answer, data)
    assert answer.summary()


@given(counted())
def test_counts_and_their_probabilities_agree(data):
    same = NTPDataset(data.embeddings, data.probabilities.to_dense(), data.weights)
    assert check_compatibility(same).compatible == check_compatibility(data).compatible


@given(datasets())
def test_every_answer_is_proved(data):
    assert_proved(check_compatibility(data), data)


@pytest.mark.parametrize(("long", "short"), [(1000.0, 1e-6), (128.0, 2.0**-20)])
def test_one_equation_is_met_whatever_the_lengths(long, short):
    """The long context has one next token and asks for nothing; rounding on the short one must not count there."""
    data = NTPDataset.from_counts([[long, long], [short, 0.0]], [[4, 0], [2, 5]])
    answer = check_compatibility(data)
    assert answer.compatible and answer.residual <= 1e-15
    assert answer.verify()


@given(counted(), st.lists(st.integers(-20, 20), min_size=4, max_size=4))
def test_contexts_of_any_length(data, exponents):
    """A "no" is one in exact arithmetic too, where embeddings differ in length by up to 2^40."""
    h = data.embeddings.numpy() * 2.0 ** np.array(exponents)[: data.num_contexts, None]
    counts = dense_counts(data)
    moved = NTPDataset.from_counts(h, counts)
    try:
        answer = check_compatibility(moved)
    except SolverError as error:
        assert error.status == "undecided"
        return
    if answer.compatible:
        assert answer.verify()
    else:
        assert answer.certificate.verify()
        assert not decide_compatibility(moved)


def test_logs_of_counts_are_taken_in_double_precision():
    h, counts = [[-2, 2], [-1, 2], [0, 2]], [[1, 64], [1, 32], [1, 16]]
    answer = check_compatibility(NTPDataset.from_counts(h, counts, dtype=torch.float32))
    assert answer.compatible and answer.residual <= 1e-14
    assert answer.solution.dtype == torch.float32 and answer.verify()
    other = check_compatibility(NTPDataset.from_counts(h, [[1, 64], [1, 32], [1, 17]], dtype=torch.float32))
    assert not other.compatible and other.verify()


@given(counted())
def test_single_precision_masses_carry_their_rounding(data):
    same = NTPDataset(data.embeddings, data.probabilities.to_dense(), data.weights, dtype=torch.float32)
    assert check_compatibility(same).compatible == check_compatibility(data).compatible


def test_nearly_dependent_constraints_are_not_decided():
    data = NTPDataset([[1.0, 0.0], [1.0, 1e-8]], [[0.5, 0.5], [0.2, 0.8]])
    with pytest.raises(SolverError, match="too nearly dependent"):
        check_compatibility(data)


@given(datasets("independent"))
def test_independent_embeddings_are_compatible(data):
    assert check_compatibility(data).compatible


@given(datasets("one-hot"))
def test_one_hot_data_is_compatible_with_zero(data):
    answer = check_compatibility(data)
    assert answer.compatible
    # not exactly zero: levels and decoder are found together, in a second pass on rounding errors
    assert answer.solution.norm() * data.embeddings.norm() <= 1e-14


@given(counted(), st.integers(0, 2**32 - 1))
def test_relabelling_and_invertible_maps_do_not_matter(data, seed):
    r = np.random.default_rng(seed)
    order, names = r.permutation(data.num_contexts), r.permutation(data.vocab_size)
    shear = np.eye(data.dim) + np.triu(r.integers(-2, 3, (data.dim,) * 2), 1)
    h, counts = data.embeddings.numpy() @ shear, dense_counts(data)
    other = NTPDataset.from_counts(h[order], counts[order][:, names])
    assert check_compatibility(other).compatible == check_compatibility(data).compatible


@pytest.mark.parametrize("name", DESIGNED)
def test_designed_cases(name):
    case = designed(name)
    answer = check_compatibility(case.data)
    assert answer.compatible == case.compatible
    assert_proved(answer, case.data)
    if case.compatible and case.separable:
        assert (answer.solution - case.finite).abs().max() <= 1e-14


def test_sep_incompat_misses_by_the_product_of_its_odds():
    # y = (1, 1, -1) over the log-odds of the three contexts gives log(4 * 3/7 * 13/7) = log(156/49)
    answer = check_compatibility(sep_incompat())
    c = answer.certificate
    y = {int(j): float(w) for j, z, w in zip(c.contexts, c.tokens, c.coefficients, strict=True) if int(z) == 0}
    assert {j: w / y[0] for j, w in y.items()} == pytest.approx({0: 1, 1: 1, 2: -1}, abs=1e-12)
    # coefficients +-y on two tokens of each of three contexts: their absolute sum is 6 |y|
    assert 6 * answer.residual == pytest.approx(math.log(156 / 49), rel=1e-12)


def test_a2_has_the_recorded_dimension_and_is_compatible():
    assert check_compatibility(a2()).compatible


def test_certificates_name_their_entries():
    data = NTPDataset.from_counts([[1.0], [2.0]], [[3, 1], [1, 3]], token_names=["a", "b"], context_names=["x", "y"])
    certificate = check_compatibility(data).certificate
    assert "'x'" in certificate.describe() and "more" in certificate.describe(limit=1)
    found = {(e["context"], e["token"]) for e in certificate.to_dict()["entries"]}
    assert found == {(x, z) for x in ("'x'", "'y'") for z in ("'a'", "'b'")}
