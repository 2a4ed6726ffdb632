import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linprog

from ntp_theory import NTPDataset, check_separability
from ntp_theory.construct import DESIGNED, designed, random
from ntp_theory.construct.instances import a2, sep_incompat, toy
from ntp_theory.errors import SolverError
from ntp_theory.testing import datasets
from tests.construct.oracles import constraint_rows, is_separable


@st.composite
def degenerate(draw):
    """Integer embeddings in {-2..2}, so that zero, repeated and dependent ones are common; any supports, m > d."""
    m, d, v = draw(st.integers(1, 10)), draw(st.integers(1, 4)), draw(st.integers(1, 5))
    h = np.array(draw(st.lists(st.integers(-2, 2), min_size=m * d, max_size=m * d)), dtype=float).reshape(m, d)
    largest = draw(st.integers(1, v))
    mask, first = np.zeros((m, v), dtype=bool), {}
    for j in range(m):
        i = first.setdefault(tuple(h[j]), j)
        chosen = st.lists(st.integers(0, v - 1), min_size=1, max_size=largest, unique=True)
        mask[j] = mask[i] if i != j else np.isin(np.arange(v), draw(chosen))
    return dataset(h, mask)


def dataset(h, mask):
    return NTPDataset(h, mask / mask.sum(1, keepdims=True))


def arrays(data):
    return data.embeddings.numpy(), data.support.numpy()


def largest_margin_of(h, mask, j, v):
    """Largest margin of one pair over W with (6a), weak (6b) and margin at most 1: 1 if it can be pushed, else 0."""
    equal, above = constraint_rows(h, mask)
    off = [(i, u) for i in range(len(h)) for u in np.flatnonzero(~mask[i])]
    row = above[off.index((j, v))]
    answer = linprog(
        -row,
        A_ub=np.vstack([-above, row]),
        b_ub=np.append(np.zeros(len(above)), 1.0),
        A_eq=equal if len(equal) else None,
        b_eq=np.zeros(len(equal)) if len(equal) else None,
        bounds=(None, None),
    )
    assert answer.status == 0, answer.message
    return -answer.fun


def assert_proved(answer, data):
    """The answer carries its proof; rounding is judged against the embeddings."""
    h, pattern = data.embeddings, data.pattern
    if not answer.separable:
        assert answer.direction is None and answer.margin == 0
        violations, certificate = answer.certificate.violations(), answer.certificate
        norms = h.norm(dim=1)
        sizes = certificate.dense().abs().sum(1)
        # the library's own promise, with the length of a zero embedding taken for 1
        total = float((sizes * torch.where(norms > 0, norms, 1.0)).sum())
        assert violations["stationarity"] <= 1e-12 * total
        # row sums: some units of the largest entry, made by one elimination with condition at most 1e3 here
        assert violations["row sums"] <= 1e-12 * float(sizes.max())
        assert violations["normalisation"] <= 1e-14
        assert certificate.margin_bound <= 2e-12 * total
        assert violations["signs"] == 0
        return
    assert answer.certificate is None
    if pattern.num_off_support == 0:
        assert answer.margin == float("inf") and not answer.direction.any()
        return
    logits = h @ answer.direction.T
    assert pattern.margins(logits).min() >= 1 - 1e-12 * logits.abs().max()
    inside = pattern.inside(logits)
    # what the library calls rounding
    sizes = answer.direction.norm() * h.norm(dim=1)
    assert (pattern.max(inside) - pattern.min(inside) <= 1e-13 * sizes).all()
    assert answer.margin == pytest.approx(1 / float(answer.direction.norm()), rel=1e-14)


@given(degenerate() | datasets())
def test_the_answer_is_that_of_linear_programming_and_is_proved(data):
    answer = check_separability(data)
    assert answer.separable == is_separable(*arrays(data))
    assert_proved(answer, data)
    assert answer.summary()


@given(degenerate())
def test_blocked_pairs_cannot_be_pushed(data):
    answer = check_separability(data)
    assume(not answer.separable)
    h, mask = arrays(data)
    chosen = answer.certificate.off_support
    pairs = list(zip(answer.certificate.contexts[chosen], answer.certificate.tokens[chosen], strict=True))
    for j, v in pairs[:3]:
        # tolerance of the linear programming solver
        assert largest_margin_of(h, mask, int(j), int(v)) <= 1e-6


@pytest.mark.parametrize("kind", ["independent", "full-support", "one-hot", "repeated", "dependent"])
def test_every_kind_of_data(kind):
    @given(datasets(kind))
    def check(data):
        answer = check_separability(data)
        assert_proved(answer, data)
        assert answer.separable == is_separable(*arrays(data))
        if kind in ("independent", "full-support"):
            assert answer.separable

    check()


