import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ntp_theory import NTPDataset, check_separability, solve_svm
from ntp_theory.construct import DESIGNED, designed, random
from ntp_theory.construct.instances import a2, lemma5, one_hot_control, tiny, toy
from ntp_theory.errors import NotSeparableError, SolverError, UsageError
from ntp_theory.margin.dual import solve_dual
from ntp_theory.subspace import project
from ntp_theory.testing import datasets
from tests.construct.oracles import smallest_separator

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def separable(draw):
    """Well-conditioned separable data, with more contexts than dimensions where chance allows."""
    for seed in range(draw(SEEDS), 2**33):
        r = np.random.default_rng(seed)
        m, d, v = (int(x) for x in r.integers([1, 2, 2], [6, 7, 6]))
        data = random(v, d, m, (1, v), rng=seed)
        answer = check_separability(data)
        if answer.separable and answer.margin > 0.02:
            return data
    raise AssertionError("unreachable")


def rebuild(data, h, mask):
    return NTPDataset(h, mask / mask.sum(1, keepdims=True))


def arrays(data):
    return data.embeddings.numpy(), data.support.numpy()


@given(separable())
def test_against_least_distance_programming(data):
    solution = solve_svm(data)
    reference = torch.from_numpy(smallest_separator(*arrays(data)))
    # the oracle divides by a residual of size 1 / (1 + ||W||^2), which costs it that factor in double precision
    slack = 1e-12 * (1 + solution.norm**2) * (1 + solution.norm)
    assert (solution.direction - reference).norm() <= solution.distance_bound() + slack


@pytest.mark.parametrize("instance", [tiny, lemma5, toy])
def test_the_two_methods_agree_within_their_bounds(instance):
    data = instance()
    ours, theirs = solve_svm(data), solve_svm(data, method="cvxpy")
    assert theirs.method == "cvxpy/CLARABEL"
    apart = float((ours.direction - theirs.direction).norm())
    assert apart <= ours.distance_bound() + theirs.distance_bound()
    # gap 1e-10 relative, so a distance of sqrt(2e-10) on W of size ||W_mm|| / sqrt 2
    assert ours.distance_bound() <= 1.1e-5 * ours.norm
    assert ours.verify(1e-4) and theirs.verify(1e-4)


@pytest.mark.parametrize("instance", [a2, tiny, lemma5, toy, one_hot_control])
def test_optimality_conditions(instance):
    data = instance()
    solution = solve_svm(data, tol=1e-12)
    near = solution.distance_bound()
    reach = near * float(data.embeddings.norm(dim=1).max()) * 2**0.5  # how far a margin may be off
    assert solution.primal_residual() <= 1e-12
    assert (solution.duals >= 0).all() and not solution.duals[data.support].any()
    # stationarity: two points within sqrt(2 gap) of W_mm each
    assert solution.dual_residual() <= 2 * near / solution.norm
    # complementary slackness, and sum alpha = ||W_mm||^2
    logits = data.embeddings @ solution.direction.T
    slack = data.pattern.min(data.pattern.inside(logits))[:, None] - logits - 1
    assert (solution.duals * slack.clamp(min=0)).sum() <= 2 * solution.duals.sum() * (reach + near)
    assert float(solution.duals.sum()) == pytest.approx(solution.norm**2, rel=1e-11)
    assert project(solution.direction, data).norm() <= 1e-13 * solution.norm
    # `bias/svm-structure` i
    assert solution.direction.sum(0).abs().max() <= 1e-12 * solution.norm
    assert solution.verify()


def test_a2_has_the_recorded_norm():
    assert solve_svm(a2()).norm ** 2 == pytest.approx(9.238, abs=5e-4)  # as many digits as are recorded


@given(st.data())
def test_orthonormal_embeddings_give_the_closed_form(draw):
    # `bias/svm-structure` vi: logits (V - S_j)/V on the support and -S_j/V off it
    m, v = draw.draw(st.integers(1, 5)), draw.draw(st.integers(2, 6))
    r = np.random.default_rng(draw.draw(SEEDS))
    mask = np.array([r.permutation(v) < r.integers(1, v + 1) for _ in range(m)])
    q, _ = np.linalg.qr(r.standard_normal((m + 1, m + 1)))
    h = q[:m]
    solution = solve_svm(NTPDataset(h, mask / mask.sum(1, keepdims=True)))
    exact = (mask - mask.sum(1, keepdims=True) / v).T @ h
    error = float((solution.direction - torch.from_numpy(exact)).norm())
    assert error <= solution.distance_bound() + 1e-15 * solution.norm  # rounding of the closed form
    assert error <= 2e-5 * (1 + float(np.linalg.norm(exact)))  # sqrt(tol) on a norm of that size


