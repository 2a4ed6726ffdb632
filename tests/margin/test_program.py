"""The NTP-SVM in norms other than Frobenius."""

import itertools
import math
from dataclasses import replace

import cvxpy
import numpy as np
import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from ntp_theory import NTPDataset, SVMSolution, check_separability, solve_svm
from ntp_theory.construct import designed, random
from ntp_theory.construct.instances import tiny
from ntp_theory.errors import NotSeparableError, SolverError, UsageError
from ntp_theory.margin import Norm, program
from ntp_theory.margin.norms import as_norm
from ntp_theory.testing import datasets

NORMS = ("max", "sum", "token", "spectral", "nuclear", "entrywise-1.5", "entrywise-3", "schatten-1.5", "schatten-3")
SEEDS = st.integers(0, 2**32 - 1)
GAP = 1e-8  # the default


def separable(data):
    return data.pattern.num_off_support > 0 and check_separability(data).separable


def solved(data, **options):
    """The solution; draws next to the boundary, where Clarabel stops short of its tolerance and we say so, are left."""
    try:
        return solve_svm(data, **options)
    except SolverError:
        reject()


def rebuild(h, mask):
    return NTPDataset(h, mask / mask.sum(1, keepdims=True))


def assert_same_minimum(one, other, scale=1.0):
    """Each lower bound is below the value of the other answer."""
    assert one.dual_value() <= scale * other.norm * (1 + 1e-12)
    assert scale * other.dual_value() <= one.norm * (1 + 1e-12)


@given(datasets(), st.sampled_from(NORMS))
def test_any_data_is_solved_or_refused_with_a_certificate(data, norm):
    try:
        solution = solve_svm(data, norm=norm)
    except NotSeparableError as error:
        assert error.certificate.off_support.any()
        return
    assert solution.geometry.name == norm and solution.norm == as_norm(norm).value(solution.direction)
    if data.pattern.num_off_support == 0:
        assert solution.margin == math.inf and solution.verify()
        return
    assert solution.margin == 1 / solution.norm
    # the constraints to rounding, by the rules themselves
    logits = data.embeddings @ solution.direction.T
    rounding = 1e-12 * (1 + float(logits.abs().max()))
    for row, inside in zip(logits.tolist(), data.support.tolist(), strict=True):
        level = [x for x, kept in zip(row, inside, strict=True) if kept]
        off = [x for x, kept in zip(row, inside, strict=True) if not kept]
        assert max(level) - min(level) <= rounding
        assert not off or min(level) - max(off) >= 1 - rounding
    assert 0 <= solution.duality_gap() <= GAP * solution.norm
    assert solution.verify(1e-7) and solution.distance_bound() == math.inf
    # multipliers: signs, rows of sum 0, dual norm 1
    assert (solution.duals >= 0).all() and not solution.duals[data.support].any()
    c = -solution.duals
    c[data.support] = solution.support_duals
    size = solution.duals.sum()
    assert c.sum(1).abs().max() <= 1e-12 * size
    assert as_norm(norm).dual.value(c.T @ data.embeddings) == pytest.approx(1, rel=1e-9)
    assert solution.dual_residual() <= 2 * GAP


@given(datasets("independent"), st.sampled_from(NORMS), SEEDS)
def test_every_element_of_the_cone_is_a_lower_bound(data, norm, seed):
    if not separable(data):
        return
    solution, r = solve_svm(data, norm=norm), np.random.default_rng(seed)
    for _ in range(10):
        duals = torch.from_numpy(r.exponential(size=data.support.shape)) * ~data.support
        inside = torch.from_numpy(r.standard_normal(len(data.pattern.tokens)))
        for support_duals in (None, inside, solution.support_duals + 1e-3 * inside):
            assert replace(solution, duals=duals, support_duals=support_duals).dual_value() <= solution.norm
    near = replace(solution, duals=solution.duals * torch.from_numpy(r.uniform(0.99, 1.01, solution.duals.shape)))
    assert near.dual_value() <= solution.norm


@settings(max_examples=25)
@given(datasets(), st.sampled_from(NORMS))
def test_the_paper_s_program_as_it_stands_has_the_same_minimum(data, norm):
    if not separable(data):
        return
    ours, theirs = solved(data, norm=norm), solved(data, method="cvxpy", norm=norm)
    assert theirs.method == "cvxpy/CLARABEL" and theirs.geometry == ours.geometry
    assert theirs.verify(1e-5)  # a looser bound than ours: it is solved unscaled and as it stands
    assert_same_minimum(ours, theirs)


