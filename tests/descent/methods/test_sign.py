"""Sign descent and Signum: by hand, against the plain thing, and where gradients are below every double."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.construct import random
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import descend
from ntp_theory.descent.methods.sign import SignDescent, Signum, entrywise_reach
from ntp_theory.errors import UsageError
from ntp_theory.loss import gradient
from ntp_theory.margin import solve_svm
from tests.descent.oracles import exact_residual
from tests.test_loss import any_kind, rounding, total_size

STEPS = 6


def plain_run(data, start, step_size, decay, beta):
    """Textbook steps, and how far the smallest entry of an average ever was from zero relative to its error."""
    weights, average, clear = start.clone(), torch.zeros_like(start), math.inf
    for k in range(STEPS):
        average = beta * average + (1 - beta) * gradient(weights, data)
        error = 10 * rounding(weights, data) * total_size(data)
        clear = min(clear, float(average.abs().min()) / error)
        weights = weights - step_size * (k + 1) ** -decay * average.sign()
    return weights, clear


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("support_size", [1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_against_textbook_steps(seed, support_size, beta):
    data = random(5, 7, 6, support_size, seed)
    start = torch.from_numpy(np.random.default_rng(seed).normal(size=(5, 7)))
    weights, clear = plain_run(data, start, 0.1, 0.5, beta)
    assert clear > 1, "no sign hangs on rounding"
    method = Signum(0.1, beta=beta) if beta else SignDescent(0.1)
    found = descend(data, method, steps=STEPS, init=start)
    assert torch.equal(found.weights[-1], weights)
    assert math.exp(found.log_elapsed[-1]) == pytest.approx(0.1 * sum(k**-0.5 for k in range(1, STEPS + 1)), rel=1e-14)
    assert found.step_size == pytest.approx(0.1 * STEPS**-0.5, rel=1e-15)


@given(any_kind, st.integers(0, 99), st.sampled_from([SignDescent(0.25), Signum(0.25, beta=0.5)]))
def test_other_orders_of_the_tokens(case, seed, method):
    data, start = case
    tokens = torch.from_numpy(np.random.default_rng(seed).permutation(data.vocab_size))
    if data.counts is None:
        moved = NTPDataset(data.embeddings, data.probabilities.to_dense()[:, tokens], data.weights)
    else:
        counts = torch.zeros(data.num_contexts, data.vocab_size, dtype=torch.int64)
        counts[data.pattern.contexts, data.pattern.tokens] = data.counts
        moved = NTPDataset.from_counts(data.embeddings, counts[:, tokens])
    found = descend(data, method, steps=2, init=start)
    assert torch.equal(descend(moved, method, steps=2, init=start[tokens]).weights, found.weights[:, tokens])


def test_signs_of_gradients_as_small_as_a_thousand_nats():
    """Five steps from a loss of e^-1000 on, each against the signs of the gradient in 3000 digits."""
    data = random(4, 6, 5, 1, 2)
    start = 1500 * solve_svm(data).direction
    found = descend(data, SignDescent(2.0, decay=0.0), steps=5, init=start, record="all")
    assert found.log_tail[0] < -1000 and found.log_tail[-1] < found.log_tail[0]
    for before, after in zip(found.weights, found.weights[1:], strict=False):
        with mpmath.workdps(3000):
            residual = mpmath.matrix(exact_residual(before, data, digits=3000))
            exact = residual.T * mpmath.matrix(data.embeddings.tolist())
            signs = [[int(mpmath.sign(exact[v, i])) for i in range(6)] for v in range(4)]
        assert torch.equal(after, before - 2.0 * torch.tensor(signs))


@pytest.mark.parametrize("method", [SignDescent(0.5), Signum(0.5)])
def test_the_margin_grows_on_where_the_loss_is_below_every_double(method):
    """From the direction of the Frobenius norm, off the best by a fifth, with a loss of e^-1200."""
    data = random(4, 6, 5, 1, 3)
    best = solve_svm(data, norm="max").margin
    start = 1200 * solve_svm(data).direction
    found = descend(data, method, steps=2000, init=start, record=500)
    assert found.log_tail[0] < -1000 and (found.log_tail.diff() < 0).all() and not found.tail.any()
    gaps = torch.tensor([1 - float(margin(w, data)) / float(w.abs().max()) / best for w in found.weights])
    assert (gaps.diff() < 0).all() and gaps[0] > 0.2 and (gaps >= -1e-7).all()
    still = torch.from_numpy(np.sign(gradient(start, data).numpy()))
    assert not still.any(), "signs of an ordinary gradient would stay where they are"


def margin(weights, data):
    return data.pattern.margins(data.embeddings @ weights.T).min()


def test_momentum_remembers():
    """(0.5 * 1 - 0.5 * small) > 0: the second step repeats the first although the gradient has turned."""
    data = NTPDataset([[2.0]], [[0.5, 0.5]])
    start = torch.tensor([[-0.5], [0.5]], dtype=torch.float64)
    assert descend(data, Signum(0.6, decay=0.0, beta=0.9), steps=2, init=start).weights[-1, 0, 0] == pytest.approx(0.7)
    assert descend(data, SignDescent(0.6, decay=0.0), steps=2, init=start).weights[-1, 0, 0] == pytest.approx(-0.5)


def test_the_default_moves_no_logit_by_more_than_one():
    data = random(4, 6, 5, 2, 0)
    found = descend(data, SignDescent(), steps=1, init=torch.ones(4, 6))
    assert float((data.embeddings @ found.weights.diff(dim=0)[0].T).abs().max()) <= 1 + 1e-12
    assert found.step_size == entrywise_reach(data) == 1 / float(data.embeddings.abs().sum(1).max())
    assert entrywise_reach(NTPDataset([[0.0]], [[1.0, 0.0]])) == 1.0


@pytest.mark.parametrize("size", range(2, 9))
def test_where_there_is_nothing_to_do(size):
    """The logarithm of 1/3 and of three equal terms differ in the last place; that is not followed."""
    data = NTPDataset([[1.0]], [[1 / size] * size])
    assert not descend(data, SignDescent(1.0), steps=3).weights.any()
    assert not descend(NTPDataset([[0.0]], [[1.0, 0.0]]), SignDescent(1.0), steps=3).weights.any()


def test_single_precision_stays_single():
    data = random(4, 6, 5, 2, 0).to(dtype=torch.float32)
    assert descend(data, Signum(), steps=3).weights.dtype == torch.float32


@pytest.mark.parametrize(
    ("rule", "method", "settings"),
    [
        ("step_size is 0; it must be a positive finite number", SignDescent, {"step_size": 0}),
        ("decay is -0.5; it must be a number from 0 to 1", SignDescent, {"decay": -0.5}),
        ("decay is nan; it must be a number from 0 to 1", Signum, {"decay": math.nan}),
        ("beta is 1.0; it must be a number from 0 to below 1", Signum, {"beta": 1.0}),
        ("beta is -0.1; it must be a number from 0 to below 1", Signum, {"beta": -0.1}),
        ("beta is 'fast'; it must be a number from 0 to below 1", Signum, {"beta": "fast"}),
    ],
)
def test_what_is_refused(rule, method, settings):
    with pytest.raises(UsageError, match=rule):
        method(**settings)
