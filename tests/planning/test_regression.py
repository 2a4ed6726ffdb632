"""Optima, gap and bonus against rational arithmetic and against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from ntp_theory.errors import DatasetError, UsageError
from ntp_theory.planning import PositionRegression, border, breadcrumbs, diverging, pre_caching
from tests.planning.strategies import exact, regressions, weights_for

UNIT = 2.0**-53


def condition(problem):
    """Largest over least singular value, of what is solved."""
    values = torch.linalg.svdvals(problem.curvature)
    return float(values[0] / values[-1]) if float(values[-1]) > 0 else math.inf


def close(found, wanted, scale, factor):
    """Within rounding, ``factor`` being how ill conditioned it is."""
    return np.allclose(found, [float(x) for x in wanted], rtol=0, atol=1000 * UNIT * factor * (1 + scale))


@given(regressions(), st.data())
def test_losses_and_gradients_are_those_of_the_proofs(problem, data):
    theta, oracle = data.draw(weights_for(problem)), exact(problem)
    rational = [oracle.targets[0].__class__(a) for a in theta.flatten().tolist()]
    size = float(problem.gradient_rounding(theta).max()) / UNIT
    assert problem.loss(theta) * problem.samples == pytest.approx(float(oracle.loss(rational)), rel=1e-12, abs=1e-12)
    for found, myopic in ((problem.diagonal_gradient(theta), True), (problem.gradient(theta), False)):
        wanted = [a / problem.samples for a in oracle.gradient(rational, myopic=myopic)]
        assert close(found.flatten(), wanted, size, 10)


@given(regressions(), st.data())
def test_rounding_of_a_gradient_is_bounded(problem, data):
    theta, oracle = data.draw(weights_for(problem)), exact(problem)
    rational = [oracle.targets[0].__class__(a) for a in theta.flatten().tolist()]
    wanted = [a / problem.samples for a in oracle.gradient(rational, myopic=True)]
    found, bound = problem.diagonal_gradient(theta).flatten(), problem.gradient_rounding(theta).flatten()
    for one, other, most in zip(found.tolist(), wanted, bound.tolist(), strict=True):
        assert abs(oracle.targets[0].__class__(one) - other) <= most


@given(regressions(tied=False), st.data())
def test_the_parts_of_the_gradient_add_up(problem, data):
    """`planning/gradient-split`; and the tied gradient is the sum of the untied ones at equal copies."""
    tied = problem.with_weights(tied=True)
    theta = data.draw(weights_for(tied))
    copies = np.broadcast_to(theta, problem.shape)
    for each, at in ((problem, copies), (tied, theta)):
        whole, parts = each.gradient(at), (each.diagonal_gradient(at), each.off_diagonal_gradient(at))
        scale = float(sum(part.abs().max() for part in parts)) + float(each.gradient_rounding(at).max()) / UNIT
        assert torch.allclose(sum(parts), whole, rtol=0, atol=100 * UNIT * scale)
    for part in ("gradient", "diagonal_gradient", "off_diagonal_gradient"):
        total = getattr(problem, part)(copies).sum(0)
        assert torch.allclose(total, getattr(tied, part)(theta), rtol=0, atol=100 * UNIT * scale)


@given(regressions(), st.data())
def test_the_gradient_is_that_of_the_loss(problem, data):
    """By automatic differentiation of the definition, past and present apart."""
    theta = torch.tensor(data.draw(weights_for(problem)))
    own, past = theta.clone().requires_grad_(), theta.clone().requires_grad_()
    reads = torch.eye(problem.positions, dtype=torch.float64)[:, :, None]
    used = reads * own.expand(problem.positions, -1) + (1 - reads) * past.expand(problem.positions, -1)
    loss = (torch.einsum("skia,kia->sk", problem.features, used) - problem.targets).square().mean(0).sum() / 2
    loss.backward()
    scale = float(problem.gradient_rounding(theta).max()) / UNIT
    assert torch.allclose(own.grad, problem.diagonal_gradient(theta), rtol=0, atol=100 * UNIT * (1 + scale))
    assert torch.allclose(past.grad, problem.off_diagonal_gradient(theta), rtol=0, atol=1e4 * UNIT * (1 + scale))


@given(regressions())
def test_optima_gap_and_bonus_are_those_of_the_proofs(problem):
    oracle, bad = exact(problem), condition(problem)
    assume(bad < 1e5)
    best, myopic = oracle.best, oracle.myopic
    scale = max(map(abs, map(float, best + myopic)))
    if not problem.tied or torch.linalg.matrix_rank(problem._all_rows) == problem.width:
        assert close(problem.best.flatten(), best, scale, bad**2)
    assert close(problem.myopic_optimum.flatten(), myopic, scale, bad**2)
    gap = (oracle.loss(myopic) - oracle.loss(best)) / problem.samples
    bonus = (oracle.loss(best) - oracle.reader_loss(oracle.best_reader(best), best)) / problem.samples
    size = 1 + float(oracle.loss(myopic))
    assert problem.myopia_gap() == pytest.approx(float(gap), rel=1e-6, abs=1e-9 * size)
    assert problem.local_bonus() == pytest.approx(float(bonus), rel=1e-6, abs=1e-9 * size)


@given(regressions(), st.data())
def test_a_bonus_is_never_negative_and_at_most_the_loss(problem, data):
    """For any weights; and no reader that is drawn does better than the best."""
    theta, other = data.draw(weights_for(problem)), data.draw(weights_for(problem))
    bonus, loss = problem.local_bonus(theta), problem.loss(theta)
    assert 0 <= bonus <= loss * (1 + 1e-9) + 1e-12
    errors = problem.errors(theta) + (problem.own * (torch.tensor(other) - torch.tensor(theta))).sum(2)
    assert loss - float(errors.square().mean(0).sum()) / 2 <= bonus + 1e-9 * (1 + loss)


@given(regressions())
def test_the_gap_is_never_negative_and_the_bonus_of_a_myopic_optimum_is_0(problem):
    assume(condition(problem) < 1e5)
    assert problem.myopia_gap() >= 0
    apart = problem.loss(problem.myopic_optimum) - problem.loss(problem.best)
    assert problem.myopia_gap() == pytest.approx(apart, rel=1e-6, abs=1e-9 * (1 + problem.loss(problem.myopic_optimum)))
    assert problem.local_bonus(problem.myopic_optimum) <= 1e-12 * (1 + problem.loss(problem.myopic_optimum))


@given(regressions(tied=False))
def test_each_position_reads_as_well_as_it_can(problem):
    """The recursion: no change of one position's weights lowers its own loss."""
    optimum = problem.myopic_optimum
    for k in range(problem.positions):
        for move in torch.eye(problem.width, dtype=torch.float64):
            for size in (0.1, -0.1):
                moved = optimum.clone()
                moved[k] += size * move
                assert problem.losses(moved)[k] >= problem.losses(optimum)[k] * (1 - 1e-12)