@pytest.mark.parametrize("name", [n for n in DESIGNED if designed(n).separable and designed(n).direction is not None])
def test_designed_directions(name):
    case = designed(name)
    solution = solve_svm(case.data)
    assert (solution.direction - case.direction).norm() <= min(solution.distance_bound(), 2e-5)


@settings(max_examples=12)  # six solutions each
@given(separable(), SEEDS)
def test_equivariances(data, seed):
    r = np.random.default_rng(seed)
    h, mask = arrays(data)
    solution = solve_svm(data)
    w, near = solution.direction, solution.distance_bound()

    def assert_near(other_data, expected, scale=1.0):
        other = solve_svm(other_data)
        assert (other.direction - expected).norm() <= other.distance_bound() + scale * near + 1e-12 * other.norm

    order, names = r.permutation(len(h)), r.permutation(mask.shape[1])
    assert_near(rebuild(data, h[order], mask[order]), w)
    assert_near(rebuild(data, h, mask[:, names]), w[names])
    q, _ = np.linalg.qr(r.standard_normal((h.shape[1],) * 2))
    assert_near(rebuild(data, h @ q, mask), w @ torch.from_numpy(q))
    assert_near(rebuild(data, 8.0 * h, mask), w / 8, 1 / 8)
    twice = np.r_[np.arange(len(h)), 0]
    assert_near(rebuild(data, h[twice], mask[twice]), w)


@given(separable(), SEEDS)
def test_probabilities_and_weights_do_not_matter(data, seed):
    # `bias/svm-structure` iii, bit for bit: only supports and embeddings are read
    r = np.random.default_rng(seed)
    h, mask = arrays(data)
    rows = r.dirichlet(np.ones(mask.shape[1]), len(h)) * mask + 1e-3 * mask
    other = NTPDataset(h, rows / rows.sum(1, keepdims=True), r.dirichlet(np.full(len(h), 5.0)))
    assert torch.equal(solve_svm(other).direction, solve_svm(data).direction)


@given(separable(), SEEDS)
def test_tokens_with_equal_supports_have_equal_rows(data, seed):
    h, mask = arrays(data)
    copied = np.hstack([mask, mask[:, :1]])
    solution = solve_svm(rebuild(data, h, copied))
    w = solution.direction
    # both rows are within the bound of the same row of W_mm
    assert (w[0] - w[-1]).norm() <= 2 * solution.distance_bound()


@pytest.mark.parametrize("method", ["dual", "cvxpy"])
@pytest.mark.parametrize("name", ["overlap", "partially-separable", "neither"])
def test_not_separable_carries_the_certificate(method, name):
    with pytest.raises(NotSeparableError, match="not NTP-separable") as caught:
        solve_svm(designed(name).data, method=method)
    assert max(caught.value.certificate.violations().values()) <= 1e-14


@pytest.mark.parametrize("kind", ["one-hot", "repeated", "dependent", "any"])
def test_every_kind_is_solved_or_refused_with_a_reason(kind):
    @given(datasets(kind))
    def check(data):
        try:
            solution = solve_svm(data, tol=1e-6, max_iterations=20_000)
        except NotSeparableError as error:
            assert error.certificate.off_support.any()
        except SolverError:
            # slow where the margin is small; nothing unmarked comes back
            assert check_separability(data).separable
        else:
            assert solution.verify(1e-2)

    check()


