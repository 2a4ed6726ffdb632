"""`Path`: what it holds, what it says, saving and loading; what `regularization_path` refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory import NTPDataset, construct, loss, predict, runs
from ntp_theory.construct.instances import tiny
from ntp_theory.errors import CheckpointError, UsageError
from ntp_theory.paths import Path, regularization_path
from ntp_theory.paths.path import KIND, TENSORS
from ntp_theory.testing import datasets

DATA = NTPDataset.from_counts(
    [[1.0, 0.0], [0.0, 1.0]], [[1, 1, 0], [0, 0, 3]], token_names=["a", "b", "c"], context_names=["x", "y"]
)


@settings(max_examples=5)
@given(datasets(max_contexts=3))
def test_saved_and_loaded_bit_for_bit(tmp_path_factory, data):
    path = regularization_path(data, radii=[0.0, 1.0, 1e6])
    found = Path.load(path.save(tmp_path_factory.mktemp("path") / "path.npz"))
    for name in (*TENSORS, "gap", "ridge", "excess"):
        ours, theirs = getattr(path, name), getattr(found, name)
        assert theirs.dtype == ours.dtype and torch.equal(theirs, ours)
    assert found.norm == path.norm and torch.equal(found.data.joint, data.joint)
    assert found.summary() == path.summary()


def test_damaged_files(tmp_path):
    file = regularization_path(DATA, radii=[1.0], norm="max").save(tmp_path / "path.npz")
    arrays, meta = runs.load_arrays(file, KIND)
    spare = {"data.counts", "data.weights", "data.conditionals"}  # each follows from the others
    for lost in sorted(set(arrays) - spare):
        runs.save_arrays(file, KIND, {k: v for k, v in arrays.items() if k != lost}, meta)
        with pytest.raises(CheckpointError, match="incomplete or damaged"):
            Path.load(file)
    for lost in meta:
        runs.save_arrays(file, KIND, arrays, {k: v for k, v in meta.items() if k != lost})
        with pytest.raises(CheckpointError, match="incomplete or damaged"):
            Path.load(file)
    with pytest.raises(CheckpointError, match="holds a dataset, expected a path"):
        Path.load(DATA.save(file))


@settings(max_examples=8)
@given(datasets(max_contexts=4), st.sampled_from(["frobenius", "sum"]))
def test_losses_are_those_of_the_decoders(data, norm):
    path = regularization_path(data, radii=[0.0, 0.5, 4.0], norm=norm)
    limit = predict(data)
    for i, weights in enumerate(path.weights):
        parts = loss.evaluate(weights, data)
        # W is a sum of two parts, rounded
        assert path.in_support[i] == pytest.approx(parts.in_support, rel=1e-9, abs=1e-13)
        assert path.tail[i] == pytest.approx(parts.tail, rel=1e-9, abs=1e-300)
        assert path.log_tail[i] == pytest.approx(parts.log_tail, rel=1e-12, abs=1e-12)
        above = loss.evaluate(weights, limit.reference)
        assert path.excess[i] == pytest.approx(above.gap, rel=1e-6, abs=1e-13)
        # what predict knows of inf CE
        assert path.gap[i] + data.entropy == pytest.approx(limit.infimum + float(path.excess[i]), abs=1e-11)
    assert torch.equal(path.gap, path.in_support + path.tail)


def test_shapes_types_and_words():
    path = regularization_path(DATA, ridge=[1e-2, 1e-200, 1.0])
    assert path.weights.shape == path.drift.shape == (3, 3, 2)
    assert all(getattr(path, name).shape == (3,) for name in TENSORS if name not in ("weights", "drift"))
    assert path.ridge.tolist() == pytest.approx([1e-2, 1e-200, 1.0], rel=1e-12)
    assert repr(path).startswith("Path(norm='frobenius', points=3, radius=")
    first, second, third = path.summary().splitlines()
    assert first.startswith("3 minimisers in balls of the norm 'frobenius', radius ") and "log ridge" in first
    assert f"-> {float(path.log_excess[1]):.6g} nats" in second
    assert "exact minimisers within" in third
    assert "exact" not in regularization_path(DATA, radii=[1.0], norm="max").summary()


def test_single_precision_data_gets_single_precision_decoders():
    single = tiny().to(dtype=torch.float32)
    path, wide = (regularization_path(data, radii=[1.0, 1e3]) for data in (single, tiny()))
    assert path.weights.dtype == path.drift.dtype == torch.float32 and path.radii.dtype == torch.float64
    assert path.data is single
    # the data itself is off by its rounding
    assert (path.weights - wide.weights).norm() <= 1e-3 * wide.weights.norm()


def test_arrays_lists_tensors_and_integers_are_taken():
    values = [1, 10]
    paths = [regularization_path(DATA, radii=radii) for radii in (values, np.array(values), torch.tensor(values))]
    assert all(torch.equal(path.weights, paths[0].weights) for path in paths[1:])


def test_zero_embeddings_have_nothing_to_learn():
    data = NTPDataset([[0.0, 0.0]], [[0.5, 0.5, 0.0]])
    for path in (regularization_path(data, radii=[0.0, 1.0]), regularization_path(data, ridge=[1.0, 1e-9])):
        assert path.weights.abs().max() == 0 and path.radii.abs().max() == 0 and path.relative_gap.max() == 0
    assert regularization_path(data, radii=[1.0], norm="max").weights.abs().max() == 0


@pytest.mark.parametrize("scale", [1e-60, 1e60])
def test_any_unit_of_length(scale):
    data = tiny()
    other = NTPDataset(scale * data.embeddings, data.probabilities, data.weights)
    one, two = regularization_path(data, radii=[50.0]), regularization_path(other, radii=[50.0 / scale])
    assert (two.weights * scale - one.weights).norm() <= one.distance_bound[0] + two.distance_bound[0] * scale
    assert two.log_ridge[0] - 2 * math.log(scale) == pytest.approx(float(one.log_ridge[0]), rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "radii is None and ridge is None; exactly one of them must be given"),
        ({"radii": [1.0], "ridge": [1.0]}, "exactly one of them must be given"),
        ({"radii": [1.0, -2.0]}, r"radii\[1\] is -2.0; every entry must be at least 0"),
        ({"radii": [math.nan]}, r"radii\[0\] is nan; every entry must be finite"),
        ({"radii": [math.inf]}, r"radii\[0\] is inf; every entry must be finite"),
        ({"radii": []}, "radii must not be empty"),
        ({"radii": 1.0}, "radii must be a vector"),
        ({"radii": ["a"]}, "radii must be a rectangular array of real numbers"),
        ({"ridge": [1.0, 0.0]}, r"ridge\[1\] is 0.0; every entry must be positive"),
        ({"ridge": [-1e-3]}, r"ridge\[0\] is -0.001; every entry must be positive"),
        ({"ridge": [[1.0]]}, "ridge must be a vector"),
        ({"radii": [1.0], "norm": "octagonal"}, "norm is 'octagonal'; it must be one of 'frobenius'"),
        ({"ridge": [1.0], "norm": "max"}, "norm is 'max'; ridge goes with 'frobenius', in other norms give radii"),
        ({"radii": [1.0], "tol": 0.0}, "tol is 0.0; it must be a number between 0 and 1"),
        ({"radii": [1.0], "tol": True}, "tol is True"),
        ({"radii": [1e-300]}, "radii has 1e-300; for this data it must be 0 or at least"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        regularization_path(DATA, **arguments)


def test_refused_data():
    with pytest.raises(UsageError, match="data is 3; it must be an NTPDataset"):
        regularization_path(3, radii=[1.0])
    large = construct.random(vocab_size=150, dim=60, num_contexts=60, support_size=2, rng=0)
    with pytest.raises(UsageError, match=r"\(V - 1\) rank\(H\) = 8940 unknowns; this takes a table of"):
        regularization_path(large, radii=[1.0])
