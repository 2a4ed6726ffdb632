"""Plateaus and constant-length laws: predictions from the data hold, wrong ones do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ntp_theory import NTPDataset, compare, descend, predict
from ntp_theory.construct import designed
from ntp_theory.construct.instances import one_hot_control, sep_incompat, tiny
from ntp_theory.descent import NormalisedGradientDescent
from ntp_theory.errors import UsageError

from .draws import drawn

STEPS = 20_000


@pytest.fixture(scope="module", params=[tiny, sep_incompat], ids=lambda f: f.__name__)
def normalised(request):
    data = request.param()
    return descend(data, "ngd", steps=STEPS, step_size=0.01), predict(data)


def plateau(comparison):
    return [check for check in comparison.checks if check.label == "bias/ngd-plateau"]


def test_the_plateau_is_where_the_curvature_says(normalised):
    comparison = compare(*normalised)
    found = plateau(comparison)
    assert comparison.holds and len(found) == 5, comparison.summary()
    gradient, floor = found[:2]
    assert gradient.error < 0.01 and floor.error < 0.01


@pytest.mark.parametrize("factor", [0.98, 1.02])
def test_a_wrong_step_size_or_finite_part_fails(normalised, factor):
    run, limit = normalised
    assert not compare(replace(run, step_size=factor * run.step_size), limit).holds
    assert not compare(run, replace(limit, finite=factor * limit.finite)).holds


def test_a_wrong_time_fails(normalised):
    run, limit = normalised
    assert not compare(replace(run, log_elapsed=run.log_elapsed + 0.1), limit).holds


def test_a_short_run_is_told_how_long_it_must_be():
    run = descend(tiny(), "ngd", steps=10, step_size=0.01)
    comparison = compare(run, predict(tiny()))
    assert not plateau(comparison) and "run at least" in comparison.note


def test_one_hot_data_has_no_plateau():
    limit = predict(one_hot_control())
    with pytest.raises(UsageError, match="no plateau"):
        limit.plateau(0.1)


def constant(comparison, label):
    return next(check for check in comparison.checks if check.label == label)


def test_one_hot_margins_catch_up_at_the_predicted_rate():
    data = one_hot_control()
    run, limit = descend(data, "ngd", steps=STEPS, step_size=0.01), predict(data)
    found = constant(compare(run, limit), "classical/nacson")
    assert found.holds and found.error < 0.05 and found.tolerance < 0.1
    slower = replace(run, step_size=0.8 * run.step_size)
    assert not constant(compare(slower, limit), "classical/nacson").holds


def test_the_split_method_meets_both_laws():
    data = sep_incompat()
    run, limit = descend(data, "split", steps=5000, step_size=0.01), predict(data)
    comparison = compare(run, limit)
    found = [check for check in comparison.checks if check.label == "bias/split-normalised"]
    assert comparison.holds and len(found) == 2, comparison.summary()
    assert not compare(run, replace(limit, finite=limit.finite * 1.001)).holds
    assert not compare(replace(run, step_size=0.7 * run.step_size), limit).holds


@pytest.mark.parametrize("scale", [1e-6, 1.0])
def test_the_margin_is_not_judged_while_the_part_on_f_still_moves(scale):
    embeddings = scale * np.random.default_rng(17).standard_normal((3, 5))
    data = NTPDataset(embeddings, [[0.4, 0.6, 0, 0], [0.1, 0, 0.9, 0], [0, 0, 0, 1]])
    for steps in (20, 40, 60):
        assert compare(descend(data, "split", steps=steps), predict(data)).holds


def test_data_of_which_nothing_diverges_gets_no_law():
    data = designed("overlap").data
    comparison = compare(descend(data, "split", steps=10), predict(data))
    assert comparison.holds and "nothing diverges" in comparison.note


def test_orbits_are_a_family_and_only_the_mean_of_two_gradients_is_fixed():
    data = NTPDataset([[1.0], [2.0]], [[1.0, 0.0], [0.0, 1.0]])
    limit = predict(data)
    run = descend(data, "ngd", steps=3000, record=[0, 1, 1500, 2999, 3000])
    alone = compare(descend(data, "ngd", steps=3000, record=[0, 1, 3000]), limit)
    assert alone.holds and "record the last two" in alone.note and len(plateau(alone)) == 2
    comparison = compare(run, limit)
    (share,) = comparison.observed.values()
    assert comparison.holds and abs(share - 0.5) > 0.3 and len(plateau(comparison)) == 3, comparison.summary()
    # far from what a jump with both ends as far would have
    predicted = limit.plateau(run.step_size)
    assert predicted.floor_of(share) > 1.5 * predicted.floor
    assert not compare(replace(run, step_size=1.1 * run.step_size), limit).holds


def test_ends_of_a_jump_that_are_not_as_far_from_the_minimum_are_both_read():
    data = drawn(48)
    run, limit = descend(data, "ngd", steps=4000), predict(data)
    comparison = compare(run, limit)
    (share,) = comparison.observed.values()
    assert comparison.holds and len(plateau(comparison)) == 5, comparison.summary()
    # one end alone is off by more than is allowed
    gradient = plateau(comparison)[0]
    assert abs(2 * share - 1) > gradient.tolerance > 10 * gradient.error
    for factor in (0.98, 1.02):
        assert not compare(replace(run, step_size=factor * run.step_size), limit).holds


@pytest.mark.parametrize("weights", [[0.999, 0.001], [0.501, 0.499]])
def test_slow_modes_leave_the_plateau_unread_until_they_are_forgotten(weights):
    data = NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.6, 0.4], [0.3, 0.7]], weights)
    limit, read = predict(data), []
    for steps in (200, 1000, 8000):
        run = descend(data, "ngd", steps=steps, step_size=0.05)
        comparison = compare(run, limit)
        assert comparison.holds, comparison.summary()
        read.append(len(plateau(comparison)))
        assert not compare(replace(run, step_size=1.1 * run.step_size), limit).holds or read[-1] < 2
    assert read == sorted(read) and read[-1] == 3


def test_a_jump_that_symmetry_keeps_off_the_steepest_direction_is_not_judged():
    data = NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.3, 0.7]], [0.999, 0.001])
    limit = predict(data)
    run = descend(data, "ngd", steps=2000, step_size=0.05)
    assert limit.curvature > 0.49 and float(run.weights[-1][:, 0].norm()) == 0.0
    comparison = compare(run, limit)
    assert comparison.holds and "steepest direction" in comparison.note


@pytest.mark.parametrize("decay", [0.5, 1.0])
def test_steps_that_get_shorter_are_summed_up_or_not_judged(decay):
    for data in (one_hot_control(), tiny()):
        run = descend(data, NormalisedGradientDescent(step_size=0.1, decay=decay), steps=3000)
        comparison = compare(run, predict(data))
        assert comparison.holds and (data.pattern.sizes.max() == 1 or "get shorter" in comparison.note)


def test_steps_that_overshoot_off_f_are_not_judged():
    data = tiny()
    comparison = compare(descend(data, "split", steps=2000, step_size=100.0), predict(data))
    assert comparison.holds and "overshoots" in comparison.note


@pytest.mark.parametrize("method", ["split", "ngd", "sign", "signum", "spectral", "muon", "dual-momentum"])
def test_one_hot_data_that_is_partially_separable_gets_no_theorem(method):
    data = NTPDataset([[1.0, 0], [2.0, 0], [0.0, 1.0]], [[1.0, 0, 0], [0, 1.0, 0], [0, 1.0, 0]])
    comparison = compare(descend(data, method, steps=300), predict(data))
    assert comparison.holds and "partially separable" in comparison.note


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda limit: limit.plateau(-1), "step_size is"),
        (lambda limit: limit.plateau(float("nan")), "step_size is"),
        (lambda limit: limit.plateau(0.1).radius(0), "steps is"),
        (lambda limit: limit.plateau(0.1).excess(1, share=1.0), "share is"),
        (lambda limit: limit.ridge_reach(float("nan")), "log_ridge is"),
        (lambda limit: limit.decoder(0), "steps is"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(call, words):
    with pytest.raises(UsageError, match=words):
        call(predict(tiny()))
