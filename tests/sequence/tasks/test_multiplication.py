"""Multiplication: texts there and back, products against whole numbers of Python, splits, and wrong calls."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import DatasetError, UsageError
from ntp_theory.sequence.models import model_for
from ntp_theory.sequence.tasks import Multiplication
from ntp_theory.sequence.training import Settings, TeacherForcing, Teacherless, train

seeds = st.integers(0, 2**32)


@st.composite
def tasks(draw, most=25):
    """Up to 25 digits: products far beyond 64 bits."""
    digits = draw(st.integers(1, most))
    return Multiplication(digits, digits + draw(st.integers(0, 6)))


@st.composite
def tasks_and_factors(draw):
    task = draw(tasks())
    number = st.integers(0, 10**task.digits - 1)
    return task, draw(st.lists(st.tuples(number, number), min_size=1, max_size=5))


@given(tasks_and_factors())
def test_texts_and_batches_turn_into_each_other(both):
    """`planning/multiplication`: the text determines the factors and the product, whatever the padding."""
    task, factors = both
    batch = task.batch(factors)
    assert task.factors(batch) == factors
    for (x, y), prompt, answer in zip(factors, batch.prompts.tolist(), batch.answers.tolist(), strict=True):
        text = task.format((x, y))
        assert text == f"{x:0{task.padding}}"[::-1] + "*" + f"{y:0{task.padding}}"[::-1] + "=" + "".join(
            map(str, answer)
        )
        assert int("".join(map(str, answer))[::-1]) == x * y and len(answer) == 2 * task.digits
        assert task.parse(text) == task.parse(text.partition("=")[0] + "=") == (x, y)
        assert "".join("0123456789*="[token] for token in prompt) == text.partition("=")[0] + "="
        assert len(text) == task.max_length


@given(tasks(), seeds, st.sampled_from([None, "train", "test"]))
def test_what_is_drawn(task, seed, split):
    batch = task.sample(20, rng=seed, split=split)
    assert len(batch) == 20 and batch.prompt_length + batch.answer_length == task.max_length
    factors = task.factors(batch)
    assert all(0 <= x < 10**task.digits and 0 <= y < 10**task.digits for x, y in factors)
    again = task.batch(factors)
    assert torch.equal(again.prompts, batch.prompts) and torch.equal(again.answers, batch.answers)
    assert torch.equal(task.sample(20, rng=np.random.default_rng(seed), split=split).prompts, batch.prompts)
    if split is not None:
        assert task.held_out(batch).tolist() == [split == "test"] * 20
    turned = task.batch([(y, x) for x, y in factors])
    assert torch.equal(task.held_out(turned), task.held_out(batch)), "the order does not count"
    padded = Multiplication(task.digits, task.padding + 3)
    assert torch.equal(padded.held_out(padded.batch(factors)), task.held_out(batch)), "nor does the padding"


@given(tasks(), seeds)
def test_solver_and_checker(task, seed):
    batch = task.sample(50, rng=seed)
    assert torch.equal(task.solve(batch), batch.answers) and bool(task.is_correct(batch, batch.answers).all())
    wrong = batch.answers.clone()
    place = torch.from_numpy(np.random.default_rng(seed).integers(2 * task.digits, size=50))
    wrong[torch.arange(50), place] = (wrong[torch.arange(50), place] + 1) % 10
    assert not bool(task.is_correct(batch, wrong).any())


def test_every_pair_is_in_one_split_and_drawn():
    task = Multiplication(1, 2)
    pairs = list(itertools.product(range(10), repeat=2))
    held_out = dict(zip(pairs, task.held_out(task.batch(pairs)).tolist(), strict=True))
    assert 0 < sum(held_out.values()) < len(pairs)
    for split, wanted in (("train", False), ("test", True)):
        # a given one is missed by 3,000 draws from a hundred with probability e^-30 at most
        drawn = set(task.factors(task.sample(3000, split=split)))
        assert drawn == {pair for pair, out in held_out.items() if out is wanted}


def test_sizes_of_factors_are_uniform():
    """A factor is below 10^k if its size is at most k, and otherwise with 10^-(size - k): within 5 standard errors."""
    task, count = Multiplication(3), 20_000
    factors = np.array(task.factors(task.sample(count)))
    for k in (1, 2):
        p = sum(10.0 ** min(0, k - size) for size in (1, 2, 3)) / 3
        for found in (factors < 10**k).mean(0):
            assert abs(found - p) < 5 * math.sqrt(p * (1 - p) / count)


def test_lengths_of_the_public_code():
    """Five digits with a padding of ten: 10 + 1 + 10 + 1 positions of question, 10 of answer."""
    batch = Multiplication(5, 10).sample(1)
    assert (batch.prompt_length, batch.answer_length) == (22, 10)


@pytest.mark.parametrize("objective", [TeacherForcing(), Teacherless()])
def test_it_trains(objective):
    """Loss on the answer alone."""
    task = Multiplication(1, 3)
    settings = Settings(batch_size=32, warmup=5, learning_rate=3e-3)
    result = train(model_for(task, layers=1), task, objective, steps=20, settings=settings, evaluate_count=50)
    assert result.losses.shape == (20, 2) and len(result.evaluations[-1].forced) == 2
    assert result.losses[-1].mean() < result.losses[0].mean()


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda task: Multiplication(0), UsageError, "digits is 0"),
        (lambda task: Multiplication(2.0), UsageError, "digits is 2.0"),
        (lambda task: Multiplication(3, 2), UsageError, "padding is 2; it must be a whole number >= 3"),
        (lambda task: task.sample(0), UsageError, "n is 0"),
        (lambda task: task.sample(3, rng=-1), UsageError, "rng is -1"),
        (lambda task: task.sample(3, split="valid"), UsageError, "split is 'valid'"),
        (lambda task: task.batch([]), UsageError, "factors is empty"),
        (lambda task: task.batch([(1, 2), (3, 100)]), UsageError, r"factors\[1\]\[1\] is 100; .* <= 99"),
        (lambda task: task.format((-1, 2)), UsageError, r"factors\[0\]\[0\] is -1"),
        (lambda task: task.parse("12*340="), DatasetError, r"text is '12\*340='; .* is written as 100\*100=1000"),
        (lambda task: task.parse("120*340"), DatasetError, "is written as"),
        (lambda task: task.parse("121*340="), DatasetError, "121 has more than 2 digits"),
        (lambda task: task.parse("210*430=8041"), DatasetError, "the answer is 8040"),
        (lambda task: task.is_correct(task.sample(3), torch.zeros(3, 2)), UsageError, r"answers has shape \(3, 2\)"),
    ],
)
def test_wrong_calls(call, error, message):
    with pytest.raises(error, match=message):
        call(Multiplication(2, 3))
