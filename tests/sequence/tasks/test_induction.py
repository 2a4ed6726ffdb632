"""Induction: sequences, splits, and the least loss against the enumeration of all sequences of small tasks."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from ntp_theory.errors import UsageError
from ntp_theory.sequence.models import model_for
from ntp_theory.sequence.tasks import Batch, Induction
from ntp_theory.sequence.training import Settings, TeacherForcing, train
from tests.sequence.strategies import induction_tasks

seeds = st.integers(0, 2**32)
splits = st.sampled_from([None, "train", "test"])
SMALL = [
    Induction(2, 6, rate=0.5, background=2, name_tokens=2),
    Induction(2, 8, rate=0.75, background=1, name_tokens=3),
    Induction(3, 9, rate=1.0, background=1, name_tokens=3),
    Induction(1, 7, rate=0.25, background=1, name_tokens=2),
]


def mentions(task, tokens):
    """Marker and what follows it, read one token after another: (place of the second token, name)."""
    found, place = [], 0
    while place < len(tokens):
        if tokens[place] != task.marker:
            assert tokens[place] < task.background
            place += 1
            continue
        assert all(task.background <= token < task.marker for token in tokens[place + 1 : place + 3])
        if place + 2 < len(tokens):
            found.append((place + 2, tuple(token - task.background for token in tokens[place + 1 : place + 3])))
        place += 3
    return found


def law(task, split):
    """The probability of every sequence, by its definition."""
    found: Counter = Counter()
    allowed = task.allowed(split)

    def grow(tokens, weight, names):
        if len(tokens) >= task.length:
            found[tokens[: task.length]] += weight
            return
        for token in range(task.background):
            if task.rate < 1:
                grow((*tokens, token), weight * (1 - task.rate) / task.background, names)
        for a, b in names:
            more = (task.marker, task.background + a, task.background + b)
            grow(tokens + more, weight * task.rate / task.names, names)

    orders = list(itertools.permutations(range(task.name_tokens), task.names))
    for firsts in orders:
        seconds = list(itertools.product(*(np.flatnonzero(allowed[a]).tolist() for a in firsts)))
        for chosen in seconds:
            grow((), 1 / len(orders) / len(seconds), list(zip(firsts, chosen, strict=True)))
    return found


@given(induction_tasks(), seeds, splits)
def test_what_is_drawn(task, seed, split):
    batch = task.sample(20, rng=seed, split=split)
    sequences = batch.with_tokens(batch.answers)
    assert sequences.shape == (20, task.max_length) and batch.prompt_length == 1
    assert torch.equal(task.sample(20, rng=np.random.default_rng(seed), split=split).answers, batch.answers)
    allowed, test = task.allowed(split), task.allowed("test")
    for row, tokens in enumerate(sequences.tolist()):
        found = mentions(task, tokens)
        assert task.second_tokens(batch)[row].nonzero().flatten().tolist() == [place for place, _ in found]
        names = {name for _, name in found}
        assert len({first for first, _ in names}) == len(names) <= task.names
        assert all(allowed[name] for name in names)
        assert bool(task.held_out(batch)[row]) == any(test[name] for name in names)


@given(induction_tasks())
def test_splits_part_the_names(task):
    """As many of every first token, so that the second token of a new name has the same entropy after each."""
    train, test = task.allowed("train"), task.allowed("test")
    assert bool((train ^ test).all()) and bool(task.allowed().all())
    assert set(test.sum(1).tolist()) == {math.ceil(task.name_tokens / 10)}
    assert bool(train.any(1).all())


@pytest.mark.parametrize("task", SMALL, ids=repr)
@pytest.mark.parametrize("split", [None, "train", "test"])
def test_floor_and_guessing_against_enumeration(task, split):
    """The entropy of each token given all before it, by the chain rule on the law of whole sequences."""
    found = law(task, split)
    assert math.isclose(math.fsum(found.values()), 1, rel_tol=1e-12)
    entropies = []
    for t in range(1, task.length + 1):
        beginnings: Counter = Counter()
        for tokens, weight in found.items():
            beginnings[tokens[:t]] += weight
        entropies.append(-math.fsum(w * math.log(w) for w in beginnings.values() if w))
    assert task.floor(split) == pytest.approx([b - a for a, b in itertools.pairwise(entropies)], abs=1e-12)

    hits = places = 0.0
    for tokens, weight in found.items():
        known: dict[int, int] = {}
        for _, (a, b) in mentions(task, tokens):
            if a in known:
                assert known[a] == b, "the first token determines the second"
                places += weight
                hits += weight * sum(second == b for second in known.values()) / len(known)
            known[a] = b
    assert task.guessing_accuracy(split) == pytest.approx(hits / places, abs=1e-12)


@pytest.mark.parametrize("split", [None, "train", "test"])
def test_sequences_are_drawn_with_their_probabilities(split):
    """A fixed seed; one in 10,000 would miss."""
    task, count = Induction(2, 5, rate=0.5, background=1, name_tokens=2), 20_000
    batch = task.sample(count, rng=0, split=split)
    drawn = Counter(map(tuple, batch.with_tokens(batch.answers).tolist()))
    expected = {tokens: count * weight for tokens, weight in law(task, split).items()}
    assert set(drawn) <= set(expected) and min(expected.values()) > 10
    assert chisquare([drawn[tokens] for tokens in expected], list(expected.values())).pvalue > 1e-4


def test_the_toy():
    """`multitoken/induction-toy`: 73 tokens, two names, 48 positions, a first plateau at about 0.64."""
    task = Induction()
    assert (task.vocab_size, task.names, task.max_length) == (73, 2, 48)
    assert round(task.guessing_accuracy("train"), 2) == round(task.guessing_accuracy("test"), 2) == 0.64
    assert task.floor("test") < task.floor("train") < task.floor()


def test_too_short_for_a_name_to_come_again():
    assert math.isnan(Induction(2, 5).guessing_accuracy())


def test_it_trains():
    task = Induction(1, 12, rate=0.5, background=2, name_tokens=4)
    settings = Settings(batch_size=32, warmup=5, learning_rate=3e-3)
    result = train(model_for(task, layers=1), task, TeacherForcing(), steps=20, settings=settings, evaluate_count=50)
    assert result.losses.shape == (20, 11) and result.losses[-1].mean() < result.losses[0].mean()
    batch = task.sample(100, split="train")
    train(model_for(task, layers=1), task, TeacherForcing(), steps=1, settings=settings, examples=batch)
    with pytest.raises(UsageError, match="examples has .* questions that are held out"):
        train(model_for(task, layers=1), task, TeacherForcing(), steps=1, examples=task.sample(200))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: Induction(0), "names is 0"),
        (lambda: Induction(65), "names is 65; it must be .* <= 64"),
        (lambda: Induction(2, 1), "length is 1"),
        (lambda: Induction(rate=1.5), "rate is 1.5"),
        (lambda: Induction(rate=0), "rate is 0; it must be above 0"),
        (lambda: Induction(background=0), "background is 0"),
        (lambda: Induction(name_tokens=1), "name_tokens is 1"),
        (lambda: Induction().sample(0), "n is 0"),
        (lambda: Induction().sample(3, rng=-1), "rng is -1"),
        (lambda: Induction().sample(3, split="valid"), "split is 'valid'"),
        (lambda: Induction().floor("valid"), "split is 'valid'"),
        (lambda: Induction().second_tokens(Induction(2, 9).sample(3)), r"batch has answers of shape \(3, 8\)"),
        (lambda: Induction(2, 4).second_tokens(sequence(72, 10, 0, 0)), "batch has a marker without two name tokens"),
        (lambda: Induction(2, 4).second_tokens(sequence(72, 72, 10, 10)), "batch has a marker without two name tokens"),
        (lambda: Induction(2, 4).held_out(sequence(0, 10, 11, 0)), "or the other way round; the first in 0"),
    ],
)
def test_wrong_calls(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def sequence(*tokens):
    row = torch.tensor([tokens])
    return Batch(row[:, :1], row[:, 1:])
