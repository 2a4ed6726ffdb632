"""Gradient flow against closed forms, a general solver, its own invariances, and the laws of late training."""

from __future__ import annotations

import io
import math
import re
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.special import wrightomega

from ntp_theory import NTPDataset, predict
from ntp_theory.construct import DESIGNED, designed, random
from ntp_theory.construct.instances import tiny, toy
from ntp_theory.descent import flow
from ntp_theory.descent.log_time import implicit
from ntp_theory.descent.trajectory import Trajectory
from ntp_theory.errors import SolverError, UsageError
from ntp_theory.loss import unchecked_gradient
from ntp_theory.subspace import project
from ntp_theory.testing import datasets, decoders

# Flow on a convex loss never leads two decoders apart, so errors of steps at most add up; flows take under 100 steps.
STEPS = 100
TOL = 1e-10
EARLY = [-2.0, 0.0, 1.0, 2.0, 3.0, 5.0]
# smallest multiplier above 0.05: (vocab_size, dim, num_contexts, support_size), seed
NEARLY_ACTIVE = ((6, 10, 8, 2), 12)
CLEAR = [NEARLY_ACTIVE, ((6, 8, 6, (1, 3)), 33), ((10, 12, 6, (6, 8)), 42)]


def rounding(weights, data):
    """What double precision may make of logits, in nats; the solver allows itself that much."""
    longest = float(data.embeddings.norm(dim=1).max())
    return 40 * torch.finfo(torch.float64).eps * (1.0 + float(weights.norm()) * longest)


def logit_error(found, expected, data):
    return float(((found - expected) @ data.embeddings.T).abs().max())


# --- exact answers --------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0.3, 1.0, 40.0])
@pytest.mark.parametrize("start", [0.0, -3.0, 50.0])
def test_one_context_in_closed_form(length, start):
    """With u the difference of the two logits, ``u + e^u`` grows by ``2 length^2 t``."""
    data = NTPDataset([[length]], [[1.0, 0.0]])
    init = torch.tensor([[start], [-start]], dtype=torch.float64) / (2 * length)
    times = [-3.0, 0.0, 2.0, 10.0, 100.0, 1e4]
    run = flow(data, log_time=1e4, init=init, record=times)
    for s, weights, derivative in zip(times, run.weights, run.log_derivative, strict=True):
        log_speed = math.log(2) + 2 * math.log(length) + s
        if s <= 100.0:
            e_u = wrightomega(start + math.exp(start) + math.exp(log_speed))
            u, slope = math.log(e_u), math.exp(log_speed) / (1 + e_u)
            u = u if e_u > 1e-3 else start + math.exp(start) + math.exp(log_speed) - e_u
        else:
            u, slope = log_speed, 1.0  # to e^-9990
        gap = length * (weights[0] - weights[1])
        allowed = STEPS * (TOL + rounding(weights, data))
        assert float(gap) == pytest.approx(u, abs=allowed)
        assert float(length * (derivative[0] - derivative[1])) == pytest.approx(slope, abs=10 * allowed)


@pytest.mark.parametrize("name", DESIGNED)
def test_every_case_goes_to_its_known_limit(name):
    known = designed(name)
    run = flow(known.data, log_time=1e4, record=[1e4])
    weights, derivative = run.weights[0], run.log_derivative[0]
    limit = predict(known.data)
    assert (project(weights, limit.reference) - known.finite).norm() <= 1e-9
    if known.direction is None:
        assert float(derivative.norm()) <= 1e-12
    else:
        assert (derivative - known.direction).norm() <= 1e-9 * known.direction.norm()


# --- another solver -------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [tiny, toy, lambda: designed("partially-separable").data])
def test_a_general_solver_agrees(make):
    data = make()
    shape = (data.vocab_size, data.dim)
    init = torch.from_numpy(np.random.default_rng(0).standard_normal(shape))
    found = flow(data, log_time=math.log(1e3), init=init, record=EARLY)

    def speed(_, flat):
        return -unchecked_gradient(torch.from_numpy(flat.reshape(shape)), data).numpy().ravel()

    times = np.exp(EARLY)
    solution = solve_ivp(
        speed, (0.0, times[-1]), init.numpy().ravel(), method="LSODA", rtol=1e-12, atol=1e-12, t_eval=times
    )
    others = torch.from_numpy(solution.y.T.reshape(len(EARLY), *shape).copy())
    # LSODA makes thousands of steps of 1e-12 relative
    assert logit_error(found.weights, others, data) <= 1e-8
    for s, weights, derivative in zip(EARLY, found.weights, found.log_derivative, strict=True):
        assert (derivative + math.exp(s) * unchecked_gradient(weights, data)).norm() <= 1e-8