@given(regressions(), st.data())
def test_the_distance_bound_holds(problem, data):
    """Against the rational optimum, from anywhere."""
    assume(condition(problem) < 1e5)
    theta = torch.tensor(data.draw(weights_for(problem)))
    wanted = torch.tensor([float(a) for a in exact(problem).myopic], dtype=torch.float64).reshape(theta.shape)
    apart = (theta - wanted).reshape(-1, problem.width).norm(dim=1)
    assert bool((apart <= problem.distance_bound(theta) * (1 + 1e-9) + 1e-12 * (1 + wanted.norm())).all())


@given(regressions(tied=True), st.data())
def test_constants_are_what_they_say(problem, data):
    """Monotone and Lipschitz, between any two weights."""
    one, other = (torch.tensor(data.draw(weights_for(problem))) for _ in range(2))
    e, g = one - other, problem.diagonal_gradient(one) - problem.diagonal_gradient(other)
    c = problem.constants
    slack = 1e-9 * (c.smoothness + c.coupling) * (1 + float((one.norm() + other.norm()) ** 2))
    assert float(e @ g) >= c.bias * float(e @ e) - slack
    assert float(g.norm()) <= c.steepness * float(e.norm()) + slack
    assert c.bias >= c.convexity - c.coupling - slack
    assert c.steepness <= (c.smoothness + c.coupling) * (1 + 1e-9)


