"""The ridge path against a reference of hundreds of digits, its equation, its laws and its symmetries."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory import NTPDataset, loss, predict
from ntp_theory.construct.instances import a2, sep_incompat, tiny, toy
from ntp_theory.errors import SolverError
from ntp_theory.finite_part import InSupportLoss
from ntp_theory.paths import regularization_path
from ntp_theory.subspace import project
from ntp_theory.testing import datasets, decoders
from tests.paths import oracle, predictions

EPS = torch.finfo(torch.float64).eps
INSTANCES = {"tiny": tiny, "sep_incompat": sep_incompat, "toy": toy}
DOWN = [10.0**-k for k in (1, 2, 4, 8, 14, 30, 100, 200)]


@pytest.fixture(scope="module")
def limits():
    return {name: predict(make()) for name, make in INSTANCES.items()}


@pytest.fixture(scope="module")
def late(limits):
    """Radii of a thousand and ten thousand times ||W_mm||."""
    return {n: regularization_path(x.data, radii=[1e3 * x.svm.norm, 1e4 * x.svm.norm]) for n, x in limits.items()}


@pytest.fixture(scope="module")
def down(limits):
    return {name: regularization_path(limit.data, ridge=DOWN) for name, limit in limits.items()}


@st.composite
def exact_datasets(draw):
    """Two contexts and three tokens; embeddings are independent integers, masses binary fractions: no rounding."""
    entries = st.integers(-2, 2)
    h = draw(st.tuples(*[entries] * 4).filter(lambda e: e[0] * e[3] != e[1] * e[2]))
    rows = [draw(st.permutations(draw(st.sampled_from([(4, 0, 0), (1, 3, 0), (2, 1, 1)])))) for _ in range(2)]
    weight = draw(st.integers(1, 7)) / 8
    return NTPDataset(np.reshape(h, (2, 2)), np.array(rows) / 4, [weight, 1 - weight])


@settings(max_examples=10)
@given(exact_datasets(), st.sampled_from([(1e6, 60), (1.0, 60), (1e-3, 60), (1e-30, 130), (1e-200, 480)]))
def test_against_hundreds_of_digits(data, case):
    ridge, digits = case
    path = regularization_path(data, ridge=[ridge])
    exact, excess = oracle.minimiser(data, ridge, path.weights[0], digits=digits)
    bound = float(path.distance_bound[0])
    assert oracle.distance(path.weights[0], exact) <= bound
    # a bound that says something: rounding of rho, relative mu eps, times the root of its sum mu ||W_mm||^2
    mu = max(1.0, -math.log(ridge))
    assert bound <= 1e3 * EPS * mu * (1.0 + float(path.radii[0]))
    with mp.workdps(digits):
        error = float(mp.log(excess) - float(path.log_excess[0])) if excess else 0.0
    # the logarithm of a sum of exponentials of logits that are off by the bound on W times ||h|| <= 3 and by rounding
    assert abs(error) <= 2 * math.sqrt(2) * 3 * bound + 16 * EPS * mu


@settings(max_examples=12)
@given(datasets())
def test_stationary_on_any_data(data):
    path = regularization_path(data, ridge=[1e4, 1.0, 1e-2, 1e-4])
    h, pi = data.embeddings, data.weights
    lengths = float((pi * h.norm(dim=1)).sum())
    steepest = float((pi * h.square().sum(1)).sum()) / 2  # bound on the Hessian of CE
    for ridge, weights, bound in zip(path.ridge, path.weights, path.distance_bound, strict=True):
        residual = loss.gradient(weights, data) + ridge * weights
        # predict finds W* to a gradient of 1e-12, relative; its rounding, and ours
        assert residual.norm() <= 2e-12 * lengths + (steepest + ridge) * bound + 16 * EPS * lengths


@settings(max_examples=10)
@given(datasets().flatmap(lambda data: st.tuples(st.just(data), decoders(data))), st.sampled_from([1e-3, 0.1, 10.0]))
def test_nothing_in_the_ball_is_better(case, ridge):
    data, other = case
    path = regularization_path(data, ridge=[ridge])
    radius, found = float(path.radii[0]), loss.evaluate(path.weights[0], data)
    inside = loss.evaluate(other * min(1.0, radius / max(float(other.norm()), 1e-300)), data)
    assert found.value <= inside.value + 8 * EPS * (1 + inside.value)
    # the objective with the ridge: strongly convex, so another decoder is worse by its distance squared
    far = float((other - path.weights[0]).square().sum())
    penalty = ridge / 2 * (float(other.square().sum()) - radius**2)
    here, there = found.value, loss.evaluate(other, data).value + penalty
    assert there - here >= ridge / 2 * far * (1 - 1e-9) - 64 * EPS * (1 + there)


@settings(max_examples=6)
@given(datasets())
def test_both_ways_to_ask_agree(data):
    by_ridge = regularization_path(data, ridge=[1e3, 1e-1, 1e-5, 1e-20])
    by_radius = regularization_path(data, radii=by_ridge.radii)
    assert (by_radius.radii - by_ridge.radii).abs().max() <= 1e-14 * by_ridge.radii.max()
    distance = torch.linalg.vector_norm(by_radius.weights - by_ridge.weights, dim=(1, 2))
    # the speed of W along the path is at most its norm, so equal radii mean nearly equal lambda where it moves at all
    assert bool((distance <= 1e-6 * (1e-6 + by_ridge.radii)).all())


@pytest.mark.parametrize("name", INSTANCES)
def test_identity_at_every_ridge(name, limits, down, late):
    """lambda <W, W_mm> = <-grad CE, W_mm>, read off the decoders alone (`bias/ridge-path`)."""
    limit = limits[name]
    for one in (down[name], late[name]):
        for weights, log_ridge in zip(one.weights, one.log_ridge, strict=True):
            parts = loss.gradient_parts(weights, limit.svm.data)
            pull = -float((parts.tail * limit.direction).sum()) * math.exp(parts.log_scale - log_ridge)
            assert pull == pytest.approx(float((weights * limit.direction).sum()), rel=1e-10)
            assert pull > 0  # so that the loss falls along W_mm, and the ball is filled (`bias/theorem-1-boundary`)


@pytest.mark.parametrize("name", INSTANCES)
def test_ratio_tends_to_one_as_inactive_constraints_fade(name, limits, down):
    """(CE - inf CE) / (lambda <W, W_mm>) is ``sum rho / sum rho (1 + slack)``, up to the in-support part and eps."""
    limit = limits[name]
    data, path = limit.svm.data, down[name]
    logits = data.embeddings @ limit.direction.T
    slack = data.pattern.min(data.pattern.inside(logits))[:, None] - logits - 1.0
    off = []
    for weights, log_ridge, log_excess in zip(path.weights, path.log_ridge, path.log_excess, strict=True):
        parts = loss.evaluate(weights, data)
        eps = torch.softmax(data.embeddings @ weights.T, 1).masked_fill(data.support, 0.0).sum(1)
        log_softmax = torch.log_softmax(data.embeddings @ weights.T, 1) + data.weights.log()[:, None] - log_ridge
        rho = log_softmax.exp().masked_fill(data.support, 0.0)
        whole = float((rho * (1 + slack)).sum())
        ratio = math.exp(log_excess - log_ridge) / float((weights * limit.direction).sum())
        # -log(1 - eps) <= eps / (1 - eps)
        loose = parts.in_support / math.exp(log_ridge) / whole + float(eps.max() / (1 - eps.max()))
        assert abs(ratio - float(rho.sum()) / whole) <= loose + 1e-10
        off.append(abs(ratio - 1))
    assert off[-1] < 1e-10


@pytest.mark.parametrize("name", INSTANCES)
def test_decoder_to_second_order(name, limits, late):
    """W = W_mm t + offset + bend / t + O(1/t^2): ten times later what is left is a hundred times smaller."""
    limit, path, left = limits[name], late[name], []
    for weights, log_ridge in zip(path.weights, path.log_ridge.tolist(), strict=True):
        t = predictions.time(log_ridge)
        predicted = limit.direction * t + limit.offset + predictions.bend(limit)[0] / t
        left.append(float((weights - predicted).norm()))
    # slow modes give the 1/t^2 term itself a correction of relative size 1/t; a wrong bend leaves a factor 10 only
    assert left[1] <= left[0] / 50 + float(path.distance_bound[1])


@pytest.mark.parametrize("name", INSTANCES)
def test_constants_of_direction_and_loss(name, limits, late):
    """The constant of B ||W/B - W_mm/||W_mm||||, and of log(CE - inf CE) + gamma B; both are met like 1/B."""
    limit, size = limits[name], limits[name].svm.norm
    unit = limit.direction / size
    angle = float((limit.offset - float((limit.offset * unit).sum()) * unit).norm())
    level = math.log(limit.loss_constant) + limit.mean_offset
    path, errors = late[name], []
    for weights, radius, log_excess in zip(path.weights, path.radii.tolist(), path.log_excess.tolist(), strict=True):
        found = float((weights / radius - unit).norm()) * radius
        errors.append((abs(found - angle), abs(log_excess + radius / size - level)))
        assert abs(found - angle) <= 100 * angle / radius * size
        # sum rho = ||W_mm||^2 t + sum omega, and (B - t ||W_mm||) - <offset, W_mm>/||W_mm|| = O(1/t)
        bend, change = predictions.bend(limit)
        allowed = abs(float(change.sum())) / limit.loss_constant + abs(float((bend * unit).sum())) / size + angle**2
        assert abs(log_excess + radius / size - level) <= 2 * allowed * size / radius
        assert abs(log_excess / radius + 1 / size) <= (abs(level) + 1) / radius  # log(CE - inf CE) / B -> -gamma
    assert all(late <= early / 5 for early, late in zip(*errors, strict=True))


@pytest.mark.parametrize("name", INSTANCES)
def test_finite_part_is_off_by_lambda_times_a_known_vector(name, limits, late):
    """(P_F W - W*) / lambda = t finite_constant + constant + O(1/t)."""
    limit, path, left = limits[name], late[name], []
    for drift, log_ridge in zip(path.drift, path.log_ridge.tolist(), strict=True):
        t = predictions.time(log_ridge)
        left.append(float((drift - predictions.drift(limit, t)).norm()))
    # what is left falls like 1/t; a wrong constant would stay
    assert left[1] <= left[0] / 5


def test_finite_part_where_doubles_still_show_it(limits):
    limit = limits["tiny"]
    path = regularization_path(limit.data, ridge=[1e-6])
    shown = project(path.weights[0], limit.data) - limit.finite
    assert (shown - 1e-6 * path.drift[0]).norm() <= 1e-13 * float(path.radii[0])


@pytest.mark.parametrize("name", INSTANCES)
def test_genie_bound(name, limits, late):
    """CE(W_B) - inf CE <= V e^(||W*|| M - R), R = sqrt(B^2 - ||W*||^2) / ||W_mm|| (`bias/theorem-1-genie`)."""
    limit = limits[name]
    finite, size = float(limit.finite.norm()), limit.svm.norm
    steepest = math.sqrt(2) * float(limit.data.embeddings.norm(dim=1).max())
    early = regularization_path(limit.data, radii=[finite * 1.001, 2 * finite, 10 * finite])
    for path in (early, late[name]):
        for radius, log_excess in zip(path.radii.tolist(), path.log_excess.tolist(), strict=True):
            room = math.sqrt(radius**2 - finite**2) / size
            assert log_excess <= math.log(limit.data.vocab_size) + finite * steepest - room


@settings(max_examples=6)
@given(datasets(max_contexts=4), st.integers(0, 2**32 - 1))
def test_relabelled_rotated_and_scaled(data, seed):
    rng = np.random.default_rng(seed)
    tokens, contexts = rng.permutation(data.vocab_size), rng.permutation(data.num_contexts)
    rotation = torch.from_numpy(np.linalg.qr(rng.standard_normal((data.dim, data.dim)))[0])
    factor = 3.0
    rows = data.probabilities.to_dense()[contexts][:, tokens]
    other = NTPDataset(factor * data.embeddings[contexts] @ rotation, rows, data.weights[contexts])
    ridge = [1.0, 1e-2]
    one = regularization_path(data, ridge=ridge)
    two = regularization_path(other, ridge=[r * factor**2 for r in ridge])
    lengths = float((data.weights * data.embeddings.norm(dim=1)).sum())
    for i, r in enumerate(ridge):
        back = factor * two.weights[i] @ rotation.T
        # gradients that are off by g move W by g / lambda: 1e-12 of predict, and rounding of the other data
        allowed = one.distance_bound[i] + factor * two.distance_bound[i] + 8e-12 * lengths / r
        assert (back - one.weights[i][tokens]).norm() <= allowed


def test_repeated_contexts_are_one():
    """Dependent normals: a context written twice with half its weight."""
    data = tiny()
    halves = torch.cat([data.weights[:1] / 2, data.weights[1:], data.weights[:1] / 2])
    rows = data.probabilities.to_dense()
    twice = NTPDataset(torch.cat([data.embeddings, data.embeddings[:1]]), torch.cat([rows, rows[:1]]), halves)
    one, two = (regularization_path(each, ridge=[1.0, 1e-8, 1e-100]) for each in (data, twice))
    distance = torch.linalg.vector_norm(one.weights - two.weights, dim=(1, 2))
    assert bool((distance <= one.distance_bound + two.distance_bound + 1e-12).all())


def test_finite_data_stops_at_its_minimiser():
    data = NTPDataset([[1.0], [2.0]], [[0.9, 0.1], [0.2, 0.8]])
    limit = predict(data)
    size = float(limit.finite.norm())
    path = regularization_path(data, radii=[2 * size, 1e6, size / 2, size, 0.0])
    assert torch.equal(path.log_ridge == -torch.inf, torch.tensor([True, True, False, True, False]))
    assert path.radii.tolist() == pytest.approx([size, size, size / 2, size, 0.0], rel=1e-14)
    assert path.ridge[4] == torch.inf and path.weights[4].abs().max() == 0
    assert path.log_excess[0] == -torch.inf and path.ridge[0] == 0
    near = regularization_path(data, ridge=[1e-200])
    assert float((near.weights[0] - limit.finite).norm()) <= 1e-15
    # (P_F W - W*) / lambda -> -H^-1 W*, and CE - inf CE is quadratic in it: 1e-400 in logarithms
    assert near.log_excess[0] == pytest.approx(2 * math.log(1e-200) + math.log(_curve(data, limit, near.drift[0])))


def _curve(data, limit, drift):
    inside = InSupportLoss(data, limit.reference.pattern)
    return float((drift * inside.hessian_product(inside.probabilities(limit.finite), drift)).sum()) / 2


def test_small_radii_and_huge_ridge_follow_the_first_gradient():
    data = tiny()
    slope = loss.gradient(torch.zeros(data.vocab_size, data.dim, dtype=torch.float64), data)
    path = regularization_path(data, radii=[1e-9, 1e-200])
    for weights, radius in zip(path.weights, (1e-9, 1e-200), strict=True):
        # the gradient changes by at most L ||W|| on the way, L = 7; rounding of sums of a few dozen terms
        assert (weights / radius + slope / slope.norm()).norm() <= 20 * radius + 64 * EPS
    path = regularization_path(data, ridge=[1e12, 1e300])
    assert (path.weights[1] * 1e300 + slope).norm() <= 64 * EPS
    assert path.radii.tolist() == pytest.approx([float(slope.norm()) / r for r in (1e12, 1e300)], rel=1e-9)


def test_order_repeats_and_monotony():
    data = sep_incompat()
    path = regularization_path(data, ridge=[1e-9, 10.0, 1e-9, 1e-3])
    assert torch.equal(path.weights[0], path.weights[2])
    order = [1, 3, 0]
    assert path.log_ridge[order].diff().max() < 0
    assert path.radii[order].diff().min() > 0 > path.log_excess[order].diff().max()


def test_the_papers_setting_down_to_the_smallest_ridge():
    limit = predict(a2())
    path = regularization_path(limit.data, ridge=np.logspace(-1, -200, 12))
    assert float((path.distance_bound / path.radii).max()) <= 1e-11
    assert path.radii[-1] / limit.svm.norm == pytest.approx(predictions.time(float(path.log_ridge[-1])), rel=0.05)


def test_too_many_corrections_are_an_error_with_its_state(monkeypatch):
    monkeypatch.setattr("ntp_theory.paths.ridge.CORRECTIONS", 2)
    with pytest.raises(SolverError, match="no lambda with a minimiser of norm 100"):
        regularization_path(tiny(), radii=[100.0])
