"""The loop: recording, stopping, interruption and resumption, errors."""

from __future__ import annotations

import dataclasses
import io
import math
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import runs
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import METHODS, GradientDescent, Trajectory, checkpoint, descend, flow, recorded_steps
from ntp_theory.errors import CheckpointError, SolverError, UsageError
from ntp_theory.loss import evaluate, unchecked_gradient
from ntp_theory.paths import regularization_path
from ntp_theory.predict import predict

DATA = NTPDataset([[1.0, 0.3], [0.2, -1.0], [0.5, 0.5]], [[0.3, 0.7, 0.0], [0.0, 0.0, 1.0], [0.25, 0.25, 0.5]])
START = torch.tensor([[0.1, -0.2], [0.3, 0.0], [1.0, 0.7]], dtype=torch.float64)


@dataclasses.dataclass(frozen=True, eq=False)
class HeavyBallState:
    weights: torch.Tensor
    velocity: torch.Tensor
    data: NTPDataset
    step_size: float
    count: int
    word: str


@dataclasses.dataclass(frozen=True)
class HeavyBall:
    """A method of a user's own, with a state of every kind of field; fails once at a given count."""

    fail: list = dataclasses.field(default_factory=list, repr=False)
    name = "heavy-ball"

    def init(self, data, weights):
        return HeavyBallState(weights, torch.zeros_like(weights), data, 0.3, 0, "start")

    def step(self, state):
        if self.fail and state.count == self.fail[0]:
            raise KeyboardInterrupt
        velocity = 0.9 * state.velocity - state.step_size * unchecked_gradient(state.weights, state.data)
        return HeavyBallState(
            state.weights + velocity,
            velocity,
            state.data,
            0.3 + 0.01 * (state.count % 3),
            state.count + 1,
            "on",
        )


def same(a, b):
    tensors = ("times", "weights", "gap", "in_support", "tail", "log_tail", "norm")
    return (a.method, a.step_size) == (b.method, b.step_size) and all(
        torch.equal(getattr(a, name), getattr(b, name)) for name in tensors
    )


# --- recording ------------------------------------------------------------------------------------

schedules = st.sampled_from(["log", "all", 1, 3, 7]) | st.lists(st.integers(0, 20), min_size=1)


@given(st.integers(20, 40), schedules)
def test_what_is_recorded(steps, record):
    everything = descend(DATA, steps=steps, init=START, record="all")
    found = descend(DATA, steps=steps, init=START, record=record)
    times = recorded_steps(record, steps)
    assert found.times.tolist() == times and torch.equal(found.weights, everything.weights[times])
    for i, weights in enumerate(found.weights):
        loss = evaluate(weights, DATA)
        row = (found.gap[i], found.in_support[i], found.tail[i], found.log_tail[i])
        assert row == (loss.gap, loss.in_support, loss.tail, loss.log_tail)
        assert float(found.norm[i]) == pytest.approx(float(weights.norm()), rel=1e-15)


def test_no_steps_at_all():
    found = descend(DATA, steps=0)
    assert found.times.tolist() == [0] and not found.weights.any() and found.log_times.tolist() == [-math.inf]


def test_the_start_is_copied():
    start = START.clone()
    found = descend(DATA, steps=1, init=start)
    start.fill_(7.0)
    assert torch.equal(found.weights[0], START)


def test_the_start_may_have_any_form():
    for form in (START.tolist(), START.numpy(), torch.nn.Parameter(START)):
        found = descend(DATA, steps=2, init=form)
        assert same(found, descend(DATA, steps=2, init=START)) and not found.weights.requires_grad


def test_the_callback_sees_every_record_and_changes_nothing():
    seen = []

    def callback(record):
        seen.append((record.step, record.weights.clone(), record.loss))
        record.weights.fill_(math.nan)
        with pytest.raises(dataclasses.FrozenInstanceError):
            record.step = -1

    found = descend(DATA, steps=30, callback=callback)
    assert same(found, descend(DATA, steps=30))
    assert [step for step, _, _ in seen] == found.times.tolist()
    assert torch.equal(torch.stack([weights for _, weights, _ in seen]), found.weights)
    assert [loss.gap for _, _, loss in seen] == found.gap.tolist()