# --- the tolerance --------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [tiny, toy])
def test_the_tolerance_is_met_and_used(make):
    data = make()
    times = [*EARLY, 10.0, 100.0, 1000.0]
    best = flow(data, log_time=1e3, record=times, tol=1e-12)
    errors = {}
    for tol in (1e-4, 1e-6, 1e-8, 1e-10):
        run = flow(data, log_time=1e3, record=times, tol=tol)
        errors[tol] = logit_error(run.weights, best.weights, data)
        assert errors[tol] <= STEPS * (tol + rounding(best.weights[-1], data))
        assert errors[tol] >= 1e-4 * tol  # no more work than was asked for
    assert errors[1e-4] > 30 * errors[1e-6] > 900 * errors[1e-8]


ONE_HOT = NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
SOFT = NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize("data", [ONE_HOT, SOFT])
@pytest.mark.parametrize("log_time", [1e9, 1e10, 8e10])
def test_as_far_as_rounding_allows(data, log_time, monkeypatch):
    """Lengths of steps grow by a factor, so there are few; none is refused, though rounding is far above tol."""
    attempts, attempt = [], implicit._Stepper.next

    def counted(*arguments):
        attempts.append(attempt(*arguments))
        return attempts[-1]

    monkeypatch.setattr(implicit._Stepper, "next", counted)
    run, direction = flow(data, log_time=log_time, record=[log_time]), predict(data).direction
    assert (run.log_derivative[0] - direction).norm() <= 1e-9 * direction.norm()
    late = [step.error for step in attempts[-15:]]  # log t from about 1e3 on
    assert len(attempts) <= STEPS and max(late) <= 1.0


@pytest.mark.parametrize("data", [ONE_HOT, NTPDataset([[1000.0, 0.0], [0.0, 1000.0]], [[1.0, 0.0], [0.0, 1.0]])])
def test_what_cannot_be_reached_is_said_with_the_best_decoder(data, monkeypatch):
    with pytest.raises(SolverError, match=r"log_time = 1e\+300 is out of reach: .* exceeds 0.0001 nats") as caught:
        flow(data, log_time=1e300)
    assert caught.value.status == "rounding" and torch.isfinite(caught.value.best).all()
    reached = float(re.search(r"at log t = (\S+), exceeds", str(caught.value)).group(1))
    # there W is log t W_mm, and rounding four units in the last place of its logits; a step may go on four times as far
    allowed = 1e-4 / (4 * torch.finfo(torch.float64).eps)
    largest = float(data.embeddings.norm(dim=1).max()) * float(predict(data).direction.norm())
    assert allowed <= 1.01 * reached * largest <= 5 * allowed
    with pytest.raises(SolverError, match="log_time = 1 is out of reach: .* at log t = -inf, exceeds"):
        flow(data, log_time=1.0, init=[[1e13, 0.0]] + [[0.0, 0.0]] * (data.vocab_size - 1))


def test_steps_that_become_too_short(monkeypatch):
    data = tiny()
    monkeypatch.setattr(implicit, "SHORTEST", 10.0)
    with pytest.raises(SolverError, match="too short for tol = 1.0e-10") as caught:
        flow(data, log_time=10.0)
    assert caught.value.status == "step too short" and torch.isfinite(caught.value.best).all()


# --- invariances ----------------------------------------------------------------------------------


@settings(max_examples=6)
@given(st.data(), st.sampled_from([1.0, 30.0, 1000.0]))
def test_the_same_flow_under_other_names_orders_axes_and_units(draw, log_time):
    data = draw.draw(datasets())
    init = draw.draw(decoders(data))
    r = np.random.default_rng(draw.draw(st.integers(0, 1000)))
    tokens, contexts = r.permutation(data.vocab_size), r.permutation(data.num_contexts)
    turn = torch.from_numpy(np.linalg.qr(r.standard_normal((data.dim, data.dim)))[0])
    unit = 3.0
    other = NTPDataset(
        unit * data.embeddings[contexts] @ turn,
        data.probabilities.to_dense()[contexts][:, tokens],
        data.weights[contexts],
    )
    first = flow(data, log_time=log_time, init=init, record=[log_time])
    log_other = log_time - 2 * math.log(unit)
    second = flow(other, log_time=log_other, init=init[tokens] @ turn / unit, record=[log_other])
    back = unit * second.weights[0] @ turn.T
    expected = first.weights[0][tokens]
    assert logit_error(back, expected, data) <= 2 * STEPS * (TOL + rounding(expected, data))


