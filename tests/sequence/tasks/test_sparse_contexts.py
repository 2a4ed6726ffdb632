"""Contexts with known laws: what is drawn once, what is drawn each time, and the exact loss."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from ntp_theory.errors import UsageError
from ntp_theory.sequence.models import Transformer, TransformerConfig
from ntp_theory.sequence.tasks import SparseContexts
from ntp_theory.sequence.training import ExactLaws, Settings, TeacherForcing, train

TASK = SparseContexts(vocab_size=6, num_contexts=8, support_size=(1, 3), context_length=2, denominator=6, seed=3)


@st.composite
def sparse_tasks(draw):
    v, k = draw(st.integers(2, 9)), draw(st.integers(1, 3))
    lo = draw(st.integers(1, v))
    hi = draw(st.integers(lo, v))
    return SparseContexts(
        v,
        draw(st.integers(1, min(v**k, 12))),
        draw(st.sampled_from([(lo, hi), hi])),
        k,
        denominator=draw(st.integers(hi, 12)),
        seed=draw(st.integers(0, 99)),
    )


def small_model(task, seed=0):
    config = TransformerConfig(task.vocab_size, task.context_length, width=8, layers=1, heads=2, seed=seed)
    return Transformer(config)


@given(sparse_tasks())
def test_contexts_are_distinct_and_laws_are_sparse(task):
    lo, hi = task._sizes
    assert len({tuple(x) for x in task.contexts.tolist()}) == len(task.contexts)
    assert 0 <= int(task.contexts.min()) and int(task.contexts.max()) < task.vocab_size
    sizes = (task.counts > 0).sum(1)
    assert bool((task.counts.sum(1) == task.denominator).all()) and lo <= int(sizes.min()) and int(sizes.max()) <= hi
    rows = [[Fraction(c, task.denominator) for c in row] for row in task.counts.tolist()]
    exact = sum(-float(p) * math.log(p) for row in rows for p in row if p) / len(rows)
    assert task.entropy == pytest.approx(exact, abs=1e-12)


@given(sparse_tasks())
def test_everything_is_the_law_itself(task):
    batch = task.everything()
    counts = torch.zeros_like(task.counts)
    counts.index_put_((task.rows(batch.prompts), batch.answers[:, 0]), torch.ones(len(batch), dtype=torch.int64), True)
    assert torch.equal(counts, task.counts)


@given(sparse_tasks(), st.integers(0, 99), st.sampled_from([None, "train", "test"]))
def test_samples_are_of_the_task(task, seed, split):
    batch = task.sample(7, rng=seed, split=split)
    task.check("batch", batch)
    assert bool((task.counts[task.rows(batch.prompts), batch.answers[:, 0]] > 0).all())
    again = task.sample(7, rng=seed, split=split)
    assert torch.equal(batch.prompts, again.prompts) and torch.equal(batch.answers, again.answers)


def test_samples_follow_the_law():
    batch = TASK.sample(40_000, rng=0)
    counts = torch.zeros_like(TASK.counts)
    counts.index_put_((TASK.rows(batch.prompts), batch.answers[:, 0]), torch.ones(len(batch), dtype=torch.int64), True)
    on = TASK.counts > 0
    assert not bool(counts[~on].any())
    expected = (TASK.laws * 40_000 / len(TASK.contexts))[on]
    assert chisquare(counts[on].numpy(), expected.numpy()).pvalue > 1e-4


@settings(max_examples=20)
@given(sparse_tasks(), st.integers(0, 9))
def test_exact_loss_is_that_of_everything(task, seed):
    """The mean over all contexts by their laws, against the mean over the rows of `everything`; never below H."""
    model, exact, generator = small_model(task, seed), ExactLaws(task), torch.Generator()
    everything = task.everything()
    sampled = (
        TeacherForcing().losses(model, TeacherForcing().example(everything, task, generator)).detach().double().mean()
    )
    found = (
        exact.losses(model, exact.example(everything[:: task.denominator], task, generator)).detach().double().mean()
    )
    assert float(found) == pytest.approx(float(sampled), rel=1e-5, abs=1e-6)
    assert float(found) >= task.entropy - 1e-5


def test_training_on_exact_laws_has_no_noise():
    """All contexts in each step: the recorded loss is the exact one, and comes down."""
    examples = TASK.everything()[:: TASK.denominator]
    result = train(
        small_model(TASK), TASK, ExactLaws(TASK), steps=60, settings=Settings(8, 1e-2, 10), examples=examples
    )
    assert result.losses[-1, 0] < 0.7 * result.losses[0, 0] and result.losses[-1, 0] > TASK.entropy


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_contexts": 37, "vocab_size": 6, "context_length": 2}, "num_contexts is 37"),
        ({"support_size": 33}, "support_size is 33"),
        ({"support_size": (1, 2, 3)}, "support_size is"),
        ({"denominator": 1}, "denominator is 1"),
        ({"context_length": 13}, "context_length is 13"),
    ],
)
def test_refused(options, message):
    with pytest.raises(UsageError, match=message):
        SparseContexts(**options)


def test_other_contexts_and_tasks_are_refused():
    known = {tuple(x) for x in TASK.contexts.tolist()}
    strange = next([a, b] for a in range(6) for b in range(6) if (a, b) not in known)
    with pytest.raises(UsageError, match=r"prompts\[1\] is"):
        TASK.rows(torch.tensor([TASK.contexts[0].tolist(), strange]))
    with pytest.raises(UsageError, match="it must be"):
        TASK.rows(torch.zeros(1, 3, dtype=torch.int64))
    with pytest.raises(UsageError, match="exact-laws"):
        ExactLaws(TASK).check_fits(SparseContexts(6, 8, (1, 3), 2, denominator=6, seed=4))
    with pytest.raises(UsageError, match="laws are known"):
        ExactLaws("a task")
