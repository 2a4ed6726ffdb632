"""The NTP-SVM as contexts are added, against one solve a prefix."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory import NTPDataset, check_separability, solve_svm, solve_svm_path
from ntp_theory.construct import random
from ntp_theory.construct.instances import a2, tiny
from ntp_theory.errors import NotSeparableError, SolverError, UsageError
from ntp_theory.testing import KINDS, datasets

ANY = st.sampled_from(KINDS).flatmap(datasets)


def walk(data, sizes=None, **options):
    """The solutions along the path, and the error that ends it, if one does."""
    found = []
    try:
        for solution in solve_svm_path(data, sizes, **options):
            found.append(solution)
    except (NotSeparableError, SolverError) as error:
        return found, error
    return found, None


@settings(max_examples=25)
@given(ANY)
def test_every_prefix_has_its_own_answer(data):
    found, error = walk(data)
    for k, solution in enumerate(found, 1):
        assert solution.data.num_contexts == k
        cold = solve_svm(solution.data, refine=False)
        apart = float((solution.direction - cold.direction).norm())
        assert apart <= solution.distance_bound() + cold.distance_bound()
    if error is None:
        assert len(found) == data.num_contexts and found[-1].data is data
    elif isinstance(error, NotSeparableError):
        certificate, k = error.certificate, len(found) + 1
        assert certificate.data.num_contexts == k and certificate.verify()
        assert f"the first {k} contexts are not NTP-separable" in str(error)
        # extended by zeros it speaks against all of the data
        assert replace(certificate, data=data).verify()
        assert not check_separability(data).separable


@settings(max_examples=25)
@given(ANY)
def test_norms_never_fall(data):
    """Every constraint stays as others are added."""
    found, _ = walk(data)
    for shorter, longer in zip(found, found[1:], strict=False):
        assert longer.norm >= shorter.norm - shorter.distance_bound() - longer.distance_bound()


@given(ANY, st.data())
def test_prefixes_are_the_data_of_their_contexts(data, draw):
    k = draw.draw(st.integers(1, data.num_contexts))
    found, error = walk(data, [k], tol=1e-2)
    part = found[0].data if found else error.certificate.data if isinstance(error, NotSeparableError) else None
    if part is None:
        return
    assert torch.equal(part.embeddings, data.embeddings[:k])
    assert torch.equal(part.support, data.support[:k])
    # divided by sums of k weights, and of at most 5 probabilities: 2^-53 each, and once for the quotient
    dense = data.probabilities.to_dense()[:k]
    assert (part.probabilities.to_dense() - dense).abs().max() <= 8 * 2.0**-53
    weights = data.weights[:k] / data.weights[:k].sum()
    assert (part.weights / weights - 1).abs().max() <= 16 * 2.0**-53
    assert (part.counts is None) == (data.counts is None)
    if data.counts is not None:
        assert torch.equal(part.counts, data.counts[: len(part.counts)])


def test_names_go_with_their_contexts():
    data = NTPDataset([[1.0], [-1.0]], [[1.0, 0.0], [0.0, 1.0]], token_names=["a", "b"], context_names=["x", "y"])
    first, second = solve_svm_path(data)
    assert first.data.context_names == ("x",) and first.data.token_names == ("a", "b")
    assert second.data is data


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_floating_type_of_the_data_is_kept(dtype):
    data = random(4, 8, 6, 2, rng=0).to(dtype=dtype)
    assert {solution.direction.dtype for solution in solve_svm_path(data)} == {dtype}


def test_only_what_is_asked_for_is_solved():
    """Two equal embeddings after which different tokens follow end the path; before them there is no error."""
    data = NTPDataset([[1.0], [-1.0], [2.0]], [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    path = solve_svm_path(data)
    assert [next(path).data.num_contexts for _ in range(2)] == [1, 2]
    with pytest.raises(NotSeparableError, match="the first 3 contexts"):
        next(path)
    assert [solution.data.num_contexts for solution in solve_svm_path(data, [2])] == [2]


def test_the_first_of_a_path_is_solved_as_by_solve_svm_bit_for_bit():
    data = a2()
    (found,) = solve_svm_path(data, [data.num_contexts])
    assert torch.equal(found.direction, solve_svm(data, refine=False).direction)


def test_a_start_close_by_saves_rounds():
    found = list(solve_svm_path(random(30, 20, 40, (1, 3), rng=0), range(20, 41)))
    assert len(found) == 21
    assert sum(one.iterations for one in found) < sum(solve_svm(one.data, refine=False).iterations for one in found)


def test_too_few_steps_are_an_error():
    _, error = walk(a2(), [a2().num_contexts], tol=1e-12, max_iterations=10)
    assert isinstance(error, SolverError) and "in 10 iterations" in str(error)


def test_no_sizes_no_solutions():
    assert list(solve_svm_path(tiny(), [])) == []


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ([0], {}, r"sizes\[0\] is 0"),
        ([1, 99], {}, r"sizes\[1\] is 99"),
        ([2, 2], {}, r"sizes\[1\] is 2 after 2; sizes must increase"),
        ([3, 1], {}, r"sizes\[1\] is 1 after 3"),
        ([1.5], {}, r"sizes\[0\] is 1.5"),
        (3, {}, "sizes is 3"),
        (None, {"tol": 0.0}, "tol is 0.0"),
        (None, {"max_iterations": 0}, "max_iterations is 0"),
    ],
)
def test_bad_arguments_are_named_before_anything_is_solved(sizes, options, message):
    with pytest.raises(UsageError, match=message):
        solve_svm_path(tiny(), sizes, **options)
