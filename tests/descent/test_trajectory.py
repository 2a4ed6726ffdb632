"""`Trajectory`: what it holds, what it says, saving and loading."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import runs
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import Trajectory, descend, flow
from ntp_theory.descent.trajectory import KIND
from ntp_theory.errors import CheckpointError
from ntp_theory.testing import datasets, decoders

DATA = NTPDataset.from_counts(
    [[1.0, 0.0], [0.0, 1.0]], [[1, 1, 0], [0, 0, 3]], token_names=["a", "b", "c"], context_names=["x", "y"]
)
FIELDS = ("times", "weights", "in_support", "tail", "log_tail", "gap", "norm")


@given(datasets().flatmap(lambda data: st.tuples(st.just(data), decoders(data))), st.booleans())
def test_saved_and_loaded_bit_for_bit(case, single):
    data, start = case
    if single:
        data = NTPDataset([[1.0, 2.0]], [[0.5, 0.5]], dtype=torch.float32)
        start = torch.zeros(2, 2)
    trajectory = descend(data, steps=12, init=start)
    with tempfile.TemporaryDirectory() as folder:
        found = Trajectory.load(trajectory.save(Path(folder) / "run.npz"))
    for name in FIELDS:
        ours, theirs = getattr(trajectory, name), getattr(found, name)
        assert theirs.dtype == ours.dtype and torch.equal(theirs, ours)
    assert (found.method, found.step_size) == (trajectory.method, trajectory.step_size)
    assert torch.equal(found.data.embeddings, data.embeddings)
    assert torch.equal(found.data.conditionals, data.conditionals)
    assert torch.equal(found.data.weights, data.weights)


def test_names_and_counts_are_saved_too(tmp_path):
    found = Trajectory.load(descend(DATA, steps=3).save(tmp_path / "run.npz")).data
    assert (found.token_names, found.context_names) == (("a", "b", "c"), ("x", "y"))
    assert found.counts.tolist() == [1, 1, 3]


def test_damaged_files(tmp_path):
    path = descend(DATA, steps=3).save(tmp_path / "run.npz")
    arrays, meta = runs.load_arrays(path, KIND)
    spare = {"data.counts", "data.weights", "data.conditionals"}  # each follows from the others
    for lost in sorted(set(arrays) - spare):
        runs.save_arrays(path, KIND, {k: v for k, v in arrays.items() if k != lost}, meta)
        with pytest.raises(CheckpointError, match="incomplete or damaged"):
            Trajectory.load(path)
    for lost in meta:
        runs.save_arrays(path, KIND, arrays, {k: v for k, v in meta.items() if k != lost})
        with pytest.raises(CheckpointError, match="incomplete or damaged"):
            Trajectory.load(path)
    runs.save_arrays(path, KIND, arrays | {"more": arrays["times"]}, meta)
    with pytest.raises(CheckpointError, match="incomplete or damaged"):
        Trajectory.load(path)
    with pytest.raises(CheckpointError, match="holds a dataset, expected a trajectory"):
        Trajectory.load(DATA.save(path))


def test_arrays_of_another_shape(tmp_path):
    path = flow(DATA, log_time=3.0).save(tmp_path / "run.npz")
    arrays, meta = runs.load_arrays(path, KIND)
    for name in [name for name in arrays if not name.startswith("data.")]:
        others = [arrays[name][..., None], *([] if name == "times" else [arrays[name][:2]])]
        for wrong in [*others, arrays[name][..., :0]]:
            runs.save_arrays(path, KIND, arrays | {name: wrong}, meta)
            with pytest.raises(CheckpointError, match=r"has shape \(.*\), expected \("):
                Trajectory.load(path)


def test_shapes_and_units():
    run = descend(DATA, steps=100)
    n = len(run.times)
    assert run.weights.shape == (n, 3, 2) and run.times.dtype == torch.int64
    assert all(getattr(run, name).shape == (n,) for name in FIELDS if name != "weights")
    assert torch.equal(run.gap, run.in_support + run.tail)
    torch.testing.assert_close(run.log_tail.exp(), run.tail, rtol=1e-15, atol=0)
    assert run.log_times.exp().tolist() == pytest.approx(run.times.tolist(), rel=1e-14)


def test_what_it_says():
    run = descend(DATA, steps=100, step_size=0.5)
    last = run.gap[-1]
    assert repr(run) == (
        f"Trajectory(method='gd', steps=100, recorded={len(run.times)}, gap={last:.4g} nats, norm={run.norm[-1]:.4g})"
    )
    text = run.summary()
    assert text.startswith(f"gd with step size 0.5: {len(run.times)} records from step 0 to 100\n")
    assert f"-> {last:.6g} nats" in text
