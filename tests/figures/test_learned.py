"""What the figures of learned features draw: the records themselves, and predictions that do not come from the run."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ntp_theory import figures
from ntp_theory.bridge import along_training, train_frozen
from ntp_theory.sequence.models import Transformer, TransformerConfig
from ntp_theory.sequence.tasks import SparseContexts


@pytest.fixture(scope="module")
def run():
    task = SparseContexts(5, 6, 2, 2)
    model = Transformer(TransformerConfig(5, 2, width=8, layers=1, heads=2))
    return along_training(model, task, steps=20, every=10)


@pytest.fixture(scope="module")
def frozen(run):
    return train_frozen(run.data(), run.decoders[-1], steps=100)


def drawn(ax):
    return {line.get_label(): np.asarray(line.get_ydata(), dtype=float) for line in ax.lines}


def test_along(run):
    lines = drawn(figures.gap_along(run))
    assert np.array_equal(lines[r"$\mathrm{CE}-\mathcal{H}$"], run.gap)
    assert np.array_equal(lines["off supports"] + lines["within supports"], run.gap)
    lines = drawn(figures.conditions_along(run))
    assert np.array_equal(lines["share of the margin"], run.share)
    assert np.array_equal(lines["separable share of pairs"], run.escaping)


def test_frozen(frozen):
    lines = drawn(figures.frozen_loss(frozen))
    assert lines["flow"][-1] == pytest.approx(float(torch.exp(frozen.flow.log_tail[-1] + 100.0)), rel=1e-9)
    assert set(lines[r"$\|W^{mm}\|^2$"]) == {frozen.limit.loss_constant}
    assert len(lines["gradient descent"]) == len(frozen.descent.times) - 1
    ax = figures.frozen_direction(frozen)
    lines = drawn(ax)
    assert np.array_equal(lines[r"increment $dW/d\log t$"], frozen.angles.numpy())
    w, goal = frozen.flow.weights[-1], frozen.limit.direction
    cosine = float((w * goal).sum() / (w.norm() * goal.norm()))
    assert lines["$W$ itself"][-1] == pytest.approx(1 - cosine, abs=1e-12)
    asymptote = next(values for name, values in lines.items() if "infty" in name)
    assert asymptote[0] <= lines["$W$ itself"][0] * (1 + 1e-9)  # an asymptote is not drawn where it says nothing
    assert asymptote[-1] == pytest.approx(frozen.limit.angle_bound / (100.0 + frozen.limit.mean_offset) ** 2)
