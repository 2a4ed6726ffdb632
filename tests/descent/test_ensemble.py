"""Runs made together are the runs made one by one.

Both make the same steps in the same coordinates; only the terms of products may be added in another order. So each is
within the errors of tests/descent/test_iteration.py of the exact run, and the two are within twice that of each other.
"""

from __future__ import annotations

from unittest.mock import patch

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.construct import a2, random, tiny, toy
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import descend, ensemble
from ntp_theory.descent.coordinates import Coordinates
from ntp_theory.descent.ensemble import descend_many
from ntp_theory.descent.iteration import Iteration
from ntp_theory.errors import SolverError, UsageError
from tests.descent.test_iteration import step_error
from tests.descent.test_run import same
from tests.test_loss import EPS, any_kind, cases, rounding

STEPS = 6
SHARP = NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def assert_same_up_to_rounding(found, alone, start):
    data, eta = alone.data, alone.step_size
    assert found.data is data and (found.method, found.step_size) == (alone.method, eta)
    assert torch.equal(found.times, alone.times) and torch.equal(found.log_elapsed, alone.log_elapsed)
    space = Coordinates.of(data)
    iteration = Iteration([data], [space], [start], [eta])
    coordinates, bounds = iteration.origin, [0.0]
    for _ in range(int(alone.times[-1])):
        error = step_error(space, coordinates, start, data, eta)
        coordinates = iteration.step(coordinates)
        bounds.append(bounds[-1] + 2 * max(error, step_error(space, coordinates, start, data, eta)))
    for i, k in enumerate(alone.times.tolist()):
        one, other = found.weights[i], alone.weights[i]
        assert float((one - other).norm()) <= bounds[k]
        # a logit moves by at most |W - W'| |h|; from there on as in tests/test_loss.py
        delta = rounding(other, data) + 2 * bounds[k] * float(data.embeddings.norm(dim=1).max())
        kl, log_tail = float(alone.in_support[i]), float(alone.log_tail[i])
        assert abs(float(found.in_support[i]) - kl) <= 2 * (delta * (2 * kl) ** 0.5 + delta**2) + 40 * EPS * kl
        same_tail = abs(float(found.log_tail[i]) - log_tail) <= 4 * delta + 8 * EPS * abs(log_tail)
        assert same_tail or float(found.log_tail[i]) == log_tail


@given(any_kind.flatmap(lambda case: st.tuples(st.just(case), st.lists(st.permutations(range(len(case[1])))))))
def test_one_dataset_from_many_starts(drawn):
    (data, start), orders = drawn
    starts = [start, torch.zeros_like(start), *(start[order] for order in orders)]
    for found, w in zip(descend_many(data, steps=STEPS, init=starts), starts, strict=True):
        assert_same_up_to_rounding(found, descend(data, steps=STEPS, init=w), w)


@given(st.lists(cases(), min_size=1, max_size=8))
def test_any_datasets(drawn):
    found = descend_many([data for data, _ in drawn], steps=STEPS, init=[w for _, w in drawn], record="all")
    for run, (data, start) in zip(found, drawn, strict=True):
        assert_same_up_to_rounding(run, descend(data, steps=STEPS, init=start, record="all"), start)


def of_one_shape(kind):
    """One context has one next token, one all of them; for "orthogonal" two embeddings nearly agree."""
    for seed in range(5):
        data = random(6, 4 if kind == "entries" else 9, 5, (1, 6), rng=seed)
        h = data.embeddings.clone()
        if kind == "orthogonal":
            h[1] = h[0] + 1e-4 * h[1]
        yield NTPDataset(h, data.probabilities, torch.arange(1.0, 6.0) / 15)