@settings(max_examples=12)
@given(st.data(), st.sampled_from([-1.0, 5.0, 300.0]))
def test_what_every_flow_keeps(draw, log_time):
    """The loss falls; rows move in the span of the embeddings, columns by what sums to 0."""
    data = draw.draw(datasets())
    init = draw.draw(decoders(data))
    run = flow(data, log_time=log_time, init=init)
    assert run.log_times[0] == -math.inf and torch.equal(run.weights[0], init) and not run.log_derivative[0].any()
    size = rounding(run.weights[-1], data) + rounding(init, data)
    # a fall below tol is lost in the errors of the two decoders, which change the loss by the slope of the logits, 1
    assert bool((run.gap[1:] <= run.gap[:-1] + STEPS * (TOL + size)).all())
    moved = run.weights[-1] - init
    across = torch.linalg.svd(data.embeddings)[2][int(torch.linalg.matrix_rank(data.embeddings)) :]
    assert float((moved @ across.T).norm()) <= size and float(moved.sum(0).norm()) <= size


def test_single_precision_comes_back_as_such():
    data = tiny()
    run = flow(data.to(dtype=torch.float32), log_time=100.0, record=[100.0])
    assert run.weights.dtype is run.log_derivative.dtype is torch.float32
    expected = flow(data, log_time=100.0, record=[100.0])
    # embeddings and probabilities are rounded to 24 bits, and the flow takes this as it is
    assert (run.weights.double() - expected.weights).norm() <= 1e-4 * expected.weights.norm()


def test_embeddings_of_zero_stay():
    data = NTPDataset([[0.0, 0.0]], [[0.5, 0.5, 0.0]])
    run = flow(data, log_time=10.0, init=torch.ones(3, 2), record=5)
    assert torch.equal(run.weights, torch.ones(6, 3, 2, dtype=torch.float64)) and not run.log_derivative.any()


# --- laws -----------------------------------------------------------------------------------------


def ratios(weights, log_time, data, limit):
    """``t pi_j softmax_v`` over the multipliers, minus 1, on the active constraints."""
    active = limit.duals > 0
    log_mass = torch.log_softmax(data.embeddings @ weights.T, 1) + data.weights.log()[:, None] + log_time
    return log_mass[active].exp() / limit.duals[active] - 1.0


@pytest.mark.parametrize(("sizes", "seed"), CLEAR)
def test_at_ten_thousand_the_laws_are_sharp(sizes, seed):
    """Slow modes are gone: t^-rate is below e^-500; what is left is rounding of logits near 10^4."""
    data = random(*sizes, rng=seed)
    limit = predict(data)
    assert float(limit.duals[limit.duals > 0].min()) > 0.05
    run = flow(data, log_time=1e4, record=[1e3, 1e4])
    weights, derivative = run.weights[-1], run.log_derivative[-1]
    assert (derivative - limit.direction).norm() <= 1e-9 * limit.direction.norm()
    assert float(ratios(weights, 1e4, data, limit).abs().max()) <= 1e-9
    assert (project(weights, limit.reference) - limit.finite).norm() <= 1e-9
    unit = limit.direction / limit.direction.norm()
    early, late = (
        s**2 * float((w / w.norm() - unit).square().sum()) / 2 for s, w in zip((1e3, 1e4), run.weights, strict=True)
    )
    assert early == pytest.approx(late, rel=1e-2)


def slacks(limit):
    """Margins of the inactive constraints under W_mm, less 1; ascending."""
    logits, pattern = limit.reference.embeddings @ limit.direction.T, limit.reference.pattern
    slack = pattern.min(pattern.inside(logits))[:, None] - logits - 1.0
    return slack[~limit.support & (limit.duals == 0)].sort()[0]


def nearly_active():
    sizes, seed = NEARLY_ACTIVE
    return random(*sizes, rng=seed)


@pytest.mark.parametrize(("make", "early", "late"), [(tiny, 300.0, 600.0), (nearly_active, 150.0, 200.0)])
def test_the_way_there_is_as_slow_as_predicted(make, early, late):
    """Multipliers approach at the slowest rate of G diag(alpha), or at the smallest slack, if that is smaller still."""
    data = make()
    limit = predict(data)
    slow = torch.cat([limit.active.rates, slacks(limit)]).sort()[0]
    run = flow(data, log_time=late, record=[early, late])
    before, after = (ratios(w, s, data, limit) for s, w in zip((early, late), run.weights, strict=True))
    largest = float(before.abs().max())
    found = math.log(largest / float(after.abs().max())) / (late - early)
    # second order in the ratios, and the next mode, which may start 100 times as large
    others = 100 * math.exp((slow[0] - slow[1]) * early)
    assert found == pytest.approx(float(slow[0]), abs=(2 * largest + others) / (late - early))


def test_which_of_the_two_is_the_slower_one_differs():
    """So the test above sees both."""
    first, second = predict(tiny()), predict(nearly_active())
    assert float(first.active.rates[0]) < float(slacks(first)[0])
    assert float(second.active.rates[0]) > float(slacks(second)[0])


