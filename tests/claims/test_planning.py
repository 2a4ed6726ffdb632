"""Faults put into the theory of myopic training on purpose: the claims must notice."""

from __future__ import annotations

import pytest
import torch

from ntp_theory import claims
from ntp_theory.planning import Constants, PositionRegression


def gradient_is_the_full_one(patch):
    patch(PositionRegression, "diagonal_gradient", PositionRegression.gradient)


def optimum_is_the_best_model(patch):
    patch(PositionRegression, "myopic_optimum", PositionRegression.best)


def gap_forgets_the_half(patch):
    original = PositionRegression.myopia_gap
    patch(PositionRegression, "myopia_gap", lambda problem: 2 * original(problem))


def bonus_is_that_of_the_first_position(patch):
    original = PositionRegression.local_bonus

    def smaller(problem, theta=None):
        first = PositionRegression(problem.features[:, :1, :1], problem.targets[:, :1], tied=problem.tied)
        return original(first)

    patch(PositionRegression, "local_bonus", smaller)


def factor_is_too_good(patch):
    original = Constants.room
    patch(Constants, "room", lambda constants, step_size: min(1.0, 2 * original(constants, step_size)))


def past_is_left_out_of_the_curvature(patch):
    patch(
        PositionRegression,
        "curvature",
        property(lambda problem: problem._own_rows.T @ problem._own_rows / problem.samples),
    )


def every_bias_is_forward(patch):
    patch(Constants, "bias", property(lambda constants: constants.convexity))


def bound_is_0(patch):
    patch(PositionRegression, "distance_bound", lambda problem, theta: torch.zeros(1, dtype=torch.float64))


FAULTS = {
    gradient_is_the_full_one: ("planning/convergence", "planning/convex-toy"),
    optimum_is_the_best_model: ("planning/myopic-optimum", "planning/myopia-gap", "planning/convex-toy"),
    gap_forgets_the_half: ("planning/myopia-gap",),
    bonus_is_that_of_the_first_position: ("planning/local-bonus",),
    factor_is_too_good: ("planning/convergence",),
    past_is_left_out_of_the_curvature: ("planning/convergence", "planning/convex-toy"),
    every_bias_is_forward: ("planning/convergence", "planning/convex-toy"),
    bound_is_0: ("planning/myopic-optimum",),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_fault_is_noticed(fault, monkeypatch):
    claims.clear_cache()
    fault(monkeypatch.setattr)
    for label in FAULTS[fault]:
        assert [check for check in claims.check(label) if not check.holds], label
    claims.clear_cache()