@given(datasets(), st.sampled_from(NORMS))
def test_the_minima_are_in_the_order_of_the_norms(data, norm):
    """`steepest/norm-order`, and the token norm between the largest entry and Frobenius."""
    if not separable(data):
        return
    least, largest = solved(data, norm="max"), solved(data, norm="sum")
    solution, frobenius = solved(data, norm=norm), solved(data)
    assert least.dual_value() <= solution.norm and solution.dual_value() <= largest.norm
    if norm in ("token", "spectral", "entrywise-3", "schatten-3"):  # below Frobenius
        assert solution.dual_value() <= frobenius.norm
    if norm in ("nuclear", "entrywise-1.5", "schatten-1.5"):  # above
        assert frobenius.norm * (1 - 1e-9) <= solution.norm
    # a feasible point of every norm
    assert solution.dual_value() <= as_norm(norm).value(frobenius.direction) * (1 + 1e-12)


@settings(max_examples=25)
@given(datasets("independent"), st.sampled_from(NORMS), SEEDS)
def test_equivariances(data, norm, seed):
    if not separable(data):
        return
    r, h, mask = np.random.default_rng(seed), data.embeddings.numpy(), data.support.numpy()
    solution = solve_svm(data, norm=norm)
    rows, tokens, axes = (r.permutation(size) for size in (len(h), mask.shape[1], h.shape[1]))
    signs = r.choice([-1.0, 1.0], h.shape[1])
    changed = rebuild(h[rows][:, axes] * signs, mask[rows][:, tokens])
    assert_same_minimum(solve_svm(changed, norm=norm), solution)
    assert_same_minimum(solve_svm(rebuild(8 * h, mask), norm=norm), solution, 1 / 8)
    if as_norm(norm).is_rotation_invariant:
        q, _ = np.linalg.qr(r.standard_normal((h.shape[1],) * 2))
        wider = np.hstack([h @ q, np.zeros((len(h), 2))])
        assert_same_minimum(solve_svm(rebuild(wider, mask), norm=norm), solution)


@given(datasets("independent"), st.sampled_from(NORMS))
def test_tokens_with_the_same_contexts_get_the_same_row(data, norm):
    if not separable(data):
        return
    h, mask = data.embeddings.numpy(), data.support.numpy()
    copied = solve_svm(rebuild(h, np.hstack([mask, mask[:, :1], mask[:, :1]])), norm=norm)
    w = copied.direction
    assert torch.allclose(w[[0, -1, -2]], w[[0]], rtol=0, atol=1e-9 * float(w.norm()))
    assert copied.verify(1e-7)
    # rows may be dropped: the minimum grows with the vocabulary
    assert solve_svm(data, norm=norm).dual_value() <= copied.norm


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, math.inf])
@pytest.mark.parametrize("family", ["entrywise", "schatten", "tokenwise"])
@pytest.mark.parametrize("method", ["auto", "cvxpy"])
def test_one_context_by_hand(family, p, method):
    # h = (3, 4), one next token of four: the rest one row -b u, the token a u, u = h / 5, 5 (a + b) = 1
    data = NTPDataset([[3.0, 4.0]], [[1.0, 0.0, 0.0, 0.0]])
    grid = np.linspace(0, 1, 100_001) / 5  # the minimum is flat: an error of 1e-5 in a leaves one of 1e-10
    columns = np.stack([grid, *[1 / 5 - grid] * 3])
    if family == "entrywise":
        # rows a x, -b x with the x of <x, h> = 5 whose p-norm is smallest
        factor = 5 / np.linalg.norm([3, 4], {1: math.inf, math.inf: 1}.get(p) or p / (p - 1))
    else:
        factor = 1.0
    order = 2 if family == "schatten" else p  # a matrix of rank one
    expected = float(np.linalg.norm(columns, order, axis=0).min() * factor)
    norm = "frobenius" if p == 2 else Norm(family, p)
    solution = solve_svm(data, norm=norm, method=method)
    assert solution.norm == pytest.approx(expected, rel=1e-7)


