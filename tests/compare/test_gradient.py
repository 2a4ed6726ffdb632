from dataclasses import replace

import numpy as np
import pytest
import torch

from ntp_theory import NTPDataset, compare, descend, predict
from ntp_theory.construct import designed
from ntp_theory.construct.instances import a2, sep_incompat, tiny
from ntp_theory.descent import HeavyBall
from ntp_theory.errors import UsageError
from ntp_theory.subspace import project, project_complement

from .draws import drawn

STEPS, ETA = 10_000, 0.5
LAWS = {"bias/sharp-gd-loss", "bias/offset", "bias/sharp-gd-norm", "bias/theorem-2", "bias/sharp-gd-finite"}


@pytest.fixture(scope="module", params=[a2, sep_incompat, tiny], ids=lambda f: f.__name__)
def held(request):
    data = request.param()
    return descend(data, steps=STEPS, step_size=ETA), predict(data)


def labels(comparison, *, holds):
    return {check.label for check in comparison.checks if check.holds == holds}


def test_a_true_prediction_holds(held):
    comparison = compare(*held)
    assert comparison.holds, comparison.summary()
    # slow modes and inactive constraints of A2 leave two laws unread so early
    missing = LAWS - labels(comparison, holds=True)
    assert missing <= {"bias/sharp-gd-norm", "bias/sharp-gd-finite"} and all(
        name in comparison.note for name in missing
    )
    assert labels(comparison, holds=True) >= {"bias/definition-3", "bias/entropy-floor"}


@pytest.mark.parametrize("size", [0.01, 0.03])
def test_a_turned_direction_fails(held, size):
    trajectory, limit = held
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(limit.finite.shape))
    noise = project_complement(noise, limit.reference)
    noise *= limit.direction.norm() / noise.norm()
    assert not compare(trajectory, replace(limit, direction=limit.direction + size * noise)).holds


@pytest.mark.parametrize("factor", [0.97, 0.99, 1.01, 1.03])
def test_a_direction_of_wrong_length_fails(held, factor):
    trajectory, limit = held
    assert not compare(trajectory, replace(limit, direction=factor * limit.direction)).holds


@pytest.mark.parametrize("size", [0.001, 0.01])
def test_a_wrong_finite_part_fails(held, size):
    trajectory, limit = held
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(limit.finite.shape))
    noise = project(noise, limit.reference)
    noise *= limit.finite.norm() / noise.norm()
    assert not compare(trajectory, replace(limit, finite=limit.finite + size * noise)).holds


@pytest.mark.parametrize("factor", [0.97, 1.03])
def test_wrong_multipliers_fail(held, factor):
    trajectory, limit = held
    assert not compare(trajectory, replace(limit, duals=factor * limit.duals)).holds
    order = limit.duals[limit.duals > 0]
    duals = limit.duals.clone()
    duals[limit.duals > 0] = order.flip(0)
    assert not compare(trajectory, replace(limit, duals=duals)).holds


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_wrong_loss_constant_fails(held, factor):
    trajectory, limit = held
    assert not compare(trajectory, replace(limit, loss_constant=factor * limit.loss_constant)).holds


def test_a_run_with_a_sign_error_fails(held):
    trajectory, limit = held
    assert not compare(replace(trajectory, weights=-trajectory.weights), limit).holds


@pytest.mark.parametrize(
    ("method", "steps", "draws", "most"),
    [
        ("gd", 20_000, 8, 6),
        ("nesterov", 2000, 8, 6),
        ("momentum", 10_000, 6, 4),
        ("sgd", 5000, 5, 3),
        ("line-search", 500, 6, 4),
    ],
)
def test_on_drawn_data_every_law_that_is_read_holds(method, steps, draws, most):
    read = 0
    for seed in (0, 12, 13, 26, 4, 2, 3, 39)[:draws]:
        data = drawn(seed)
        comparison = compare(descend(data, method, steps=steps), predict(data))
        assert comparison.holds, (seed, comparison.summary())
        read += any(check.evidence == "measured" for check in comparison.checks)
    assert read >= most


def test_the_pull_of_the_tail_on_f_is_allowed_for():
    data = NTPDataset(
        np.random.default_rng(1).standard_normal((4, 5)),
        [[0.5, 0.5, 0, 0], [0, 0, 1, 0], [0.2, 0.3, 0.5, 0], [0, 0, 0, 1]],
    )
    comparison = compare(descend(data, steps=20_000), predict(data))
    assert comparison.holds and labels(comparison, holds=True) >= {"bias/sharp-gd-loss", "bias/sharp-gd-finite"}


def test_sampled_contexts_get_no_law_on_f_and_none_where_noise_does_not_fade():
    data = drawn(12)
    read = labels(compare(descend(data, "sgd", steps=5000), predict(data)), holds=True)
    assert "bias/sharp-gd-loss" in read and "bias/sharp-gd-finite" not in read
    blocked = NTPDataset([[1.0, 0], [2.0, 0], [0.0, 1.0]], [[1.0, 0, 0], [0, 1.0, 0], [0, 1.0, 0]])
    for data in (blocked, designed("overlap").data):
        comparison = compare(descend(data, "sgd", steps=300), predict(data))
        assert comparison.holds and "noise of sampled contexts" in comparison.note


@pytest.mark.parametrize("method", ["gd", "nesterov", "momentum", "line-search"])
def test_a_start_at_the_minimiser_stays_there(method):
    data = designed("overlap").data
    limit = predict(data)
    comparison = compare(descend(data, method, steps=500, init=limit.finite), limit)
    assert comparison.holds, comparison.summary()
    assert "not read" in compare(descend(data, method, steps=0), limit).note


