"""States of every shape survive a file, and nothing in a file is ever run."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import runs
from ntp_theory.construct import random
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import checkpoint, descend
from ntp_theory.descent.checkpoint import _packed, _unpacked
from ntp_theory.descent.methods.adam import Adam, AdamW
from ntp_theory.descent.methods.sign import SignDescent, Signum
from ntp_theory.descent.methods.spectral import Muon, SpectralDescent
from ntp_theory.descent.methods.torch_optimizer import TorchOptimizer
from ntp_theory.errors import CheckpointError
from ntp_theory.loss import unchecked_gradient
from ntp_theory.scaled import Scaled
from tests.descent.test_run import Killed, kill_at, same

METHODS = [
    SignDescent(),
    Signum(beta=0.8),
    SpectralDescent(),
    Muon(nesterov=True),
    Adam(eps=0.0),
    AdamW(betas=(0.5, 0.9)),
    TorchOptimizer(torch.optim.SGD, lr=0.1, momentum=0.9),
    TorchOptimizer(torch.optim.Adam, lr=0.1, amsgrad=True),
    TorchOptimizer(torch.optim.LBFGS, lr=0.1, max_iter=2, tolerance_grad=0, tolerance_change=0),
    TorchOptimizer(torch.optim.NAdam),
]


@pytest.mark.parametrize("support_size", [1, 2])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_is_resumed_bit_for_bit(method, support_size, tmp_path):
    arguments = {"data": random(4, 6, 5, support_size, 1), "method": method, "steps": 24, "record": 5}
    whole = descend(**arguments)
    for step in (0, 10, 20):
        with pytest.raises(Killed):
            descend(**arguments, checkpoint=tmp_path / "run.npz", callback=kill_at(step))
    assert same(descend(**arguments, checkpoint=tmp_path / "run.npz"), whole)
    assert not torch.equal(whole.weights[-1], whole.weights[-2]), "it was still going"


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_step_leaves_the_state_before_it_alone(method):
    data = random(4, 6, 5, 2, 1)
    state = method.init(data, torch.zeros(4, 6, dtype=torch.float64))
    for _ in range(3):
        state = method.step(state)
    before, after = {}, {}
    packed = _packed(state, "state", before)
    copies = {name: array.copy() for name, array in before.items()}
    first, second = method.step(state), method.step(state)
    assert _packed(state, "state", after) == packed and all((after[name] == copies[name]).all() for name in copies)
    assert torch.equal(first.weights, second.weights)


# --- the packing itself ---------------------------------------------------------------------------

numbers = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
arrays = st.sampled_from([torch.float64, torch.float32, torch.int64, torch.bool]).flatmap(
    lambda dtype: st.lists(st.integers(0, 1), max_size=3).map(lambda x: torch.tensor(x, dtype=dtype))
)
values = st.recursive(
    numbers | arrays,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.integers(0, 5) | st.sampled_from(["lr", "a.b", "tensor", "list"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def equal(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b or (a != a and b != b)


@dataclasses.dataclass(frozen=True, eq=False)
class Average:
    """A state with another dataclass in it, and more inside that."""

    weights: torch.Tensor
    data: NTPDataset
    step_size: float
    moments: Scaled
    extra: object


@given(values)
def test_what_is_packed_comes_back(value):
    data = NTPDataset([[1.0]], [[0.5, 0.5]])
    weights = torch.ones(2, 1, dtype=torch.float64)
    state = Average(weights, data, 0.5, Scaled(weights, weights.log()), value)
    stored: dict[str, np.ndarray] = {}
    packed = json.loads(json.dumps(_packed(state, "Average", stored)))
    with tempfile.TemporaryDirectory() as folder:
        path = runs.save_arrays(Path(folder) / "a.npz", "test", stored, {})
        stored, _ = runs.load_arrays(path, "test")
    blank = Average(weights, data, 0.0, Scaled(weights, weights), None)
    found = _unpacked(packed, stored, blank, torch.device("cpu"))
    assert found.data is data and found.step_size == 0.5 and equal(found.extra, value)
    assert isinstance(found.moments, Scaled) and torch.equal(found.moments.log_scale, state.moments.log_scale)


@dataclasses.dataclass(frozen=True)
class Averaging:
    """A method of a user's own, with nested states."""

    name = "averaging"

    def init(self, data, weights):
        return Average(weights, data, 0.1, Scaled.of(weights), {"seen": [], 3: (1, None)})

    def step(self, state):
        moments = state.moments.average(Scaled.of(unchecked_gradient(state.weights, state.data)), 0.9)
        extra = {"seen": [*state.extra["seen"], moments.rows.sum()], 3: (state.extra[3][0] + 1, None)}
        return Average(state.weights - 0.1 * moments.dense(), state.data, 0.1, moments, extra)


def test_nested_states_of_a_method_of_ones_own(tmp_path):
    arguments = {"data": random(4, 6, 5, 2, 1), "method": Averaging(), "steps": 30}
    with pytest.raises(Killed):
        descend(**arguments, checkpoint=tmp_path / "run.npz", callback=kill_at(13))
    assert same(descend(**arguments, checkpoint=tmp_path / "run.npz"), descend(**arguments))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda packed: packed["fields"].pop("moments") and packed["fields"].update(moments={"code": "print()"}),
        lambda packed: packed["fields"]["weights"].update(tensor=["nowhere", "cpu"]),
        lambda packed: packed["fields"]["weights"].update(tensor=[]),
        lambda packed: packed["fields"].update(unknown=1),
        lambda packed: packed["fields"]["extra"].update(fields={}),
        lambda packed: packed["fields"]["extra"].update({"dict": [[]]}),
    ],
)
def test_damaged_states(spoil, tmp_path):
    arguments = {"data": random(4, 6, 5, 2, 1), "method": Averaging(), "steps": 3, "checkpoint": tmp_path / "run.npz"}
    descend(**arguments)
    stored, meta = runs.load_arrays(tmp_path / "run.npz", checkpoint.KIND)
    spoil(meta["state"])
    runs.save_arrays(tmp_path / "run.npz", checkpoint.KIND, stored, meta)
    with pytest.raises(CheckpointError, match="incomplete or damaged"):
        descend(**arguments)
