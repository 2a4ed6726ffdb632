"""Softmax regression at its minimum, and what tokens later positions bring."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.sequence.measures import probe_tokens
from ntp_theory.sequence.measures.token_probes import softmax_regression
from ntp_theory.sequence.tasks import PathStar
from tests.sequence.training.tiny import mamba, transformer

TASK = PathStar(2, 3, 5, encoding="paper")


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(4, 40), st.integers(1, 4), st.integers(2, 4))
def test_softmax_regression_is_at_its_minimum(seed, n, d, kinds):
    """The gradient vanishes: residuals are orthogonal to scaled states but for the penalty, and sum to 0."""
    random = np.random.default_rng(seed)
    x, y = torch.from_numpy(random.standard_normal((n, d)) * 3 + 1), torch.from_numpy(random.integers(kinds, size=n))
    weights, constant = softmax_regression(x, y, kinds, 0.5)
    residuals = torch.nn.functional.one_hot(y, kinds) - (x @ weights + constant).softmax(-1)
    scale = x.std(0, correction=0)
    gradient = ((x - x.mean(0)) / scale).T @ residuals - 0.5 * weights * scale[:, None]
    assert float(gradient.abs().max()) < 1e-3 * n and float(residuals.sum(0).abs().max()) < 1e-3 * n


def chains(count, random):
    """Every token is the one before plus 1, or plus 2 where a coin says so, modulo 5."""
    steps = random.integers(1, 3, size=(count, 7))
    return torch.from_numpy((random.integers(5, size=(count, 1)) + np.cumsum(steps, axis=1)) % 5)


@pytest.mark.parametrize("build", [transformer, mamba])
def test_what_can_be_known(build):
    """The next token half of the time, the one after it too: of its three values one is as likely as the others."""
    tokens = chains(600, np.random.default_rng(0))
    found = probe_tokens(build(TASK, layers=1), tokens, ahead=[1, 2])
    assert found.accuracy.shape == (2, 2) and found.count == 300
    # 1,500 tokens or more: five standard deviations of a share are 0.065
    np.testing.assert_allclose(found.accuracy[0], [0.5, 0.5], atol=0.065)
    np.testing.assert_allclose(found.losses[0], [np.log(2), 1.5 * np.log(2)], atol=0.065)
    np.testing.assert_allclose(found.guessing_losses, np.log(5), atol=0.02)
    np.testing.assert_allclose(found.guessing_accuracy, 0.2, atol=0.065)
    assert bool((found.low <= found.accuracy).all()) and bool((found.accuracy <= found.high).all())
    # of 1,500 independent tokens the interval would be 0.05 wide
    assert bool((found.high - found.low)[0].max() < 0.1)


def test_ahead_is_ahead():
    """Behind a token that may be any come zeros alone: all of the next are known, of those before only zeros."""
    first = torch.from_numpy(np.random.default_rng(0).integers(1, 5, size=(200, 1)))
    tokens = torch.cat([first, torch.zeros(200, 2, dtype=torch.int64)], dim=1)
    found = probe_tokens(transformer(TASK, layers=1), tokens, ahead=[1, -1])
    assert found.accuracy[0, 0] == 1.0 and found.accuracy[0, 1] < 0.8


def test_slots():
    """Of several slots the first is read."""
    task = PathStar(2, 3, 5)
    batch = task.sample(40)
    found = probe_tokens(transformer(task, layers=1), batch.prompts, ahead=[0])
    assert found.accuracy[0, 0] > 0.9


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"ahead": []}, "ahead is empty"),
        ({"ahead": [7]}, "ahead is 7"),
        ({"penalty": -1.0}, "penalty is -1"),
        ({"tokens": chains(3, np.random.default_rng(0))}, "3 sequences"),
    ],
)
def test_wrong_calls(arguments, message):
    with pytest.raises(UsageError, match=message):
        probe_tokens(transformer(TASK), **{"tokens": chains(8, np.random.default_rng(0))} | arguments)