def test_time_behind_a_warm_start_is_part_of_the_tolerance():
    data = tiny()
    limit, cold = predict(data), descend(data, steps=STEPS)
    warm = compare(descend(data, steps=STEPS, init=cold.weights[-1]), limit)
    assert warm.holds, warm.summary()


def test_single_precision_is_judged_by_its_own_rounding():
    data = tiny().to(dtype=torch.float32)
    limit = predict(data)
    assert compare(descend(data, steps=1000), limit).holds
    long = compare(descend(data, steps=100_000), limit)
    assert long.holds and "above rounding" in long.note, long.summary()


def test_an_infimum_that_is_too_high_fails():
    data = tiny()
    run, limit = descend(data, steps=STEPS), predict(data)
    wrong = replace(limit, infimum_bounds=(limit.infimum + 0.1, limit.infimum + 0.2))
    assert "bias/entropy-floor" in labels(compare(run, wrong), holds=False)


def test_wrong_arguments_are_refused():
    data = tiny()
    run, limit = descend(data, steps=1), predict(data)
    for arguments, words in (
        ((None, limit), "trajectory is"),
        ((limit, run), "trajectory is"),
        ((run, None), "limit is"),
    ):
        with pytest.raises(UsageError, match=words):
            compare(*arguments)
    with pytest.raises(UsageError, match="float32"):
        compare(descend(data.to(dtype=torch.float32), steps=1), limit)


@pytest.mark.parametrize("method", ["gd", "ngd", "split", "sign", "spectral", "dual-momentum", "sgd", "sgd-pairs"])
@pytest.mark.parametrize("name", ["one-hot", "separable-compatible", "overlap"])
def test_a_run_without_steps_is_no_error(method, name):
    data = designed(name).data
    assert compare(descend(data, method, steps=0), predict(data)).holds
    nothing = NTPDataset([[0.0, 0.0]], [[1.0, 0.0]])
    assert compare(descend(nothing, method, steps=0), predict(nothing)).holds


@pytest.mark.parametrize("name", ["separable-compatible", "one-hot", "separable-incompatible", "partially-separable"])
def test_designed_data_that_diverges_holds(name):
    data = designed(name).data
    comparison = compare(descend(data, steps=3000), predict(data))
    assert comparison.holds, comparison.summary()
    assert "bias/sharp-gd-loss" in labels(comparison, holds=True)


@pytest.mark.parametrize("name", ["overlap", "neither", "full-support"])
def test_finite_limits_hold_and_wrong_ones_fail(name):
    data = designed(name).data
    run, limit = descend(data, steps=300), predict(data)
    comparison = compare(run, limit)
    assert comparison.holds, comparison.summary()
    assert labels(comparison, holds=True) & LAWS == set()
    wrong = torch.zeros_like(limit.finite)
    wrong[0], wrong[1] = 0.01, -0.01
    assert not compare(run, replace(limit, finite=limit.finite + project(wrong, limit.reference))).holds


def test_a_short_run_is_told_how_long_it_must_be():
    data = a2()
    comparison = compare(descend(data, steps=20, step_size=ETA), predict(data))
    assert comparison.holds and labels(comparison, holds=True) & LAWS == set()
    assert "run at least" in comparison.note and comparison.note in comparison.summary()


def test_a_run_without_records_in_its_last_decade_says_so():
    data = sep_incompat()
    comparison = compare(descend(data, steps=STEPS, step_size=ETA, record=[0, STEPS]), predict(data))
    assert "no record near a tenth" in comparison.note


def test_too_large_a_step_gets_no_promise_of_descent():
    data = sep_incompat()
    comparison = compare(descend(data, steps=10, step_size=50.0), predict(data))
    assert "bias/lemma-2" not in {check.label for check in comparison.checks}


def test_other_data_is_refused():
    run, limit = descend(tiny(), steps=10), predict(tiny())
    assert compare(run, limit).checks  # equal data, another object
    with pytest.raises(UsageError, match="different data"):
        compare(run, predict(sep_incompat()))
    reweighted = NTPDataset(tiny().embeddings, tiny().probabilities.to_dense(), [0.1, 0.1, 0.2, 0.2, 0.2, 0.2])
    with pytest.raises(UsageError, match="different data"):
        compare(run, predict(reweighted))


@pytest.mark.parametrize("method", ["line-search", HeavyBall(momentum=0.5), "nesterov"])
@pytest.mark.parametrize("instance", [sep_incompat, tiny])
def test_methods_that_follow_the_flow_obey_its_laws_in_their_own_time(method, instance):
    data = instance()
    comparison = compare(descend(data, method, steps=3000 if method == "line-search" else STEPS), predict(data))
    assert comparison.holds and labels(comparison, holds=True) & LAWS, comparison.summary()


@pytest.mark.parametrize("steps", [200, 300, 500])
def test_a_heavy_ball_that_still_swings_on_f_is_allowed_for(steps):
    data = NTPDataset([[1.0, 2.0]], [[0.3, 0.7, 0.0]])
    assert compare(descend(data, "momentum", steps=steps), predict(data)).holds


def test_a_heavy_ball_that_still_rolls_by_itself_is_not_judged():
    data = sep_incompat()
    comparison = compare(descend(data, HeavyBall(momentum=0.9), steps=STEPS), predict(data))
    assert comparison.holds and "sharp-gd-loss" in comparison.note, comparison.summary()