# --- records, callbacks, doors --------------------------------------------------------------------


def test_what_is_recorded():
    data = tiny()
    assert flow(data, log_time=3.5).log_times.tolist() == [-math.inf, 0.0, 1.0, 2.0, 3.0, 3.5]
    assert flow(data, log_time=-0.5).log_times.tolist() == [-math.inf, -0.5]
    assert flow(data, log_time=2.0, record=4).log_times.tolist() == [-math.inf, 0.5, 1.0, 1.5, 2.0]
    assert flow(data, log_time=-1.0, record=2).times.tolist() == pytest.approx([0.0, math.exp(-1) / 2, math.exp(-1)])
    run = flow(data, log_time=800.0, record=[800.0, -math.inf, 3, 3.0])
    assert run.log_times.tolist() == run.log_elapsed.tolist() == [-math.inf, 3.0, 800.0]
    assert run.times.tolist() == [0.0, math.exp(3.0), math.inf]
    assert (run.method, run.step_size, run.data) == ("flow", 1.0, data)
    assert flow(data, log_time=1.0, record=[-math.inf]).log_times.tolist() == [-math.inf]


def test_records_do_not_depend_on_each_other():
    """More of them change nothing beyond the tolerance; and those early in the first step are those of the flow."""
    data = tiny()
    few = flow(data, log_time=50.0, record=[-math.inf, -9.0, 50.0])
    many = flow(data, log_time=50.0, record=[-math.inf, *np.linspace(-9.0, 50.0, 60)])
    assert torch.allclose(few.weights, many.weights[[0, 1, -1]], rtol=1e-9, atol=1e-9)
    first = -math.exp(-9.0) * unchecked_gradient(few.weights[0], data)
    assert torch.allclose(few.weights[1], first, rtol=1e-3) and torch.allclose(few.log_derivative[1], first, rtol=1e-3)


def test_a_callback_sees_copies_and_may_end_the_flow():
    seen = []

    def look(record):
        seen.append((record.step, record.log_elapsed, record.loss.gap))
        record.weights.zero_()
        return record.log_elapsed >= 2.0

    run = flow(tiny(), log_time=10.0, callback=look)
    assert run.log_times.tolist() == [-math.inf, 0.0, 1.0, 2.0] and run.weights[-1].any()
    assert [step for step, _, _ in seen] == [0, 1, 2, 3] and [gap for _, _, gap in seen] == run.gap.tolist()


def test_an_interruption_passes():
    def interrupt(record):
        if record.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flow(tiny(), log_time=10.0, callback=interrupt)


def test_progress_on_a_terminal(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    flow(tiny(), log_time=100.0, progress=True)
    assert "flow 100%" in terminal.getvalue() and "log t = 100" in terminal.getvalue()


def test_a_flow_is_saved_whole(tmp_path):
    run = flow(tiny(), log_time=1000.0, record=3)
    twin = Trajectory.load(run.save(tmp_path / "run.npz"))
    for name in ("times", "log_times", "weights", "log_derivative", "log_tail"):
        assert torch.equal(getattr(run, name), getattr(twin, name))
    assert "log t = 1000" in twin.summary()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"log_time": math.inf}, "log_time is inf; it must be a finite number"),
        ({"log_time": math.nan}, "log_time is nan"),
        ({"log_time": "10"}, "log_time is '10'"),
        ({"log_time": True}, "log_time is True"),
        ({"log_time": 10**400}, "log_time is 1000"),
        ({"init": torch.zeros(4, 8)}, "init has shape"),
        ({"init": torch.full((5, 8), math.nan)}, "init"),
        ({"init": torch.full((5, 8), 1e308, dtype=torch.float64)}, "init has a norm beyond"),
        ({"record": [1.0, 10.5]}, r"record entry is 10.5; it must be a number of at most log_time = 10"),
        ({"record": [math.nan]}, "record entry is nan"),
        ({"record": []}, "record names no log time"),
        ({"record": "all"}, "record is 'all'"),
        ({"record": 0}, "record is 0"),
        ({"record": 2.5}, "record is 2.5"),
        ({"tol": 0.0}, "tol is 0.0; it must be a number from 1e-12 to 0.01"),
        ({"tol": 1e-13}, "tol is 1e-13"),
        ({"tol": 0.1}, "tol is 0.1"),
        ({"tol": None}, "tol is None"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(UsageError, match=message):
        flow(tiny(), **{"log_time": 10.0, **arguments})


def test_contexts_that_are_shared_out_are_refused():
    data = tiny()
    data.ranks = type("Two", (), {"size": 2})()
    with pytest.raises(UsageError, match="shared out among processes"):
        flow(data, log_time=1.0)
