"""Many datasets at once against one at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory import NTPDataset, SVMSolution, solve_svm, solve_svms
from ntp_theory.construct import random
from ntp_theory.construct.instances import a2, tiny
from ntp_theory.errors import NotSeparableError, SolverError, UsageError
from ntp_theory.margin import batch
from ntp_theory.margin.dual import solve_dual, solve_duals
from ntp_theory.margin.problem import DualProblem
from ntp_theory.testing import datasets

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def of_one_shape(draw):
    """Datasets of one shape, about half of them separable; tokens and contexts repeat in some."""
    m, v, d = draw(st.integers(1, 7)), draw(st.integers(2, 5)), draw(st.integers(1, 6))
    found = []
    for seed in draw(st.lists(SEEDS, min_size=2, max_size=5)):
        data = random(v, d, m, (1, v), rng=seed)
        h, mask = data.embeddings.numpy().copy(), data.support.numpy().copy()
        if m > 1 and draw(st.booleans()):
            h[-1], mask[-1] = h[0], mask[0]
        if draw(st.booleans()):
            mask[:, -1] = mask[:, 0]
        mask[~mask.any(1), -1] = True
        found.append(NTPDataset(h, mask / mask.sum(1, keepdims=True)))
    return found


def alone(data):
    try:
        return solve_svm(data, refine=False)
    except (NotSeparableError, SolverError) as error:
        return error


def assert_same(found, data):
    """The answer is that of `solve_svm` within the bounds of both, or the same kind of no."""
    expected = alone(data)
    if isinstance(found, SVMSolution):
        assert found.data is data
        assert found.duality_gap() <= (1e-10 + 1e-13) * 0.5 * found.norm**2  # 1e-13: rounding of short sums
    if isinstance(found, SVMSolution) and isinstance(expected, SVMSolution):
        apart = (found.direction - expected.direction).norm()
        assert apart <= found.distance_bound() + expected.distance_bound()
    elif isinstance(expected, SolverError):  # starting again may close the gap; separable it stays
        assert not isinstance(found, NotSeparableError)
    else:
        assert type(found) is type(expected) is NotSeparableError
        assert torch.equal(found.certificate.data.support, data.support) and found.certificate.verify()


@settings(max_examples=25)
@given(of_one_shape())
def test_datasets_of_one_shape_are_solved_as_alone(many):
    found = solve_svms(many)
    assert len(found) == len(many)
    for answer, data in zip(found, many, strict=True):
        assert_same(answer, data)


@settings(max_examples=15)
@given(
    st.lists(datasets("any") | datasets("repeated") | datasets("full-support"), max_size=3), of_one_shape(), st.data()
)
def test_datasets_of_any_shapes_come_back_in_their_order(some, others, draw):
    many = draw.draw(st.permutations(some + others))
    found = solve_svms(data for data in many)
    assert len(found) == len(many)
    for answer, data in zip(found, many, strict=True):
        assert_same(answer, data)


def test_datasets_that_leave_do_not_disturb_those_that_go_on():
    many = [random(5, 9, 14, 2, rng=seed) for seed in range(30)]
    found = solve_svms(many)
    assert {SVMSolution, NotSeparableError} <= {type(answer) for answer in found}
    assert len({answer.iterations for answer in found if isinstance(answer, SVMSolution)}) > 2
    for answer, data in zip(found, many, strict=True):
        assert_same(answer, data)


def test_a_batch_holds_so_much_and_no_more(monkeypatch):
    many = [random(4, 8, 6, 2, rng=seed) for seed in range(5)]
    seen = []

    def solve(batch, tol, max_iterations):
        seen.append(len(batch))
        return original(batch, tol, max_iterations)

    original = batch._solve
    monkeypatch.setattr(batch, "_solve", solve)
    monkeypatch.setattr(batch, "ENTRIES", 2 * (6 * 6 * 4 + (6 + 4) * 8))
    for answer, data in zip(solve_svms(many), many, strict=True):
        assert_same(answer, data)
    assert seen == [2, 2, 1]


def test_a_dataset_without_company_is_solved_as_by_solve_svm_bit_for_bit():
    for data in (a2(), tiny()):
        (found,) = solve_svms([data])
        assert torch.equal(found.direction, solve_svm(data, refine=False).direction)


def test_what_stays_open_goes_on_alone_from_where_it_is():
    data = random(10, 15, 20, 3, rng=3)
    (left,) = solve_duals(DualProblem.stack([data]), [data], tol=1e-10, max_iterations=10)
    assert left.gap > 1e-10 and left.iterations == 10
    found = batch._finish(data, left, 1e-10, 1000)
    assert found.gap <= 1e-10 and found.iterations > 10
    assert batch._finish(data, left, 1e-10, 10) is left


@given(datasets("independent", max_contexts=5, max_vocab_size=5, max_dim=6))
def test_the_dual_method_may_start_anywhere(data):
    """From its own last multipliers, and from those of noise, it comes to the same W."""
    if data.pattern.num_off_support == 0:
        return
    first = solve_dual(data, tol=1e-10, max_iterations=1000)
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(data.support.shape))
    for start in (first.multipliers, noise):
        found = solve_dual(data, tol=1e-10, max_iterations=1000, start=start)
        answers = [SVMSolution(data, one.direction, one.duals, "dual", 0) for one in (first, found)]
        apart = float((answers[0].direction - answers[1].direction).norm())
        assert found.gap <= 1e-10 and apart <= sum(answer.distance_bound() for answer in answers)


def test_too_few_steps_leave_errors_with_what_was_found():
    found = solve_svms([a2(), a2()], tol=1e-12, max_iterations=10)
    assert [type(answer) for answer in found] == [SolverError] * 2
    assert all(answer.best is not None and "in 10 iterations" in str(answer) for answer in found)


def test_the_floating_type_of_the_data_is_kept():
    many = [random(4, 8, 6, 2, rng=seed) for seed in range(3)]
    many[1] = many[1].to(dtype=torch.float32)
    assert [answer.direction.dtype for answer in solve_svms(many)] == [torch.float64, torch.float32, torch.float64]


def test_nothing_to_solve():
    assert solve_svms([]) == []


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ([tiny()], {"tol": 0.0}, "tol is 0.0"),
        ([tiny()], {"tol": "small"}, "tol is 'small'"),
        ([tiny()], {"max_iterations": 0}, "max_iterations is 0"),
        (tiny(), {}, "datasets is NTPDataset"),
        ([tiny(), None], {}, r"datasets\[1\] is None"),
    ],
)
def test_bad_arguments_are_named(arguments, options, message):
    with pytest.raises(UsageError, match=message):
        solve_svms(arguments, **options)