def every_support(vocab_size, size):
    mask = np.zeros((math.comb(vocab_size, size), vocab_size), dtype=bool)
    for row, chosen in zip(mask, itertools.combinations(range(vocab_size), size), strict=True):
        row[list(chosen)] = True
    return mask


@pytest.mark.parametrize("norm", ["nuclear", "schatten-1.5", "schatten-3"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_all_supports_of_one_size_give_the_centred_support_matrix(norm, size):
    # `geometry/symmetric`: all singular values are sqrt(C(V - 2, k - 1)), so the certificate holds for every p
    mask, h = every_support(5, size), 2 * np.eye(math.comb(5, size))
    solution = solve_svm(rebuild(h, mask), norm=norm)
    assert solution.method == "closed form" and solution.iterations == 0
    centred = torch.from_numpy((mask - mask.mean(1, keepdims=True)).T)
    assert torch.allclose(solution.direction, centred / 2, rtol=0, atol=1e-14)
    sigma = math.sqrt(math.comb(3, size - 1)) / 2
    assert solution.norm == pytest.approx(4 ** (1 / as_norm(norm).p) * sigma, rel=1e-14)
    assert solution.duality_gap() <= 1e-12 * solution.norm


@pytest.mark.parametrize("p", [1.0000001, 1.000001, 1.001])
def test_schatten_norms_next_to_the_nuclear_one_have_a_tolerance_of_their_own(p):
    """Their exponents are rounded, so no program gives all digits; the minima are near that of the nuclear norm."""
    data = random(6, 5, 4, (1, 2), rng=0)
    solution, nuclear = solve_svm(data, norm=Norm("schatten", p)), solve_svm(data, norm="nuclear")
    assert solution.verify(1e-6)
    assert solution.dual_value() <= nuclear.norm and nuclear.dual_value() <= 5 ** (1 - 1 / p) * solution.norm
    with pytest.raises(SolverError, match=f"raise tol to 1e-06, which is what CLARABEL reaches reliably for p = {p}"):
        solve_svm(data, norm=Norm("schatten", p), tol=1e-12)


@given(st.integers(2, 5), st.integers(1, 5), SEEDS, st.sampled_from(["nuclear", "schatten-1.5", "schatten-3"]))
def test_the_closed_form_is_taken_exactly_where_its_signs_fit(v, m, seed, norm):
    r = np.random.default_rng(seed)
    mask = np.array([r.permutation(v) < r.integers(1, v) for _ in range(m)])
    h = np.linalg.qr(r.standard_normal((m + 1, m + 1)))[0][:m]
    solution, p = solve_svm(rebuild(h, mask), norm=norm), as_norm(norm).p
    u, s, vt = np.linalg.svd((mask - mask.mean(1, keepdims=True)).T, full_matrices=False)
    kept = s > 1e-12 * s[0]
    multipliers = (u[:, kept] * s[kept] ** (p - 1)) @ vt[kept]
    largest = multipliers.T[~mask].max()
    if abs(largest) > 1e-9:  # not decided by rounding
        assert (solution.method == "closed form") == (largest < 0)
    value = as_norm(norm).value(torch.from_numpy((u * s) @ vt @ h))
    assert solution.dual_value() <= value
    assert solution.verify(1e-7)


@pytest.mark.parametrize("norm", ["max", "spectral", "nuclear"])
@pytest.mark.parametrize("method", ["auto", "cvxpy"])
@pytest.mark.parametrize("name", ["overlap", "partially-separable"])
def test_not_separable_carries_the_certificate(name, method, norm):
    with pytest.raises(NotSeparableError, match="not NTP-separable") as caught:
        solve_svm(designed(name).data, norm=norm, method=method)
    assert max(caught.value.certificate.violations().values()) <= 1e-14


def stretched(condition):
    data = tiny()
    u, s, vt = torch.linalg.svd(data.embeddings, full_matrices=False)
    s = s[0] * torch.logspace(0, -math.log10(condition), len(s), dtype=s.dtype)
    return rebuild((u * s @ vt).numpy(), data.support.numpy())


@pytest.mark.parametrize("norm", NORMS)
def test_ill_conditioned_embeddings(norm):
    assert solve_svm(stretched(1e4), norm=norm).verify(1e-7)


@pytest.mark.parametrize("norm", NORMS)
def test_a_gap_that_is_not_reached_is_an_error_with_the_best_answer(norm):
    # rounding alone is above 1e-12 here, by the bound's own account of it
    with pytest.raises(SolverError, match=f"'{norm}'.* relative gap .* tol is 1e-12") as caught:
        solve_svm(stretched(1e4), norm=norm, tol=1e-12)
    near = solve_svm(stretched(1e4), norm=norm)
    assert near.geometry.value(caught.value.best) <= near.norm * (1 + 1e-7)


@pytest.mark.parametrize("method", ["auto", "cvxpy"])
def test_a_solver_that_fails_is_an_error(method, monkeypatch):
    def fail(*_, **__):
        raise cvxpy.SolverError("out of steps")

    monkeypatch.setattr(cvxpy.Problem, "solve", fail)
    with pytest.raises(SolverError, match="CLARABEL failed on the NTP-SVM: out of steps"):
        solve_svm(tiny(), norm="token", method=method)
    monkeypatch.setattr(cvxpy.Problem, "solve", lambda *_, **__: None)
    with pytest.raises(SolverError, match="CLARABEL gave no direction"):
        solve_svm(tiny(), norm="token", method=method)


def test_an_answer_that_does_not_separate_is_an_error(monkeypatch):
    solve = program._solve

    def turned(*arguments):
        weights, *rest = solve(*arguments)
        return -weights, *rest

    monkeypatch.setattr(program, "_solve", turned)
    with pytest.raises(SolverError, match="CLARABEL .* found no separating direction"):
        solve_svm(tiny(), norm="token")


def test_other_solvers_are_judged_like_all():
    data = tiny()
    rough, fine = solve_svm(data, norm="spectral", method="cvxpy", solver="SCS"), solve_svm(data, norm="spectral")
    assert rough.method == "cvxpy/SCS" and rough.duality_gap() > fine.duality_gap()
    assert_same_minimum(rough, fine)


def test_single_precision_is_solved_in_double():
    data = tiny().to(dtype=torch.float32)
    solution = solve_svm(data, norm="nuclear")
    assert solution.direction.dtype is torch.float64 and torch.equal(solution.data.embeddings, data.embeddings.double())
    assert solution.verify(1e-7)


def test_a_zero_embedding_with_every_token_is_no_obstacle():
    h, mask = np.vstack([np.eye(2), np.zeros(2)]), np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1]])
    for norm in NORMS:
        assert_same_minimum(solve_svm(rebuild(h, mask), norm=norm), solve_svm(rebuild(h[:2], mask[:2]), norm=norm))


