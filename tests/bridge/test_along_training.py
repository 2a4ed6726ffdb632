"""Training recorded, and gone on with on frozen features: small models whose every number can be had another way."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import ntp_theory as ntp
from ntp_theory.bridge import (
    AlongTraining,
    along_training,
    exact_features,
    features_dataset,
    head_weights,
    last_layer,
    train_frozen,
)
from ntp_theory.errors import CheckpointError, SolverError, UsageError
from ntp_theory.runs import load_arrays, save_arrays
from ntp_theory.sequence.models import Mamba, MambaConfig, Transformer, TransformerConfig
from ntp_theory.sequence.tasks import SparseContexts, Text
from ntp_theory.sequence.training import NormSteps, Settings, TeacherForcing

TASK = SparseContexts(6, 12, 2, 2)
SETTINGS = Settings(learning_rate=1e-2, warmup=20, schedule="cosine")


def small_model():
    return Transformer(TransformerConfig(6, 2, width=8, layers=1, heads=2))


@pytest.fixture(scope="module")
def trained():
    model = small_model()
    return model, along_training(model, TASK, steps=200, every=100, settings=SETTINGS)


def test_the_last_record_is_the_model(trained):
    model, run = trained
    data = exact_features(model, TASK)
    found = last_layer(model, data)
    assert run.steps.tolist() == [0, 100, 200]
    assert torch.equal(run.data().embeddings, data.embeddings)
    assert torch.equal(torch.from_numpy(run.decoders[-1]), head_weights(model))
    for name in ("excess", "escaping", "margin", "share", "cosine", "finite_error"):
        # W_mm from another start: a relative gap of 1e-12 leaves it sqrt(2e-12) of its length
        assert getattr(run, name)[-1] == pytest.approx(getattr(found, name), rel=2e-6)
    assert run.cases[-1] == found.limit.case == "separable-compatible" and run.separable[-1] and run.compatible[-1]
    assert run.gap[-1] == pytest.approx(found.loss.gap, rel=1e-12)


def test_learning_is_seen(trained):
    _, run = trained
    assert np.all(np.diff(run.gap) < 0) and run.gap[-1] < 0.05
    assert run.finite_error[-1] < 0.2 * run.finite_error[0] and run.cosine[-1] > run.cosine[0]
    assert run.margin[-1] > run.margin[0]


def test_exact_features_are_those_of_everything(trained):
    """The same contexts and laws as counting every row of the enumerated data gives."""
    model, _ = trained
    counted = features_dataset(model, TASK, TeacherForcing(), TASK.everything())
    exact = exact_features(model, TASK)
    assert torch.equal(counted.probabilities.to_dense(), exact.probabilities.to_dense())
    assert torch.allclose(counted.embeddings, exact.embeddings, atol=1e-6)
    assert exact.entropy == pytest.approx(TASK.entropy, abs=1e-12)


def test_saved_and_loaded(trained, tmp_path):
    _, run = trained
    path = run.save(tmp_path / "run.npz")
    again = AlongTraining.load(path)
    assert again.summary() == run.summary() and again.summary().count("\n") == 3
    assert np.array_equal(again.embeddings, run.embeddings)
    arrays, meta = load_arrays(path, "along training")
    with pytest.raises(CheckpointError, match="do not fit"):
        AlongTraining.load(save_arrays(tmp_path / "a.npz", "along training", arrays | {"steps": np.arange(2)}, meta))
    with pytest.raises(CheckpointError, match="not a record"):
        AlongTraining.load(save_arrays(tmp_path / "a.npz", "along training", arrays, {}))


def test_frozen_features_obey_the_laws(trained):
    """`bias/sharp-gd-loss`, `bias/sharp-gd-direction`: nothing of the run enters the limit it is held against."""
    _, run = trained
    found = train_frozen(run.data(), run.decoders[-1], steps=1000)
    assert [check.line() for check in found.checks if not check.holds] == []
    assert {"bias/sharp-gd-loss", "bias/sharp-gd-direction", "bias/log-time-flow"} <= {c.label for c in found.checks}
    assert torch.equal(found.descent.weights[0], torch.from_numpy(run.decoders[-1]))
    assert abs(float(found.loss_ratio[-1]) - 1) < abs(float(found.loss_ratio[0]) - 1)
    angles = found.angles
    assert float(angles[-1]) < 1e-3 < float(angles[0]) and "sharp-gd-loss" in found.summary()
    # an independent reading of the same number
    slope = found.flow.log_derivative[-1]
    cosine = float((slope * found.limit.direction).sum() / (slope.norm() * found.limit.direction.norm()))
    assert 1 - cosine == pytest.approx(float(angles[-1]), abs=1e-12)
    gap, t = found.descent.gap[-1], found.descent.step_size * 1000
    assert float(found.descent_ratio[-1]) == pytest.approx(float(t * gap) / found.limit.loss_constant, rel=1e-9)


@pytest.mark.parametrize("log_time", [5.0, 10.0])
def test_a_flow_that_ends_early_refutes_nothing(trained, log_time):
    """Laws are held to what the data predicts for the time, or not read."""
    _, run = trained
    found = train_frozen(run.data(), run.decoders[-1], steps=30, log_time=log_time)
    assert [check.line() for check in found.checks if not check.holds] == []
    assert abs(float(found.loss_ratio[-1]) - 1.0) > 0.1  # far from the limit
    read = [check for check in found.checks if check.statement.endswith("features frozen")]
    assert len(read) == (2 if log_time == 10.0 else 0) and all(check.tolerance < 0.5 for check in read)
    assert ("laws not read: they set in" in found.summary()) is (log_time == 5.0)


def test_a_wrong_flow_is_noticed(trained):
    """Tolerances are narrow where the laws are sharp: a head longer by a thousandth, a direction off by a twentieth."""
    _, run = trained
    found = train_frozen(run.data(), run.decoders[-1], steps=30)
    loss, angle = found.checks[:2]
    assert loss.holds and loss.tolerance < 0.01 and angle.holds and angle.tolerance < 1e-3
    longer = replace(found, flow=replace(found.flow, weights=1.001 * found.flow.weights))
    assert not longer.checks[0].holds
    other = found.flow.log_derivative + 0.05 * found.limit.svm.norm * torch.eye(*found.limit.direction.shape)
    assert not replace(found, flow=replace(found.flow, log_derivative=other)).checks[1].holds


def test_features_of_another_time_are_another_law(trained):
    """The increments go to W_mm of the features they were trained on, and not to that of other ones."""
    _, run = trained
    found = train_frozen(run.data(1), run.decoders[1], steps=10)
    slope, other = found.flow.log_derivative[-1], ntp.predict(run.data()).direction
    assert float(found.angles[-1]) < 1e-3 < 1 - float((slope * other).sum() / (slope.norm() * other.norm()))


def test_text_and_mamba():
    """Contexts of a text that recur, in a state-space model."""
    text = Text("so be it, or not to be; " * 20, length=4, stretches=10)
    model = Mamba(MambaConfig(text.vocab_size, width=16, layers=1))
    batch = text.windows("train")
    run = along_training(model, text, steps=20, every=20, batch=batch, settings=Settings(16, 1e-2, 5))
    counted = features_dataset(model, text, TeacherForcing(), batch)
    assert run.steps.tolist() == [0, 20] and run.data().num_contexts == counted.num_contexts
    assert run.gap[1] < run.gap[0] and run.data().entropy == pytest.approx(counted.entropy, abs=1e-12)


def test_mamba_learns_features_that_obey_the_laws():
    """A state-space model on known laws: nothing in the theory asks what has made the features."""
    model = Mamba(MambaConfig(TASK.vocab_size, width=8, layers=1))
    run = along_training(model, TASK, steps=100, every=50, settings=SETTINGS)
    assert run.separable[-1] and run.compatible[-1] and run.gap[-1] < 0.2 * run.gap[0]
    found = train_frozen(run.data(), run.decoders[-1], steps=300)
    assert [check.line() for check in found.checks if not check.holds] == []


def test_the_optimiser_is_the_one_that_was_given():
    """One step of sign descent moves every entry of the head by the learning rate."""
    settings = Settings(learning_rate=1e-2, warmup=0)
    run = along_training(small_model(), TASK, steps=1, every=1, settings=settings, optimizer=NormSteps)
    moved = np.abs(run.decoders[1] - run.decoders[0])
    np.testing.assert_allclose(moved, 1e-2, rtol=1e-4)


def test_a_limit_that_cannot_be_computed_does_not_end_the_training(monkeypatch):
    def refuse(*_, **__):
        raise SolverError("no", status="none")

    monkeypatch.setattr(sys.modules["ntp_theory.bridge.along_training"], "last_layer", refuse)  # a function's name too
    run = along_training(small_model(), TASK, steps=1, every=1)
    assert run.cases == ("undecided",) * 2 and not run.separable.any() and np.isnan(run.cosine).all()
    assert np.isfinite(run.gap).all() and "undecided" in run.summary()


def test_each_limit_starts_where_the_last_ended(monkeypatch):
    """After one that could not be computed, where the last before it did."""
    module, made = sys.modules["ntp_theory.bridge.along_training"], []

    def watched(model, data, *, start):
        made.append((start, last_layer(model, data, start=start)))
        if len(made) == 2:
            raise SolverError("no", status="none")
        return made[-1][1]

    monkeypatch.setattr(module, "last_layer", watched)
    along_training(small_model(), TASK, steps=3, every=1, settings=SETTINGS)
    (first, a), (second, _), (third, b), (fourth, _) = made
    assert first is None and second is a and third is a and fourth is b


def test_refused():
    with pytest.raises(UsageError, match="batch is a Batch"):
        along_training(small_model(), TASK, steps=1, every=1, batch=TASK.sample(3))
    text = Text("so be it, or not to be; " * 20, length=4, stretches=10)
    with pytest.raises(UsageError, match="batch is None"):
        along_training(small_model(), text, steps=1, every=1)
    with pytest.raises(UsageError, match="laws are known"):
        exact_features(small_model(), text)
    nothing = ntp.NTPDataset([[1.0], [2.0]], [[1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(UsageError, match="no W_mm"):
        train_frozen(nothing, torch.zeros(2, 1))
    with pytest.raises(UsageError, match="steps"):
        train_frozen(nothing, torch.zeros(2, 1), steps=0)
    with pytest.raises(UsageError, match="log_time is 1"):
        train_frozen(ntp.construct.tiny(), torch.zeros(5, 8), steps=1000, log_time=1.0)