@settings(max_examples=20)
@given(st.integers(2, 8), st.integers(4, 24), st.sampled_from([1e-5, 1e-8, 2e-10]), SEEDS)
def test_a_loose_tolerance_is_met_and_bounds_the_distance(v, m, tol, seed):
    """With one token after each context steps of first order may do; what they end with is certified all the same."""
    r = np.random.default_rng(seed)
    data = NTPDataset(r.standard_normal((m, m + m // 4)), np.identity(v)[np.arange(m) % v])
    loose, tight = solve_svm(data, tol=tol), solve_svm(data, tol=1e-12)
    size = 0.5 * loose.norm**2
    # the gap that ended it and the one of the certificate share what is feasible, up to rounding
    assert loose.duality_gap() <= (1.01 * tol + 1e-13) * size
    assert (loose.direction - tight.direction).norm() <= (2 * tol) ** 0.5 * loose.norm + tight.distance_bound()


def test_the_route_says_where_steps_of_first_order_did():
    r = np.random.default_rng(0)
    data = NTPDataset(r.standard_normal((20, 80)), np.identity(5)[np.arange(20) % 5])
    assert "latter not needed" in solve_svm(data, tol=1e-7).route
    assert "latter not needed" not in solve_svm(data).route


@pytest.mark.parametrize("name", ["overlap", "partially-separable", "neither"])
def test_the_multipliers_themselves_run_off_along_a_certificate(name):
    found = solve_dual(designed(name).data, tol=1e-10, max_iterations=1000)
    assert found.direction is None and found.certificate is not None and found.certificate.verify()


def test_a_gap_that_is_not_reached_is_an_error_with_the_best_iterate():
    with pytest.raises(SolverError, match="relative gap") as caught:
        solve_svm(a2(), tol=1e-12, max_iterations=10, refine=False)
    best = caught.value.best
    assert "in 10 iterations" in str(caught.value)
    assert a2().pattern.margins(a2().embeddings @ best.T).min() >= 1 - 1e-12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "simplex"}, "method is 'simplex'"),
        ({"norm": "euclidean"}, "norm is 'euclidean'"),
        ({"norm": 2}, "norm is 2"),
        ({"norm": "max", "method": "dual"}, "norm is 'max'"),
        ({"tol": 0.0}, "tol is 0.0"),
        ({"tol": float("nan")}, "tol is nan"),
        ({"tol": 1.0}, "tol is 1.0"),
        ({"tol": "small"}, "tol is 'small'"),
        ({"solver": "OSQP"}, "solver is 'OSQP'"),
        ({"method": "cvxpy", "solver": "NONE_SUCH"}, "solver is 'NONE_SUCH'"),
        ({"max_iterations": 0}, "max_iterations is 0"),
        ({"max_iterations": 1.5}, "max_iterations is 1.5"),
        ({"max_iterations": True}, "max_iterations is True"),
        ({"refine": 1}, "refine is 1"),
        ({"refine": True, "norm": "max"}, "refine is True"),
        ({"refine": True, "method": "cvxpy"}, "refine is True"),
        ({"method": "cvxpy", "solver": 3}, "solver is 3"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(UsageError, match=message):
        solve_svm(tiny(), **arguments)


@given(separable(), st.floats(-6, 0), SEEDS)
def test_the_start_changes_nothing_that_is_certified(data, log_noise, seed):
    """From the solution of embeddings near these or far from them."""
    noise = np.random.default_rng(seed).standard_normal(data.embeddings.shape)
    near = rebuild(data, data.embeddings.numpy() + 10.0**log_noise * noise, data.support.numpy())
    try:
        start = solve_svm(near)
    except (NotSeparableError, SolverError):
        assume(False)
    cold, warm = solve_svm(data), solve_svm(data, start=start)
    assert (cold.direction - warm.direction).norm() <= cold.distance_bound() + warm.distance_bound()


def test_the_dual_method_starts_at_the_multipliers_of_the_start():
    data = random(6, 8, 12, 2, rng=1)
    start = solve_svm(rebuild(data, 1.01 * data.embeddings.numpy(), data.support.numpy()))
    c = -start.duals
    c[data.pattern.contexts, data.pattern.tokens] = start.support_duals
    warm, same = solve_svm(data, start=start), solve_dual(data, tol=1e-10, max_iterations=1000, start=c)
    assert warm.iterations == same.iterations != solve_svm(data).iterations


def test_starts_that_do_not_fit():
    data = toy()
    with pytest.raises(UsageError, match=r"start is .*shape \(3, 5\)"):
        solve_svm(data, start=solve_svm(lemma5()))
    with pytest.raises(UsageError, match="start is 'W'"):
        solve_svm(data, start="W")
    with pytest.raises(UsageError, match="solution in Frobenius"):
        solve_svm(data, start=solve_svm(data, norm="max"))
    with pytest.raises(UsageError, match="goes with the norm"):
        solve_svm(data, norm="max", start=solve_svm(data))
    with pytest.raises(UsageError, match="goes with the norm"):
        solve_svm(data, method="cvxpy", start=solve_svm(data))
