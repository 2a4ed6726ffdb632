"""Runs of attention to tokens against the limit that was predicted, and what `compare` refuses."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from ntp_theory.attention import LogPartition, TokenSequences, compare, descend, flow, predict, priority_graphs
from ntp_theory.errors import SolverError, UsageError
from ntp_theory.testing import token_sequences

DATA = TokenSequences([[0, 1, 2], [1, 0, 2], [1, 0, 2], [2, 3]], [0, 1, 1, 2])


@settings(max_examples=10)
@given(token_sequences(max_tokens=4, max_inputs=5))
def test_flows_end_where_predicted(data):
    limit = predict(data)
    run = flow(data, log_time=1000.0, limit=limit)
    assert [check.line() for check in compare(run, limit) if not check.holds] == []


@settings(max_examples=8)
@given(token_sequences(max_tokens=4, max_inputs=5))
def test_descents_end_where_predicted(data):
    limit = predict(data)
    assert [check.line() for check in compare(descend(data, steps=3000), limit) if not check.holds] == []


@settings(max_examples=6)
@given(token_sequences(max_tokens=4, max_inputs=5), st.floats(-4.0, 30.0))
def test_runs_that_end_early_refute_nothing(data, log_time):
    limit = predict(data)
    checks = compare(flow(data, log_time=log_time, points=20, limit=limit), limit)
    checks += compare(descend(data, steps=math.ceil(math.exp(min(max(log_time, 2.5), 6.0)))), limit)
    assert [check.line() for check in checks if not check.holds] == []
    assert all(check.tolerance < 0.5 for check in checks)


def test_laws_are_read_once_they_say_something():
    limit = predict(DATA)
    early, late = (compare(flow(DATA, log_time=s, limit=limit), limit) for s in (3.0, 30.0))
    assert [check.statement.split(" at ")[0] for check in early] == ["f - inf f"]
    assert len(late) == 4 and all(check.tolerance < 0.03 for check in late)


def test_the_flow_is_the_flow():
    """Against an explicit integrator in t."""
    loss = LogPartition.of_sequences(DATA)
    run = flow(DATA, log_time=math.log(50.0), points=4)

    def rule(t, w):
        return -loss.gradient(torch.from_numpy(w)).numpy()

    plain = solve_ivp(rule, (0.0, 50.0), np.zeros(loss.dim), rtol=1e-10, atol=1e-12)
    # the run starts at t = e^-8 along the first gradient: off by half its square
    assert np.abs(run.weights[-1].numpy() - plain.y[:, -1]).max() < 1e-6


def test_steps_are_gradient_steps():
    loss = LogPartition.of_sequences(DATA)
    run = descend(DATA, steps=3, step_size=0.7, points=3)
    w = torch.zeros(loss.dim, dtype=torch.float64)
    for k in range(3):
        w = w - 0.7 * loss.gradient(w)
        assert torch.allclose(run.weights[k], w, atol=1e-15)
    assert run.log_times.tolist() == pytest.approx([math.log(0.7 * k) for k in (1, 2, 3)])


def test_late_flow_is_the_flow_of_the_whole_loss():
    """Both sides of the time where P_F W is put at W_fin, against a run whose last point is before it."""
    limit = predict(DATA)
    run = flow(DATA, log_time=30.0, limit=limit)
    assert math.isfinite(run.settled) and float(run.log_times[-1]) == 30.0
    across = run.weights - torch.stack([limit.inside(w) for w in run.weights])
    late = run.log_times > run.settled - 3
    steps = (across[late][1:] - across[late][:-1]).norm(dim=1) / (run.log_times[late][1:] - run.log_times[late][:-1])
    # the speed is that of W_svm up to multipliers, e^-(log t) here, and the error of integration
    assert torch.allclose(steps, torch.full_like(steps, limit.norm), rtol=1e-4)


def test_the_flow_is_where_offset_and_direction_put_it():
    limit = predict(DATA)
    run = flow(DATA, log_time=1000.0, limit=limit)
    # all that the data can move is in F and the span of active constraints here; integration is to 1e-9
    assert torch.allclose(run.weights[-1], 1000.0 * limit.direction + limit.offset, atol=1e-6)


def test_a_wrong_prediction_is_noticed():
    limit = predict(DATA)
    run = flow(DATA, log_time=1000.0, limit=limit)
    longer = replace(limit, svm=replace(limit.svm, direction=1.02 * limit.direction))
    assert not all(check.holds for check in compare(run, longer))
    moved = replace(limit, finite=limit.finite + 1e-3 * limit.basis[:, 0])
    assert not all(check.holds for check in compare(run, moved))


def test_other_runs_are_refused():
    limit = predict(DATA)
    with pytest.raises(UsageError, match="another loss"):
        compare(descend(TokenSequences([[0, 1, 2, 3]], [0]), steps=100), limit)
    with pytest.raises(UsageError, match="at least 8"):
        compare(descend(DATA, steps=5), limit)
    with pytest.raises(UsageError, match="run is 1"):
        compare(1, limit)
    with pytest.raises(UsageError, match="steps is 0"):
        descend(DATA, steps=0)
    with pytest.raises(UsageError, match="log_time is -9"):
        flow(DATA, log_time=-9.0)


CYCLE = TokenSequences([[0, 1, 2], [1, 0, 2], [1, 0, 2]], [0, 1, 1])


@pytest.mark.parametrize("wrong", [0, 0.0, False, [], -1.0, math.inf])
def test_a_step_that_is_none_is_refused(wrong):
    with pytest.raises(UsageError, match="step_size"):
        descend(CYCLE, steps=2, step_size=wrong)


def test_divergence_is_no_answer():
    with pytest.raises(SolverError, match="diverged"):
        descend(CYCLE, steps=20, step_size=1e308)


def test_the_bound_is_claimed_for_steps_that_it_is_proved_for():
    limit, smoothness = predict(CYCLE), LogPartition.of_sequences(CYCLE).smoothness
    kinds = {}
    for name, run in (
        ("short", descend(CYCLE, steps=50)),
        ("long", descend(CYCLE, steps=50, step_size=1.1 / smoothness)),
        ("flow", flow(CYCLE, log_time=10.0, limit=limit)),
    ):
        kinds[name] = [check.evidence for check in compare(run, limit) if "descent and convexity" in check.statement]
    assert kinds == {"short": ["certified"], "long": [], "flow": ["measured"]}


def test_a_limit_of_other_data_is_refused():
    other = TokenSequences(CYCLE.inputs, CYCLE.labels, [0.2, 0.3, 0.5])
    with pytest.raises(UsageError, match="another loss"):
        compare(descend(CYCLE, steps=20), predict(other))
    with pytest.raises(UsageError, match="another loss"):
        flow(CYCLE, log_time=2.0, limit=predict(other))
    with pytest.raises(UsageError, match="limit is 1"):
        flow(CYCLE, log_time=2.0, limit=1)


@pytest.mark.parametrize("rare", [1e-3, 1e-6, 1e-12, 1e-300])
def test_the_finite_part_is_right_or_refused(rare):
    data = TokenSequences([[0, 1], [0, 1]], [0, 1], [1.0 - rare, rare])
    try:
        w = predict(data).matrix(predict(data).finite)[:, 1]
    except SolverError as error:
        assert rare < 1e-9 and "finite part is known" in str(error)
    else:
        assert float(w[0] - w[1]) == pytest.approx(math.log((1.0 - rare) / rare), rel=1e-6)


def test_data_too_large_for_dense_matrices_is_refused():
    with pytest.raises(UsageError, match="unknowns"):
        predict(TokenSequences([[0, 101]], [0]))
    with pytest.raises(UsageError, match="come last"):
        priority_graphs(TokenSequences([[0, 10**5]], [0]))