@given(st.integers(1, 5), st.integers(1, 3), st.booleans(), st.floats(-3, 3))
def test_sequences_and_random_ones(positions, width, tied, coupling):
    drawn = np.random.default_rng(positions)
    x, y = drawn.standard_normal((8, positions, width)), drawn.standard_normal((8, positions))
    mixing = np.tril(drawn.standard_normal((positions, positions))) + 3 * np.eye(positions)
    problem = PositionRegression.from_sequence(x, y, mixing=mixing, tied=tied)
    theta = torch.ones(problem.shape, dtype=torch.float64)
    wanted = np.einsum("ki,sia->sk", mixing, x) - y
    assert np.allclose(problem.errors(theta), wanted, atol=1e-12)
    made = PositionRegression.random(positions, width, 8, coupling=coupling, noise=0.0, tied=tied, rng=3)
    assert made.loss(made.best) < 1e-20 * (1 + coupling**2) and made.shape == problem.shape


def test_named_instances():
    assert (pre_caching().myopia_gap(), pre_caching().loss(pre_caching().best)) == pytest.approx((0.25, 0.25))
    assert breadcrumbs().myopia_gap() < 1e-30 and breadcrumbs().local_bonus() < 1e-30
    assert diverging().myopic_optimum.tolist() == pytest.approx([-2.0])
    with pytest.raises(UsageError, match="the least singular value of X\\^T S is 0"):
        _ = border().myopic_optimum


def test_no_past_no_gap():
    """One position, or a mixing that is diagonal: nothing can be prepared."""
    x = np.random.default_rng(0).standard_normal((20, 3, 2))
    problem = PositionRegression.from_sequence(x, x.sum(2), mixing=np.eye(3))
    assert problem.myopia_gap() < 1e-28 and problem.local_bonus() < 1e-28
    assert problem.constants.coupling == 0 and bool((problem.off_diagonal_gradient(np.ones((3, 2))) == 0).all())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PositionRegression([[1.0]], [[1.0]]), "features must be an array of 4 dimensions"),
        (lambda: PositionRegression(np.ones((2, 3, 3, 1)), np.ones((2, 2))), "features has shape"),
        (lambda: PositionRegression(np.ones((2, 2, 2, 1)), np.ones((2, 2))), "features\\[:, 0, 1\\] is not 0"),
        (lambda: PositionRegression(np.full((1, 1, 1, 1), np.nan), [[1.0]]), "must be finite"),
        (lambda: PositionRegression(np.ones((1, 1, 1, 2)), [[1.0]]), "features of position 0 .* rank 1; .* width, 2"),
        (lambda: PositionRegression(np.zeros((1, 1, 1, 1)), [[1.0]], tied=True), "all positions together .* rank 0"),
        (lambda: PositionRegression.from_sequence([[[1.0]]], [[1.0]], mixing=np.ones((2, 2))), "mixing has shape"),
        (lambda: PositionRegression([[[[1e-100]]]], [[1.0]]), "features has entries up to 1e-100; .* other units"),
        (lambda: PositionRegression([[[[1e100]]]], [[1.0]]), r"features has entries up to 1e\+100"),
        (lambda: PositionRegression([[[[1.0]]]], [[1e100]]), r"targets has entries up to 1e\+100"),
    ],
)
def test_what_has_no_answer_is_refused(make, words):
    with pytest.raises(DatasetError, match=words):
        make()


@pytest.mark.parametrize(
    ("change", "words"),
    [({"positions": 0}, "positions is 0"), ({"noise": -1.0}, "noise is -1"), ({"coupling": np.inf}, "coupling is inf")],
)
def test_sizes_are_looked_at(change, words):
    with pytest.raises(UsageError, match=words):
        PositionRegression.random(**({"positions": 2, "width": 1, "samples": 4} | change))


def test_weights_of_another_shape():
    with pytest.raises(UsageError, match="theta has shape"):
        pre_caching().loss([[1.0]])
