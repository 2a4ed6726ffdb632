"""Accuracies against hand-written models, and the confidence interval against its definition."""

from __future__ import annotations

import math

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ntp_theory.errors import UsageError
from ntp_theory.sequence import evaluation
from ntp_theory.sequence.measures import confidence_interval, evaluate, guessing_losses
from ntp_theory.sequence.models import Transformer, TransformerConfig
from ntp_theory.sequence.tasks import PathStar
from ntp_theory.sequence.training import FirstTokenOnly, MaskedTeacherForcing, TeacherForcing, Teacherless
from tests.sequence.measures.by_hand import Guesser, OneEdgeRule, Oracle


@given(st.integers(1, 300), st.data(), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_clopper_pearson(count, data, level):
    """Its ends are where a binomial tail is half of what is left out; found by bisection in 40 digits."""
    successes = data.draw(st.integers(0, count))
    low, high = confidence_interval(successes, count, level)
    exact = binomtest(successes, count).proportion_ci(level, "exact")
    assert (low, high) == pytest.approx((exact.low, exact.high), rel=1e-9, abs=1e-12)
    tail = (1 - mpmath.mpf(level)) / 2
    with mpmath.workdps(40):
        for end, below in ((low, False), (high, True)):
            if end in (0.0, 1.0):
                assert successes == (count if below else 0)
                continue
            ks = range(successes + 1) if below else range(successes, count + 1)
            p = mpmath.mpf(end)
            found = mpmath.fsum(mpmath.binomial(count, k) * p**k * (1 - p) ** (count - k) for k in ks)
            assert abs(found / tail - 1) < 1e-9


@pytest.mark.parametrize("call", [(5, 4), (-1, 4), (1, 0), (1.5, 4), (1, 4, 1.0), (1, 4, -0.1), (1, 4, "most")])
def test_what_is_no_interval(call):
    with pytest.raises(UsageError, match=" is "):
        confidence_interval(*call)


@pytest.mark.parametrize("encoding", ["edge-packed", "paper"])
def test_one_who_solves(encoding):
    task = PathStar(3, 4, 12, encoding=encoding)
    found = evaluate(Oracle(task), task, count=200, step=7)
    assert (found.step, found.count, found.free, found.forced) == (7, 200, 1.0, (1.0,) * 4)
    assert max(found.losses) < 1e-6 and found.free_interval == confidence_interval(200, 200)


def test_one_who_looks_up_edges():
    """Takes the first arm listed: right for 1/d, forced accuracies 1, 1/d, 1, ..: `pitfalls/chance-level`."""
    task, count = PathStar(2, 5, 9), 2000
    found = evaluate(OneEdgeRule(task), task, count=count)
    assert found.forced == (1.0, found.free, 1.0, 1.0, 1.0), "no compounding: `pitfalls/snowballing`"
    assert abs(found.free - 0.5) < 5 * math.sqrt(0.25 / count)


@pytest.mark.parametrize("teacherless", [False, True])
def test_one_who_guesses_by_the_law(teacherless):
    """The losses of the explicit laws are those that `guessing_losses` names."""
    for shape in ((2, 5, 9), (3, 4, 20), (2, 3, 5), (2, 2, 3)):
        task = PathStar(*shape)
        objective = Teacherless() if teacherless else TeacherForcing()
        found = evaluate(Guesser(task, teacherless), task, objective, count=50)
        assert found.losses == pytest.approx(guessing_losses(task, teacherless=teacherless), abs=1e-6)


def test_chunks(monkeypatch):
    """However many questions at once, the same figures up to the order of sums."""
    task = PathStar(2, 3, 6)
    config = TransformerConfig(task.vocab_size, task.max_length, width=16, layers=1, slots=3, null=task.null)
    model = Transformer(config).double()
    for objective in (TeacherForcing(), Teacherless()):
        whole = evaluate(model, task, objective, count=100)
        for chunk in (1, 7, 100):
            monkeypatch.setattr(evaluation, "CHUNK", chunk)
            parts = evaluate(model, task, objective, count=100)
            assert (parts.free, parts.forced) == (whole.free, whole.forced)
            assert parts.losses == pytest.approx(whole.losses, rel=1e-12)
        monkeypatch.undo()


def test_it_leaves_the_model_as_it_was():
    task = PathStar(2, 2, 4)
    config = TransformerConfig(task.vocab_size, task.max_length, width=8, layers=1, heads=1, slots=3, null=task.null)
    for mode in (True, False):
        model = Transformer(config).train(mode)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        evaluate(model, task, MaskedTeacherForcing(), count=10)
        assert model.training is mode and all(p.grad is None for p in model.parameters())
        assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_losses_that_are_not_those_of_the_answer():
    task = PathStar(2, 3, 6)
    found = evaluate(Oracle(task), task, FirstTokenOnly(), count=10)
    assert found.free == 1.0 and all(map(math.isnan, found.losses))


def test_doors():
    task = PathStar(2, 3, 6)
    with pytest.raises(UsageError, match="count is 0"):
        evaluate(Oracle(task), task, count=0)
    with pytest.raises(UsageError, match="its vocab_size is 25, and the model's 11"):
        evaluate(Oracle(task), PathStar(2, 3, 20), count=5)
