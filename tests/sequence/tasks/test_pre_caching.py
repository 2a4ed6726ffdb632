"""The pre-caching task: targets against a double loop, splits, and the loss of saying 0 against other ways to it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from torch.nn.functional import huber_loss

from ntp_theory.errors import UsageError
from ntp_theory.sequence.measures import evaluate
from ntp_theory.sequence.models import model_for
from ntp_theory.sequence.tasks import PreCaching
from ntp_theory.sequence.training import Regression

seeds = st.integers(0, 2**32)


@st.composite
def tasks(draw, **options):
    options.setdefault("probability", draw(st.sampled_from([0.0, 0.3, 1.0])))
    return PreCaching(
        draw(st.floats(0.3, 20)),
        draw(st.integers(1, 12)),
        shift=draw(st.integers(0, 4)),
        length=draw(st.integers(1, 10)),
        **options,
    )


@given(tasks(), seeds)
def test_targets_are_those_of_a_double_loop(task, seed):
    """`planning/synthetic-task`, to the last bit: the same sums in the same order."""
    batch = task.sample(3, rng=seed)
    x, z = (batch.prompts[:, :, i].double().numpy() for i in (0, 1))
    for row in range(3):
        for n in range(task.length):
            total = 0.0
            for back in range(task.shift, task.shift + task.window):
                if n - back >= 0:
                    total += np.sin(task.frequency * x[row, n - back])
            wanted = np.float32(total) if z[row, n] == 1 else np.float32(x[row, n])
            assert batch.answers[row, n].item() == wanted
    assert batch.prompts.shape == (3, task.length, 2) and batch.prompts.dtype == batch.answers.dtype == torch.float32


@given(tasks())
def test_how_many_terms(task):
    """As many as positions in the window are not before the first."""
    for n, terms in enumerate(task.terms()):
        assert terms == sum(n - task.shift - i >= 0 for i in range(task.window))


@given(tasks(), seeds, st.sampled_from([None, "train", "test"]))
def test_the_same_seed_draws_the_same(task, seed, split):
    first, second = (task.sample(5, rng=seed, split=split) for _ in range(2))
    assert torch.equal(first.prompts, second.prompts) and torch.equal(first.answers, second.answers)
    through = task.sample(5, rng=np.random.default_rng(seed), split=split)
    assert torch.equal(first.prompts, through.prompts)
    assert not torch.equal(first.prompts, task.sample(5, rng=seed + 1, split=split).prompts)


@given(tasks(), seeds)
def test_splits_share_no_sequence(task, seed):
    """Though they are drawn with the same seed; and a generator goes on."""
    train, test = (task.sample(20, rng=seed, split=split).prompts[:, 0, 0] for split in ("train", "test"))
    assert not set(train.tolist()) & set(test.tolist())
    random = np.random.default_rng(seed)
    first, second = (task.sample(20, rng=random, split="train").prompts[:, 0, 0] for _ in range(2))
    assert not set(first.tolist()) & set(second.tolist())
    assert not bool(task.held_out(task.sample(20, rng=seed, split="test")).any())


@pytest.mark.parametrize("split", [None, "train", "test"])
def test_what_is_drawn(split):
    """Mean, variance and correlation of x over 200,000 draws, and the share of coins, within five standard errors."""
    task = PreCaching(probability=0.3, length=100)
    prompts = task.sample(2000, rng=0, split=split).prompts.double()
    x, z = prompts[:, :, 0], prompts[:, :, 1]
    unit = 5 / math.sqrt(x.numel())
    assert abs(x.mean()) < unit and abs(x.var() - 1) < math.sqrt(2) * unit
    assert abs((x[:, 1:] * x[:, :-1]).mean()) < 5 / math.sqrt(x[:, 1:].numel())
    assert abs(z.mean() - 0.3) < math.sqrt(0.21) * unit and set(z.unique().tolist()) == {0.0, 1.0}


@given(tasks(), st.floats(0, 3))
def test_a_wide_parabola(task, more):
    """Where the Huber loss is a parabola, the loss of a sum of m sines is ``m (1 - exp(-2 a^2)) / 4``."""
    delta = task.window + more
    p, variance = task.probability, -math.expm1(-2 * task.frequency**2) / 2
    tail = math.erfc(delta / math.sqrt(2))
    density = math.exp(-(delta**2) / 2) / math.sqrt(2 * math.pi)
    present = 0.5 * (1 - tail) + delta * density - delta**2 * tail / 2
    wanted = [p * m * variance / 2 + (1 - p) * present for m in task.terms()]
    assert task.zero_losses(delta) == pytest.approx(
        wanted, abs=((task.window + delta) / math.pi**1.5 / 1e4) ** 2 + 1e-12
    )


@given(st.floats(0.1, 6), st.floats(0.05, 3))
def test_one_sine_by_quadrature(frequency, delta):
    """In the angle: what falls together on the circle has a density that is a sum of Gaussians."""

    def loss(angle):
        turns = angle + 2 * math.pi * np.arange(-10, 11)
        density = np.exp(-((turns / frequency) ** 2) / 2).sum() / frequency / math.sqrt(2 * math.pi)
        s = abs(math.sin(angle))
        return density * (s * s / 2 if s <= delta else delta * (s - delta / 2))

    kinks = [0.0, math.pi / 2, math.pi]
    kinks = sorted({*kinks, *((math.asin(delta), math.pi - math.asin(delta)) if delta < 1 else ())})
    wanted = 2 * sum(quad(loss, a, b, epsabs=1e-11)[0] for a, b in zip(kinks, kinks[1:], strict=False))
    task = PreCaching(frequency, 1, 1.0, length=2)
    assert task.zero_losses(delta) == pytest.approx((0.0, wanted), abs=((1 + delta) / math.pi**1.5 / 1e4) ** 2 + 1e-9)


@pytest.mark.parametrize("frequency, window, probability, shift", [(5, 10, 1, 1), (10, 3, 0.3, 0), (0.4, 2, 1, 0)])
def test_the_loss_of_saying_zero(frequency, window, probability, shift):
    """Against 20,000 sequences, at every position, by way of a model that says 0: within five standard errors."""
    task = PreCaching(frequency, window, probability, shift=shift, length=12)
    batch = task.sample(4000, np.random.default_rng(0), split="test")
    losses = huber_loss(batch.answers, torch.zeros_like(batch.answers), reduction="none").double()
    off = (losses.mean(0) - torch.tensor(task.zero_losses()).double()).abs()
    assert bool((off <= 5 * losses.std(0) / math.sqrt(len(losses))).all())
    model = model_for(task)
    torch.nn.init.zeros_(model.head.weight)
    found = evaluate(model, task, Regression(), count=4000, rng=0)
    assert found.losses == pytest.approx(losses.mean(0).tolist(), rel=1e-5)


def test_the_losses_that_are_printed():
    """1.2569 in the public notebook for T = 64; own Monte Carlo values to the digits given."""
    mean = {t: np.mean(t.zero_losses()) for t in [PreCaching(probability=1.0), PreCaching(5.0, 10, 1.0, length=32)]}
    assert [round(v, 3) for v in mean.values()] == [1.257, 1.161]
    for window, shift, printed in [(10, 0, 1.202), (4, 1, 0.683), (4, 0, 0.707)]:
        mean = np.mean(PreCaching(5.0, window, 1.0, shift=shift, length=32).zero_losses())
        assert mean == pytest.approx(printed, abs=1.5e-3)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: PreCaching(0.0), "frequency is 0.0"),
        (lambda: PreCaching(window=0), "window is 0"),
        (lambda: PreCaching(probability=1.5), "probability is 1.5"),
        (lambda: PreCaching(shift=-1), "shift is -1"),
        (lambda: PreCaching(length=0), "length is 0"),
        (lambda: PreCaching().sample(0), "n is 0"),
        (lambda: PreCaching().sample(2, split="valid"), "split is 'valid'"),
        (lambda: PreCaching().zero_losses(0.0), "delta is 0.0"),
    ],
)
def test_wrong_calls(call, message):
    with pytest.raises(UsageError, match=message):
        call()