def test_the_callback_may_end_the_run():
    found = descend(DATA, steps=50, record="all", callback=lambda record: record.step == 7)
    assert same(found, descend(DATA, steps=7, record="all"))


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    descend(DATA, steps=5)
    assert sys.stderr.getvalue() == ""
    descend(DATA, steps=5, progress=True)
    assert "gd 100%" in sys.stderr.getvalue() and "loss above entropy" in sys.stderr.getvalue()


def test_methods_by_name_and_by_object():
    assert METHODS["gd"] is GradientDescent
    by_name = descend(DATA, "gd", steps=9, step_size=0.5)
    assert same(by_name, descend(DATA, GradientDescent(0.5), steps=9)) and by_name.method == "gd"
    assert descend(DATA, HeavyBall(), steps=9).method == "heavy-ball"


# --- interruption ---------------------------------------------------------------------------------


class Killed(Exception):
    pass


def kill_at(step):
    def callback(record):
        if record.step >= step:
            raise Killed

    return callback


@given(st.integers(0, 40), st.integers(0, 40), schedules, st.sampled_from(["gd", "heavy-ball"]))
def test_a_resumed_run_is_the_same_bit_for_bit(first, second, record, name):
    """Killed at two random places, with one more step of the schedule left to do each time."""
    arguments = {"steps": 40, "init": START, "record": record}
    method = {"gd": "gd", "heavy-ball": HeavyBall()}[name]
    whole = descend(DATA, method, **arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.npz"
        for step in (first, second):
            try:
                descend(DATA, method, **arguments, checkpoint=path, callback=kill_at(step))
            except Killed:
                assert path.exists()
        assert same(descend(DATA, method, **arguments, checkpoint=path), whole)
        again = descend(DATA, method, **arguments, checkpoint=path, callback=kill_at(0))
        assert same(again, whole), "a finished run is read, not repeated"


@given(st.integers(0, 29))
def test_an_interruption_inside_a_step(count):
    whole = descend(DATA, HeavyBall(), steps=30)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.npz"
        with pytest.raises(KeyboardInterrupt):
            descend(DATA, HeavyBall(fail=[count]), steps=30, checkpoint=path)
        _, meta = runs.load_arrays(path, checkpoint.KIND)
        assert meta["step"] == count, "nothing done is lost"
        assert same(descend(DATA, HeavyBall(), steps=30, checkpoint=path), whole)


@given(st.integers(0, 40), st.integers(0, 40), st.sampled_from(["log", "all", 3]))
def test_a_run_may_be_made_longer(a, b, record):
    short, long = min(a, b), max(a, b)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.npz"
        for steps in (short, long):
            found = descend(DATA, steps=steps, record=record, checkpoint=path)
            assert same(found, descend(DATA, steps=steps, record=record))


def test_a_run_ended_by_its_callback_goes_on(tmp_path):
    arguments = {"steps": 50, "checkpoint": tmp_path / "run.npz"}
    part = descend(DATA, **arguments, callback=lambda record: record.step == 5)
    assert part.times[-1] == 5
    assert same(descend(DATA, **arguments), descend(DATA, steps=50))


def test_saved_on_the_way(tmp_path):
    """What a power cut leaves is the last file written; here one is written after every step."""
    path, cut = tmp_path / "run.npz", tmp_path / "cut.npz"

    def callback(record):
        if record.step == 13:
            shutil.copy(path, cut)

    whole = descend(DATA, steps=30, record="all", checkpoint=path, checkpoint_every=0, callback=callback)
    _, meta = runs.load_arrays(cut, checkpoint.KIND)
    assert meta["step"] == 13
    assert same(descend(DATA, steps=30, record="all", checkpoint=cut), whole)


def test_not_saved_more_often_than_needed(tmp_path, monkeypatch):
    saves = []
    monkeypatch.setattr(checkpoint.Checkpoint, "save", lambda *args: saves.append(args))
    descend(DATA, steps=30, checkpoint=tmp_path / "run.npz")
    assert len(saves) == 2, "before the first step and after the last"


# --- what does not fit ----------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    descend(DATA, steps=10, step_size=0.5, init=START, record=2, checkpoint=tmp_path / "run.npz")
    return tmp_path / "run.npz"


OTHER = NTPDataset(DATA.embeddings, DATA.probabilities, [0.2, 0.3, 0.5])


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        (r"method is GradientDescent\(step_size=0.5\) there and .*=0.25\) here", {"step_size": 0.25}),
        (
            "belongs to another run, method is .* there and HeavyBall",
            {"method": HeavyBall(), "step_size": None},
        ),
        ("belongs to another run, init is ", {"init": None}),
        ("belongs to another run, dataset is ", {"data": OTHER}),
        ("belongs to another run, dataset is ", {"data": DATA.to(dtype=torch.float32)}),
        ("is at step 10 already, beyond steps=9", {"steps": 9}),
        ("record differs, step 1 was not recorded", {"record": "log"}),
    ],
)
def test_a_checkpoint_of_another_run(saved, rule, change):
    arguments = {"data": DATA, "steps": 10, "step_size": 0.5, "init": START, "record": 2} | change
    before = saved.read_bytes()
    with pytest.raises(CheckpointError, match=rf"run\.npz: .*{rule}"):
        descend(**arguments, checkpoint=saved)
    assert saved.read_bytes() == before


