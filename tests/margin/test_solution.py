import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import NTPDataset, SVMSolution, runs, solve_svm
from ntp_theory.construct.instances import tiny
from ntp_theory.errors import CheckpointError
from ntp_theory.subspace import project
from ntp_theory.testing import datasets


def exact(v, mask, scale=2.0):
    """Orthogonal embeddings of length ``scale``, where W_mm is a closed form, and W_mm (`bias/svm-structure` vi)."""
    h = scale * np.eye(len(mask))
    support = np.asarray(mask, dtype=float)
    logits = support - support.sum(1, keepdims=True) / v
    return NTPDataset(h, support / support.sum(1, keepdims=True)), torch.from_numpy(logits.T / scale)


CASE, W_MM = exact(4, [[1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 1, 1]])


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 1e-9, 1e-6, 1e-3, 0.05, 0.5]),
    st.sampled_from([0.0, 1e-9, 1e-6, 1e-3, 0.05, 0.5]),
)
def test_the_distance_bound_holds_for_perturbed_solutions(seed, by_direction, by_duals):
    r = np.random.default_rng(seed)
    solution = solve_svm(CASE)
    noise = torch.from_numpy(r.standard_normal(solution.direction.shape))
    if r.random() < 0.5:
        noise = project(noise, CASE)  # a part in F costs the objective only its square
    factors = torch.from_numpy(r.uniform(1 - by_duals, 1 + by_duals, solution.duals.shape))
    scale = 1 + by_direction * r.uniform(-1, 1)
    perturbed = replace(
        solution, direction=scale * solution.direction + by_direction * noise, duals=solution.duals * factors
    )
    assert float((perturbed.direction - W_MM).norm()) <= perturbed.distance_bound()
    if by_direction >= 1e-3:
        assert not perturbed.verify()


def test_a_direction_that_does_not_separate_has_no_bound():
    solution = solve_svm(CASE)
    assert replace(solution, direction=-solution.direction).distance_bound() == math.inf


@pytest.mark.parametrize("entry", [(0, 3), (0, 0)])
def test_multipliers_that_break_their_rules_bound_nothing(entry):
    # a negative one off the support, or one on it
    solution = solve_svm(CASE)
    duals = solution.duals.clone()
    duals[entry] = -1e-3 if entry == (0, 3) else 1e-3
    broken = replace(solution, duals=duals)
    assert broken.dual_value() == -math.inf and broken.duality_gap() == math.inf
    assert broken.distance_bound() == math.inf and not broken.verify()


def test_weak_duality_for_any_multipliers():
    r = np.random.default_rng(0)
    solution = solve_svm(CASE)
    for _ in range(100):
        duals = torch.from_numpy(r.exponential(size=solution.duals.shape)) * ~CASE.support
        assert replace(solution, duals=duals).dual_value() <= 0.5 * float(W_MM.square().sum()) + 1e-12


def test_residuals_measure_what_they_say():
    solution = solve_svm(CASE)
    half = replace(solution, direction=solution.direction / 2)
    assert half.primal_residual() == pytest.approx(0.5, abs=1e-9)  # margins of 1/2
    # half the direction from all the multipliers: off by its own size
    assert half.dual_residual() == pytest.approx(1.0, rel=1e-6)
    shift = torch.zeros(4, 3, dtype=torch.float64)
    shift[0, 0] = 0.01  # raises token 0 after context 0, h = 2 e_0
    assert replace(solution, direction=solution.direction + shift).primal_residual() == pytest.approx(0.02, abs=1e-9)


def test_no_off_support_token_gives_zero_and_an_infinite_margin():
    solution = solve_svm(NTPDataset([[1.0]], [[0.5, 0.5]]))
    assert not solution.direction.any() and solution.margin == math.inf
    assert solution.verify() and solution.distance_bound() == 0 and solution.dual_residual() == 0
    assert solution.support_vectors() == []
    assert "0 of 0" in solution.summary()


def test_support_vectors_are_named_and_sorted():
    data = NTPDataset(
        [[1.0, 0.0], [0.0, 2.0]],
        [[1.0, 0.0], [0.0, 1.0]],
        token_names=["a", "b"],
        context_names=["x", "y"],
    )
    solution = solve_svm(data)
    (first, second), (heavy, light) = zip(*[(v[:2], v[2]) for v in solution.support_vectors()], strict=True)
    assert (first, second) == (("'x'", "'b'"), ("'y'", "'a'"))
    # each column alone: gap 1 from w = (1, -1) / (2 h), alpha h |e_0 - e_1|^2 = 1/h, so alpha = 1/(2 h^2)
    assert [heavy, light] == pytest.approx([1 / 2, 1 / 8], rel=1e-6)
    assert len(solution.support_vectors(limit=1)) == 1
    assert "after 'x': 'b'" in solution.summary()
    assert "1/2 ||W_mm||^2 >= 0.3125," in solution.summary()  # half of 1/(2 h^2) for each column


@given(datasets("independent"))
def test_saved_and_loaded_it_is_the_same(tmp_path_factory, data):
    solution = solve_svm(data, tol=1e-6)
    path = solution.save(tmp_path_factory.mktemp("svm") / "solution.npz")
    loaded = SVMSolution.load(path)
    assert torch.equal(loaded.direction, solution.direction) and torch.equal(loaded.duals, solution.duals)
    assert (loaded.method, loaded.iterations) == (solution.method, solution.iterations)
    assert loaded.distance_bound() == solution.distance_bound()


def test_an_incomplete_file_is_an_error(tmp_path):
    path = solve_svm(tiny()).save(tmp_path / "solution.npz")
    arrays, meta = runs.load_arrays(path, "svm-solution")
    del arrays["duals"]
    runs.save_arrays(path, "svm-solution", arrays, meta)
    with pytest.raises(CheckpointError, match=r"solution\.npz.*duals"):
        SVMSolution.load(path)
    with pytest.raises(CheckpointError, match="no such file"):
        SVMSolution.load(tmp_path / "missing.npz")
