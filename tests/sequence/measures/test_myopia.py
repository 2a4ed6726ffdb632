"""Differences of losses of models that are written out, against their definition, sequence by sequence."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, ttest_rel
from torch import nn

from ntp_theory.errors import UsageError
from ntp_theory.sequence.measures import guessing_losses, local_bonus, myopia, myopia_gap
from ntp_theory.sequence.models import LanguageModel, model_for
from ntp_theory.sequence.objectives import MaskedTeacherForcing, Myopic, Regression, Teacherless, WholeSequenceReversed
from ntp_theory.sequence.tasks import Batch, PathStar, Task
from tests.sequence.measures.by_hand import Guesser, Oracle


class Noise(Task):
    """One number a position; its target is itself."""

    numbers, right_answers = 1, False
    vocab_size, max_length, depth = 1, 5, 1

    def sample(self, n, rng=0, *, split=None):
        drawn = torch.from_numpy(np.random.default_rng(rng).standard_normal((n, 5, 1)))
        return Batch(drawn, drawn[:, :, 0])


class Off(LanguageModel):
    """Wrong by a constant and by a share of the number it reads; by more from position to position."""

    numbers, slots = 1, 1

    def __init__(self, constant, share=0.0):
        super().__init__()
        self.constant, self.share, self.head = constant, share, nn.Linear(1, 1, bias=False).double()
        nn.init.ones_(self.head.weight)

    def new_cache(self):
        return None

    def features(self, tokens, cache=None):
        return tokens * (1 + self.share) + self.constant * torch.arange(tokens.shape[1]).double()[:, None]


SQUARES = Regression(delta=1e6)


@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(-1, 1), st.integers(2, 50), st.floats(0.5, 0.999))
def test_against_the_definition(one, other, share, count, level):
    """Means, differences and intervals from losses worked out by hand; the interval against the paired t-test."""
    plain, myopic = Off(one), Off(other, share)
    found = myopia_gap(plain, myopic, Noise(), SQUARES, count=count, rng=3, level=level)
    x, k = Noise().sample(count, 3).answers.numpy(), np.arange(5)
    losses = [np.broadcast_to((a * k + s * x) ** 2 / 2, x.shape) for a, s in ((other, share), (one, 0.0))]
    assert found.first == pytest.approx(losses[0].mean(0)) and found.second == pytest.approx(losses[1].mean(0))
    assert found.by_position == pytest.approx((losses[0] - losses[1]).mean(0))
    assert found.overall == pytest.approx((losses[0] - losses[1]).mean(), abs=1e-12)
    if share and abs(share) > 1e-3:
        low, high = ttest_rel(losses[0].mean(1), losses[1].mean(1)).confidence_interval(level)
        assert found.interval == pytest.approx((low, high), rel=1e-6, abs=1e-9)
        by_position = ttest_rel(losses[0], losses[1]).confidence_interval(level)
        assert found.half_widths == pytest.approx((by_position.high - by_position.low) / 2, rel=1e-6, abs=1e-9)
    swapped = myopia_gap(myopic, plain, Noise(), SQUARES, count=count, rng=3, level=level)
    assert (-swapped.overall, swapped.half_widths) == (found.overall, found.half_widths)
    assert (found.name, found.models) == ("myopia gap", ("myopic", "plain"))


@pytest.mark.parametrize("cut", ["hidden_states", "keys_values"])
def test_a_bonus_is_of_a_reader_on_the_past_of_the_other(cut):
    """An equal reader gains nothing, and losses of another are those of training on that past."""
    task = PathStar(2, 3, 6)
    plain, reader = (model_for(task, seed=s, layers=2).double() for s in (0, 1))
    none = local_bonus(plain, copy.deepcopy(plain), task, cut=cut, count=20)
    assert max(map(abs, none.by_position)) < 1e-12
    assert (none.name, none.models) == ("local bonus", ("plain", "reader"))
    found = local_bonus(plain, reader, task, cut=cut, count=20)
    batch, trained_by = task.sample(20, split="test"), Myopic(cut=cut, past=plain)
    losses = trained_by.losses(reader, trained_by.example(batch, task, torch.Generator())).detach()
    assert found.second == pytest.approx(losses.mean(0).tolist(), abs=1e-12)
    assert found.first == myopia_gap(plain, reader, task, count=20).second
    said = local_bonus(plain, reader, task, Myopic(cut=cut, past=copy.deepcopy(plain)), count=20)
    assert said.by_position == pytest.approx(found.by_position, abs=1e-12)


def test_the_interval_covers():
    """The true difference lies in 90 % intervals about nine times of ten, within what is as rare as 1e-6."""
    truth = 0.3**2 / 2
    found = [myopia_gap(Off(0.0), Off(0.0, 0.3), Noise(), SQUARES, count=200, rng=s, level=0.9) for s in range(200)]
    inside = sum(low <= truth <= high for low, high in (one.interval for one in found))
    assert binom.ppf(1e-6, 200, 0.9) <= inside <= binom.ppf(1 - 1e-6, 200, 0.9)


def test_the_sign():
    same, worse = Off(0.0), Off(0.0, 0.5)
    signs = [myopia_gap(a, b, Noise(), SQUARES).sign for a, b in ((same, worse), (worse, same), (same, same))]
    assert signs == [1, -1, 0]


def test_tokens():
    """One who guesses the arm against one who knows the way: ln 2 at the branch alone."""
    task = PathStar(2, 5, 9)
    found = myopia_gap(Oracle(task), Guesser(task, False), task, count=50)
    assert found.first == pytest.approx(guessing_losses(task), abs=1e-6) and max(found.second) < 1e-6
    assert found.overall == pytest.approx(math.log(2) / 5, abs=1e-6)
    assert f"{found.overall:+.4f}" in found.summary() and len(found.summary().splitlines()) == 7
    assert len(myopia_gap(Oracle(task), Guesser(task, True), task, Teacherless(), count=20).first) == 5


def test_both_models_see_the_same_example(monkeypatch):
    """What is hidden at random is hidden from both; and in chunks it is the same."""
    task = PathStar(2, 3, 6)
    model = model_for(task)
    found = myopia_gap(model, model, task, MaskedTeacherForcing(0.5), count=30)
    assert found.by_position == (0.0,) * 3 and found.half_width == 0
    whole = myopia_gap(model, model_for(task, seed=1), task, count=30)
    monkeypatch.setattr(myopia, "CHUNK", 7)
    parts = myopia_gap(model, model_for(task, seed=1), task, count=30)
    assert parts.by_position == pytest.approx(whole.by_position, rel=1e-4)


def test_it_leaves_the_models_as_they_were():
    task = PathStar(2, 2, 4)
    models = [model_for(task, seed=s).train(mode) for s, mode in ((0, True), (1, False))]
    myopia_gap(*models, task, count=10)
    assert [m.training for m in models] == [True, False]
    assert all(p.grad is None for m in models for p in m.parameters())


def test_doors():
    task = PathStar(2, 3, 6)
    model = model_for(task)
    with pytest.raises(UsageError, match="count is 1"):
        myopia_gap(model, model, task, count=1)
    with pytest.raises(UsageError, match="level is 1"):
        myopia_gap(model, model, task, level=1.0)
    with pytest.raises(UsageError, match="its vocab_size is 25"):
        local_bonus(model, copy.deepcopy(model), PathStar(2, 3, 20))
    with pytest.raises(UsageError, match="it predicts numbers"):
        myopia_gap(model, model, task, Regression())
    with pytest.raises(UsageError, match="past is the model itself"):
        local_bonus(model, model, task)
    with pytest.raises(UsageError, match="model is Mamba"):
        local_bonus(model, model_for(task, "mamba"), task)
    plain = PathStar(2, 3, 6, encoding="paper")
    with pytest.raises(UsageError, match="20 rows of losses of 10 sequences"):
        myopia_gap(model_for(plain), model_for(plain), plain, WholeSequenceReversed(), count=10)