def test_what_an_answer_knows_of_itself():
    solution = solve_svm(tiny(), norm="spectral")
    assert "in the norm 'spectral'" in solution.summary() and "||W_mm|| >=" in solution.summary()
    with pytest.raises(UsageError, match="exact is True for the norm 'spectral'"):
        solution.verify(exact=True)
    longer = replace(solution, direction=1.01 * solution.direction)
    assert longer.duality_gap() == pytest.approx(0.01 * solution.norm, rel=1e-6)
    assert longer.primal_residual() <= 1e-12 and not longer.verify()
    shorter = replace(solution, direction=0.99 * solution.direction)
    assert shorter.primal_residual() == pytest.approx(0.01) and not shorter.verify()
    noise = torch.randn(solution.direction.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert replace(solution, direction=solution.direction + 0.1 * noise).dual_residual() > 1e-3
    negative = replace(solution, duals=solution.duals - 1e-3 * ~solution.data.support)
    assert negative.dual_value() == -math.inf and not negative.verify()
    nothing = replace(solution, duals=0 * solution.duals, support_duals=None)
    assert nothing.dual_value() == 0 and nothing.dual_residual() == 1


@given(datasets("independent"), st.sampled_from(NORMS))
def test_saved_and_loaded_it_is_the_same(tmp_path_factory, data, norm):
    solution = solve_svm(data, norm=norm)
    loaded = SVMSolution.load(solution.save(tmp_path_factory.mktemp("svm") / "solution.npz"))
    assert loaded.geometry == solution.geometry and loaded.norm == solution.norm
    assert loaded.dual_value() == solution.dual_value() and loaded.verify(1e-7)
