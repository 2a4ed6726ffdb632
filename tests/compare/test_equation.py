"""Runs that are none of their method: other labels, other losses, drifts that the loss does not see."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from ntp_theory import compare, descend, predict
from ntp_theory.construct.instances import one_hot_control, tiny
from ntp_theory.descent import HeavyBall, flow
from ntp_theory.errors import UsageError

METHODS = ["gd", "line-search", "ngd", "split", "sgd", "momentum", "nesterov", "dual-momentum"]


@pytest.fixture(scope="module")
def limit():
    return predict(tiny())


@pytest.mark.parametrize("method", [*METHODS, "growing", HeavyBall(momentum=0.0)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_run_of_its_method_holds(method, dtype):
    data = (one_hot_control() if method == "growing" else tiny()).to(dtype=dtype)
    comparison = compare(descend(data, method, steps=60), predict(data))
    assert comparison.holds, comparison.summary()


@pytest.mark.parametrize("method", METHODS)
def test_what_the_loss_does_not_see_must_not_move(method, limit):
    run = descend(tiny(), method, steps=60)
    shift = torch.linspace(0, 1e-6, len(run.times))[:, None, None].expand(-1, 1, run.weights.shape[2])
    assert "bias/erratum-E1" in {
        c.label for c in compare(replace(run, weights=run.weights + shift), limit).checks if not c.holds
    }


@pytest.mark.parametrize("method", METHODS)
def test_recorded_losses_are_those_of_the_decoders(method, limit):
    run = descend(tiny(), method, steps=60)
    assert not compare(replace(run, tail=2 * run.tail), limit).holds
    assert not compare(replace(run, weights=run.weights.flip(0)), limit).holds


@pytest.mark.parametrize(
    ("method", "other"),
    [
        ("gd", "nesterov"),
        ("gd", "ngd"),
        ("momentum", "gd"),
        ("momentum", "ngd"),
        ("momentum", "nesterov"),
        ("nesterov", "gd"),
        ("nesterov", "momentum"),
        ("nesterov", "line-search"),
        ("ngd", "gd"),
        ("ngd", "momentum"),
        ("ngd", "nesterov"),
        ("sgd", "gd"),
        ("sign", "gd"),
        ("adam", "line-search"),
    ],
)
def test_another_name_is_noticed(method, other, limit):
    run = descend(tiny(), method, steps=300)
    assert not compare(replace(run, method=other), limit).holds


def test_times_and_steps_are_those_of_the_method(limit):
    run = descend(tiny(), steps=60)
    assert not compare(replace(run, log_elapsed=run.log_elapsed + 1e-6), limit).holds
    third = run.weights.clone()
    third[3] += 1e-9 * torch.randn(third[3].shape, generator=torch.Generator().manual_seed(0), dtype=third.dtype)
    assert not compare(replace(run, weights=third), limit).holds
    longer = descend(tiny(), "momentum", steps=300)
    scaled = replace(longer, log_elapsed=longer.log_elapsed + math.log(1.1))
    assert not compare(scaled, limit).holds


def test_only_flows_have_a_derivative(limit):
    run = flow(tiny(), log_time=5.0)
    for wrong in (replace(run, method="gd"), replace(run, log_derivative=None)):
        with pytest.raises(UsageError, match="log_derivative"):
            compare(wrong, limit)
