"""What every method of the registry must do, whatever its steps are."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import METHODS, descend
from ntp_theory.descent.methods.registry import find_method
from ntp_theory.distributed import ContextShard
from ntp_theory.errors import SolverError, UsageError
from ntp_theory.ranks import Ranks
from tests.descent.reference import ONE_HOT, SOFT
from tests.descent.test_run import Killed, kill_at, same

NAMES = [
    "gd",
    "line-search",
    "growing",
    "ngd",
    "split",
    "momentum",
    "nesterov",
    "dual-momentum",
    "sgd",
    "sgd-pairs",
]
START = torch.randn(4, 6, dtype=torch.float64, generator=torch.manual_seed(0))
# five steps of default size pass rounding on less than 10^5 times
STEPS, SLACK = 5, 1e-10


def data_for(name):
    return ONE_HOT if name == "growing" else SOFT


@pytest.mark.parametrize("name", NAMES)
def test_by_name(name):
    method = METHODS[name](0.25)
    assert method.name == name and "step_size=0.25" in repr(method)
    assert repr(METHODS[name](None)) == repr(find_method(name))
    run = descend(data_for(name), name, steps=2, step_size=0.25)
    assert run.method == name and (name.startswith("sgd") or run.gap[-1] < run.gap[0])


@pytest.mark.parametrize("name", NAMES)
def test_a_step_leaves_the_state_before_it_alone(name):
    method, data = METHODS[name](None), data_for(name)
    state = method.init(data, START)
    for _ in range(3):
        fields = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
        before = {key: value.clone() for key, value in fields.items() if isinstance(value, torch.Tensor)}
        after = method.step(state)
        assert all(torch.equal(fields[key], value) for key, value in before.items())
        state = after


@settings(max_examples=5)
@given(st.integers(0, 30), st.integers(0, 30))
@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_run_is_the_same_bit_for_bit(name, first, second):
    arguments = {"steps": 30, "init": START, "record": 4}
    whole = descend(data_for(name), name, **arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.npz"
        for step in (first, second):
            try:
                descend(data_for(name), name, **arguments, checkpoint=path, callback=kill_at(step))
            except Killed:
                pass
        resumed = descend(data_for(name), name, **arguments, checkpoint=path)
    assert same(resumed, whole) and torch.equal(resumed.log_elapsed, whole.log_elapsed)


@pytest.mark.parametrize("name", NAMES)
def test_equivariances(name):
    """Rotated embeddings, W + 1 c^T, tokens or contexts in another order: the run moves along."""
    data, random = data_for(name), np.random.default_rng(0)
    h, p, pi = data.embeddings, data.probabilities.to_dense(), data.weights
    q = torch.from_numpy(np.linalg.qr(random.normal(size=(6, 6)))[0])
    c, tokens = torch.from_numpy(random.normal(size=6)), torch.from_numpy(random.permutation(4))
    rows = torch.from_numpy(random.permutation(len(h)))
    straight = descend(data, name, steps=STEPS, init=START, record="all")
    for moved_data, move, redrawn in (
        (NTPDataset(h @ q, p, pi), lambda w: w @ q, ()),
        (data, lambda w: w + c, ()),
        (NTPDataset(h, p[:, tokens], pi), lambda w: w[..., tokens, :], ("sgd-pairs",)),
        (NTPDataset(h[rows], p[rows], pi[rows]), lambda w: w, ("sgd", "sgd-pairs")),
    ):
        if name in redrawn:
            continue
        moved = descend(moved_data, name, steps=STEPS, init=move(START), record="all")
        assert (moved.weights - move(straight.weights)).abs().max() <= SLACK
        assert moved.step_size == pytest.approx(straight.step_size, rel=SLACK)
        assert torch.allclose(moved.log_elapsed, straight.log_elapsed, rtol=0, atol=SLACK)


@pytest.mark.parametrize("name", NAMES)
def test_default_step_sizes_belong_to_the_scale_of_the_embeddings(name):
    """Embeddings four times as long need a decoder a quarter as large, and get it by themselves."""
    data = data_for(name)
    longer = NTPDataset(4 * data.embeddings, data.probabilities, data.weights)
    run = descend(data, name, steps=STEPS, init=START, record="all")
    scaled = descend(longer, name, steps=STEPS, init=START / 4, record="all")
    assert (4 * scaled.weights - run.weights).abs().max() <= SLACK


@pytest.mark.parametrize("name", NAMES)
def test_single_precision_stays_single(name):
    run = descend(data_for(name).to(dtype=torch.float32), name, steps=3)
    double = descend(data_for(name), name, steps=3)
    assert run.weights.dtype == torch.float32
    assert (run.weights[-1] - double.weights[-1]).abs().max() <= 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_shards(name):
    """Of contexts on several processes, here one: the same steps, or a refusal."""
    shard = ContextShard(data_for(name), Ranks())
    if name in ("split", "dual-momentum"):
        with pytest.raises(UsageError, match=r"this needs all: pass data.whole\(\)"):
            descend(shard, name, steps=1)
    else:
        found, whole = (descend(data, name, steps=STEPS, init=START) for data in (shard, data_for(name)))
        assert torch.equal(found.weights, whole.weights)


@pytest.mark.parametrize("name", NAMES)
def test_the_elapsed_time_grows_from_nothing(name):
    run = descend(data_for(name), name, steps=20, record="all")
    assert float(run.log_elapsed[0]) == -np.inf and bool((run.log_elapsed.diff() > 0).all())


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("step_size", [5e-324, 1e-300, 1e160, 1.79e308])
@pytest.mark.parametrize("record", ["log", [40]])
def test_at_any_step_size_there_is_a_finite_answer_or_none(name, step_size, record):
    """Far from every sensible one: nothing but numbers comes back, or the best decoder there was."""
    try:
        run = descend(ONE_HOT, name, steps=40, step_size=step_size, record=record)
    except SolverError as error:
        assert error.status == "not finite" and step_size > 1.0
        assert torch.isfinite(torch.linalg.vector_norm(error.best))
    else:
        assert torch.isfinite(run.norm).all() and torch.isfinite(run.gap).all()
        assert not (run.log_elapsed.isnan().any() or run.log_elapsed[-1] == -torch.inf)