def test_names_do_not_make_another_run(saved):
    named = NTPDataset(DATA.embeddings, DATA.probabilities, token_names=["a", "b", "c"])
    found = descend(named, steps=10, step_size=0.5, init=START, record=2, checkpoint=saved)
    assert found.data.token_names == ("a", "b", "c")


def test_damaged_checkpoints(saved):
    arguments = {"steps": 10, "step_size": 0.5, "init": START, "record": 2, "checkpoint": saved}
    arrays, meta = runs.load_arrays(saved, checkpoint.KIND)
    for lost in arrays:
        runs.save_arrays(saved, checkpoint.KIND, {k: v for k, v in arrays.items() if k != lost}, meta)
        with pytest.raises(CheckpointError, match="incomplete or damaged"):
            descend(DATA, **arguments)
    for lost in meta:
        runs.save_arrays(saved, checkpoint.KIND, arrays, {k: v for k, v in meta.items() if k != lost})
        with pytest.raises(CheckpointError, match="incomplete or damaged"):
            descend(DATA, **arguments)
    DATA.save(saved)
    with pytest.raises(CheckpointError, match="holds a dataset, expected a descent checkpoint"):
        descend(DATA, **arguments)
    saved.write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="not a file of this library, or damaged"):
        descend(DATA, **arguments)


def test_a_state_that_cannot_be_saved_is_refused_before_the_work(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class State:
        weights: torch.Tensor
        step_size: float
        oracle: object

    class Method:
        name = "odd"

        def init(self, data, weights):
            return State(weights, 1.0, object())

        def step(self, state):
            raise AssertionError("a step was taken")

    with pytest.raises(UsageError, match="checkpoint cannot hold oracle of State, a object"):
        descend(DATA, Method(), steps=3, checkpoint=tmp_path / "run.npz")


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("method is 'gradient'; it must be one of 'gd'", {"method": "gradient"}),
        ("method is 3; it must be a name or an object with name, init and step", {"method": 3}),
        ("it must be a name or an object with name, init and step", {"method": GradientDescent}),
        (
            "step_size is 0.5 beside a method object; give it to gd itself",
            {"method": GradientDescent(0.5), "step_size": 0.5},
        ),
        ("steps is -1; it must be a whole number >= 0", {"steps": -1}),
        ("steps is 1.5; it must be a whole number >= 0", {"steps": 1.5}),
        (r"init has shape \(2, 2\), expected \(vocab_size, dim\) = \(3, 2\)", {"init": np.zeros((2, 2))}),
        (r"init\[0, 0\] is nan; every entry must be finite", {"init": np.full((3, 2), np.nan)}),
        ("init has a norm beyond the largest number", {"init": START * 1.7e308}),
        ("record entry is 11; it must be a whole number >= 0 and <= 10", {"record": [11]}),
        ("callback is 4; it must be a function", {"callback": 4}),
        ("checkpoint is 5; it must be a path", {"checkpoint": 5}),
        ("init is sparse but must be dense", {"init": START.to_sparse()}),
        ("init is sparse but must be dense", {"init": scipy.sparse.csr_array(START.numpy())}),
        ("init has a norm beyond the largest number in torch.float64", {"init": START * 1e160}),
        ("checkpoint_every is -1; it must be a number of seconds >= 0", {"checkpoint_every": -1}),
        ("checkpoint_every is nan; it must be a number of seconds >= 0", {"checkpoint_every": math.nan}),
        ("checkpoint_every is '30s'; it must be a number of seconds >= 0", {"checkpoint_every": "30s"}),
    ],
)
def test_calls_that_are_refused(rule, change, tmp_path):
    with pytest.raises(UsageError, match=rule):
        descend(DATA, **{"steps": 10, "checkpoint": tmp_path / "run.npz"} | change)
    assert not (tmp_path / "run.npz").exists()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_loss_is_finite_where_the_norm_is(dtype):
    """At the largest embeddings and decoders that are taken."""
    largest = torch.finfo(dtype).max
    data = NTPDataset([[0.99 * largest**0.25] * 16], [[1.0, 0.0]], dtype=dtype)
    start = torch.tensor([[-1.0] * 16, [1.0] * 16], dtype=dtype) * (0.99 * (largest / 32) ** 0.5)
    run = descend(data, steps=0, init=start)
    assert torch.isfinite(run.norm).all() and math.isfinite(run.gap[0]) and run.gap[0] > 1e26
    with pytest.raises(UsageError, match="init has a norm beyond the largest number"):
        descend(data, steps=0, init=1.02 * start)