@pytest.mark.parametrize("kind", ["entries", "orthogonal", "Gram"])
@pytest.mark.parametrize("most", [2**16, 60])
def test_runs_of_one_shape(kind, most):
    datasets = list(of_one_shape(kind))
    starts = [None, *(torch.full((6, d.dim), 0.1 * i, dtype=torch.float64) for i, d in enumerate(datasets[1:]))]
    assert {Coordinates.of(data).kind for data in datasets} == {kind}
    with patch.object(ensemble, "BATCH", most), patch.object(ensemble, "descend", wraps=descend) as alone:
        found = descend_many(datasets, steps=40, init=starts, record=7)
    assert alone.call_count == (0 if most > 150 else 1), "two at a time leave one of five"
    for run, data, start in zip(found, datasets, starts, strict=True):
        start = torch.zeros(6, data.dim, dtype=torch.float64) if start is None else start
        assert_same_up_to_rounding(run, descend(data, steps=40, init=start, record=7), start)


def test_large_runs_and_other_methods_are_made_one_by_one():
    datasets = [tiny(), a2(), tiny()]
    with patch.object(ensemble, "BATCH", 0):
        found = descend_many(datasets, steps=9, step_size=0.25)
    assert all(same(run, descend(data, steps=9, step_size=0.25)) for run, data in zip(found, datasets, strict=True))
    found = descend_many(datasets, "ngd", steps=9)
    assert all(same(run, descend(data, "ngd", steps=9)) for run, data in zip(found, datasets, strict=True))


def test_step_sizes_are_those_of_each_dataset():
    datasets = [a2(1), a2(2)]
    found = descend_many(datasets, steps=1)
    assert [run.step_size for run in found] == [descend(data, steps=0).step_size for data in datasets]
    assert found[0].step_size != found[1].step_size
    assert [run.step_size for run in descend_many(datasets, steps=1, step_size=0.5)] == [0.5, 0.5]


def test_single_precision_stays_single():
    data = a2().to(dtype=torch.float32)
    assert all(run.weights.dtype == torch.float32 for run in descend_many([data, data], steps=3))


def test_no_runs_at_all():
    assert descend_many([], steps=3) == [] == descend_many(toy(), steps=3, init=[])
    assert [run.times.tolist() for run in descend_many([toy()] * 2, steps=0)] == [[0], [0]]
    assert descend_many([toy()] * 2, steps=5, record=[3])[1].times.tolist() == [3]


@pytest.mark.parametrize("record", ["all", [10]])
def test_a_run_that_leaves_the_numbers_is_named(record):
    calm, wild = (NTPDataset([[h]], [[0.9, 0.1]]) for h in (0.0, 10.0))
    with pytest.raises(
        SolverError, match="the norm of the decoder of run 1 is not finite at step .*; take a smaller"
    ) as info:
        descend_many([calm, wild], steps=10, step_size=1e308, record=record)
    assert info.value.status == "not finite"
    assert info.value.best.shape == (2, 1) and torch.isfinite(info.value.best).all()


def test_a_norm_that_no_double_holds_is_no_answer():
    with pytest.raises(SolverError, match="norm of the decoder of run 0 is not finite at step 1"):
        descend_many([SHARP] * 2, steps=3, step_size=1e160)


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("datasets is 3; it must be a sequence of NTPDataset", {"datasets": 3}),
        (r"datasets\[1\] is 'a'; it must be an NTPDataset", {"datasets": [toy(), "a"]}),
        ("init is 3; it must be a sequence of decoders", {"init": 3}),
        ("init has 1 starts for 2 datasets; it must have one for each", {"init": [None]}),
        (r"init has shape \(1, 1\), expected", {"init": [None, [[0.0]]]}),
        ("method is 'gradient'; it must be one of 'gd'", {"method": "gradient"}),
        ("step_size is 0.0; it must be a positive finite number", {"step_size": 0.0}),
        ("steps is -1; it must be a whole number >= 0", {"steps": -1}),
    ],
)
def test_calls_that_are_refused(rule, change):
    with pytest.raises(UsageError, match=rule):
        descend_many(**{"datasets": [toy(), toy()], "steps": 3} | change)
