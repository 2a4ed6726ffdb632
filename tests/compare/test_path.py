"""Ridge paths against their laws, which are good to many digits at small ridges; balls of other norms."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ntp_theory import compare, predict
from ntp_theory.construct import designed
from ntp_theory.construct.instances import one_hot_control, sep_incompat, tiny
from ntp_theory.paths import regularization_path

LABELS = {"bias/ridge-path", "bias/theorem-1"}


@pytest.fixture(scope="module", params=[tiny, sep_incompat, one_hot_control], ids=lambda f: f.__name__)
def held(request):
    data = request.param()
    return regularization_path(data, ridge=[1e-1, 1e-10, 1e-200]), predict(data)


def test_the_ridge_path_is_where_the_data_says(held):
    comparison = compare(*held)
    found = [check for check in comparison.checks if check.label == "bias/ridge-path"]
    assert comparison.holds, comparison.summary()
    assert found[0].error < 1e-5 and found[1].error < 1e-4


@pytest.mark.parametrize("factor", [0.99, 1.01])
def test_wrong_paths_fail(held, factor):
    path, limit = held
    assert not compare(replace(path, weights=factor * path.weights), limit).holds
    assert not compare(replace(path, log_ridge=path.log_ridge + (factor - 1)), limit).holds


@pytest.mark.parametrize("norm", ["max", "nuclear"])
def test_balls_of_other_norms_have_margins_within_the_bound_of_the_genie(norm):
    data = tiny()
    path, limit = regularization_path(data, radii=[20.0, 100.0], norm=norm), predict(data)
    comparison = compare(path, limit)
    found = [check for check in comparison.checks if check.label == "bias/norm-ball-path"]
    assert comparison.holds and len(found) == 2, comparison.summary()
    assert not compare(replace(path, weights=2 * path.weights), limit).holds


def test_a_path_of_data_with_a_finite_minimum_has_no_law():
    data = designed("overlap").data
    comparison = compare(regularization_path(data, ridge=[1e-3]), predict(data))
    assert comparison.holds and "nothing diverges" in comparison.note


@pytest.mark.parametrize("points", [{"radii": [0.0], "norm": "max"}, {"radii": [1e-280]}, {"ridge": [1e300]}])
def test_points_next_to_zero_have_no_law(points):
    data = tiny()
    comparison = compare(regularization_path(data, **points), predict(data))
    assert comparison.holds and "not read" in comparison.note