@pytest.mark.parametrize("record", ["all", [10]])
def test_a_run_that_leaves_the_numbers_stops(record):
    data = NTPDataset([[10.0]], [[0.9, 0.1]])
    with pytest.raises(SolverError, match="the norm of the decoder is not finite at step .*; take a smaller") as info:
        descend(data, steps=10, step_size=1e308, record=record)
    assert info.value.status == "not finite"
    assert torch.isfinite(info.value.best).all() and (record == "all" or not info.value.best.any())


@pytest.mark.parametrize("data", [None, 3, "data.npz", [[1.0]]])
def test_what_is_no_dataset(data):
    for call in (descend, partial(flow, log_time=1.0), predict, partial(regularization_path, ridge=[1.0])):
        with pytest.raises(UsageError, match="data is .*; it must be an NTPDataset"):
            call(data, **({"steps": 3} if call is descend else {}))


def test_a_callback_of_a_flow_is_called():
    with pytest.raises(UsageError, match="callback is 4; it must be a function"):
        flow(DATA, log_time=1.0, callback=4)


@pytest.mark.parametrize("name", ["", "run.npz/inside.npz"])
def test_a_checkpoint_that_cannot_be_a_file(saved, name, tmp_path):
    with pytest.raises(CheckpointError, match="is not a file" if not name else "cannot be written"):
        descend(DATA, steps=3, checkpoint=tmp_path / name)


@pytest.mark.parametrize("part", ["weights", "losses", "log_elapsed", "steps"])
def test_records_of_another_shape(saved, part):
    arrays, meta = runs.load_arrays(saved, checkpoint.KIND)
    wrong = arrays[part][:2] if part != "steps" else arrays[part][:, None]
    runs.save_arrays(saved, checkpoint.KIND, arrays | {part: wrong}, meta)
    with pytest.raises(CheckpointError, match=rf"{part} has shape \("):
        descend(DATA, steps=10, step_size=0.5, init=START, record=2, checkpoint=saved)


@pytest.mark.parametrize("name", METHODS)
def test_a_state_of_another_shape(name, tmp_path):
    path, data = tmp_path / "run.npz", NTPDataset(DATA.embeddings, torch.eye(3))
    descend(data, name, steps=4, checkpoint=path)
    arrays, meta = runs.load_arrays(path, checkpoint.KIND)
    changed = [key for key, array in arrays.items() if "." in key and not key.endswith(".drawn") and array.ndim]
    assert changed
    for key in changed:
        runs.save_arrays(path, checkpoint.KIND, arrays | {key: arrays[key][:1]}, meta)
        if arrays[key][:1].shape != arrays[key].shape:
            with pytest.raises(CheckpointError, match=f"{key} has shape"):
                descend(data, name, steps=8, checkpoint=path)


def test_no_graph_is_built():
    assert not descend(DATA, steps=2, init=START.clone().requires_grad_()).weights.requires_grad


def test_a_trajectory_comes_back():
    assert isinstance(descend(DATA, steps=1), Trajectory)