@given(degenerate(), st.integers(0, 2**32 - 1))
def test_the_answer_survives_what_the_question_survives(data, seed):
    r = np.random.default_rng(seed)
    h, mask = arrays(data)
    expected = check_separability(data).separable
    order, names = r.permutation(len(h)), r.permutation(mask.shape[1])
    assert check_separability(dataset(h[order], mask[order][:, names])).separable == expected
    # integer matrices of determinant 1: products of small integers are exact
    shear = np.eye(h.shape[1]) + np.triu(r.integers(-2, 3, (h.shape[1],) * 2), 1)
    assert check_separability(dataset(h @ shear, mask)).separable == expected
    powers = 2.0 ** r.integers(-8, 9, (len(h), 1))  # exact, but equal embeddings must stay equal
    shared = {tuple(row): power for row, power in zip(h, powers, strict=True)}
    scaled = h * np.array([shared[tuple(row)] for row in h])
    same = {tuple(row + 0.0) for row in scaled}
    if len(same) == len({tuple(row + 0.0) for row in h}):
        assert check_separability(dataset(scaled, mask)).separable == expected
    twice = np.r_[np.arange(len(h)), [0]]
    assert check_separability(dataset(h[twice], mask[twice])).separable == expected


@given(datasets(), st.integers(0, 2**32 - 1))
def test_a_rotation_does_not_change_a_clear_answer(data, seed):
    answer = check_separability(data)
    assume(answer.separable and answer.margin > 1e-6 * float(data.embeddings.norm(dim=1).max()))
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((data.dim,) * 2))
    assert check_separability(dataset(data.embeddings.numpy() @ q, data.support.numpy())).separable


@pytest.mark.parametrize("name", DESIGNED)
def test_designed_cases(name):
    case = designed(name)
    answer = check_separability(case.data)
    assert answer.separable == case.separable
    assert_proved(answer, case.data)


@pytest.mark.parametrize("instance", [a2, sep_incompat, toy])
def test_named_instances_are_separable(instance):
    data = instance()
    answer = check_separability(data)
    assert answer.separable
    assert_proved(answer, data)


@pytest.mark.parametrize("exponent", range(1, 15))
@pytest.mark.parametrize("sign", [1, -1])
def test_near_the_boundary_no_answer_is_wrong(exponent, sign):
    # h_1 + h_2 = 2 sign eps h_3, and token 0 must win at all three: separable exactly if sign > 0, with a margin
    # of order eps; what cannot be decided in double precision is said to be so
    eps = 10.0**-exponent
    h = np.array([[1.0, sign * eps], [-1.0, sign * eps], [0.0, 1.0]])
    data = dataset(h, np.array([[True, False]] * 3))
    try:
        answer = check_separability(data, max_iterations=2000)
    except SolverError:
        assert exponent >= 12
        return
    if answer.separable or exponent < 12:
        assert answer.separable == (sign > 0)
    assert_proved(answer, data)


@pytest.mark.parametrize("exponent", range(1, 13))
def test_nearly_equal_embeddings_are_not_taken_for_equal(exponent):
    # (6a) at (1, 0) and (1, eps) makes tokens 0 and 1 level everywhere, so 0 cannot be above 1 at (0, 1)
    data = dataset(
        np.array([[1.0, 0.0], [1.0, 10.0**-exponent], [0.0, 1.0]]),
        np.array([[True, True], [True, True], [True, False]]),
    )
    try:
        answer = check_separability(data, max_iterations=2000)
    except SolverError:
        assert exponent >= 6  # generators this close count as dependent
        return
    assert not answer.separable
    assert_proved(answer, data)


def test_contexts_of_very_different_length_are_equally_easy():
    # separability does not see the length of an embedding
    r = np.random.default_rng(0)
    h, mask = arrays(random(4, 3, 12, (1, 2), rng=5))
    scaled = h * 10.0 ** r.integers(-6, 7, (12, 1))
    first, second = check_separability(dataset(h, mask)), check_separability(dataset(scaled, mask))
    assert first.separable == second.separable == is_separable(h, mask)
    assert_proved(second, dataset(scaled, mask))


def test_names_tell_what_is_blocked():
    data = NTPDataset([[1.0], [2.0]], [[1.0, 0.0], [0.0, 1.0]], token_names=["yes", "no"], context_names=["one", "two"])
    certificate = check_separability(data).certificate
    (first, weight), (second, other) = [(pair[:2], pair[2]) for pair in certificate.blocked()]
    assert {first, second} == {("'one'", "'no'"), ("'two'", "'yes'")}
    assert weight + other == pytest.approx(1, abs=1e-15)
    assert weight == pytest.approx(2 / 3, abs=1e-15)  # h_1 : h_2 = 1 : 2
    assert len(certificate.blocked(limit=1)) == 1
    assert certificate.to_dict()["kind"] == "farkas"
    assert "'yes'" in certificate.describe()


def test_running_out_of_steps_leaves_the_answer_to_the_linear_program():
    for seed, size in ((1, 40), (2, 20)):
        data = random(8, 12, size, (1, 4), rng=seed)
        answer = check_separability(data, max_iterations=1)
        assert answer.separable == is_separable(*arrays(data))
        assert_proved(answer, data)
