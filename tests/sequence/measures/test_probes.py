"""Ridge against its normal equations, probes of states that are known, the control and the intervals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.sequence.measures import probe
from ntp_theory.sequence.measures.probes import ridge
from ntp_theory.sequence.models import model_for
from ntp_theory.sequence.tasks import PathStar, PreCaching
from tests.sequence.measures.pre_cacher import PreCacher
from tests.sequence.training.tiny import mamba, transformer

TASK = PreCaching(5.0, 3, 0.5, length=6)
BATCH = TASK.sample(200, rng=0)
SINES = TASK.features(BATCH.prompts.numpy())


@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 5), st.sampled_from([1e-4, 1.0, 100.0]))
def test_ridge_solves_the_normal_equations(seed, n, d, penalty):
    """`planning/probes`: the gradient in weights and constant is 0 to rounding; more columns are solved one by one."""
    random = np.random.default_rng(seed)
    x, y = (torch.from_numpy(random.standard_normal((n, k)) + 3) for k in (d, 2))
    weights, constant = ridge(x, y, penalty)
    errors = y - x @ weights - constant
    assert float((x.T @ errors - penalty * weights).abs().max()) < 1e-8 and float(errors.sum(0).abs().max()) < 1e-9
    alone, _ = ridge(x, y[:, :1], penalty)
    assert torch.allclose(alone, weights[:, :1], atol=1e-9)


def test_the_share_explained_is_that_of_a_fit_by_hand():
    """Of a trained-on first half and a judged second one, with numpy's least squares and a penalty as further rows."""
    model, penalty = model_for(TASK, layers=1), 0.5
    found = probe(model, BATCH.prompts, SINES, lags=[-2, 0, 1], penalty=penalty)
    with torch.no_grad():
        states = model.hidden_states(BATCH.prompts).double().numpy()
    length, width = states.shape[2:]
    assert found.r2.shape == (2, 3) and found.directions.shape == (2, 3, width) and found.count == 100
    for i, lag in enumerate(found.lags):
        at = [n for n in range(length) if 0 <= n - lag < length]
        for layer, state in enumerate(states):
            x = np.concatenate([state[:, n] for n in at]).reshape(len(at), 200, width)
            y = np.stack([SINES[:, n - lag] for n in at])
            fit, judged = (slice(0, 100), slice(100, 200))
            rows = np.concatenate([np.c_[x[:, fit].reshape(-1, width), np.ones(100 * len(at))]])
            rows = np.concatenate([rows, np.c_[np.sqrt(penalty) * np.eye(width), np.zeros(width)]])
            solved = np.linalg.lstsq(rows, np.concatenate([y[:, fit].ravel(), np.zeros(width)]), rcond=None)[0]
            errors = y[:, judged] - x[:, judged] @ solved[:-1] - solved[-1]
            assert found.r2[layer, i] == pytest.approx(1 - errors.var() / y[:, judged].var(), abs=0.02)
            exact = 1 - (errors**2).sum() / ((y[:, judged] - y[:, judged].mean()) ** 2).sum()
            assert found.r2[layer, i] == pytest.approx(exact, abs=1e-8)
            np.testing.assert_allclose(found.directions[layer, i], solved[:-1], atol=1e-7)


def test_where_a_feature_is():
    """Sines are in layer 1 of a model that puts them there, at their own position alone; shuffled ones nowhere."""
    found = probe(PreCacher(TASK), BATCH.prompts, SINES, lags=range(-1, 4))
    assert found.r2[1, 1] == pytest.approx(1) and found.low[1, 1] == pytest.approx(1)
    np.testing.assert_allclose(found.directions[1, 1], [0, 0, 1, 0], atol=1e-5)
    # the embedding has x, with which sin(5 x) has the correlation 5 exp(-12.5): below 2e-5
    assert np.abs(found.r2[0]).max() < 0.05 and np.abs(found.r2[1, [0, 2, 3, 4]]).max() < 0.05
    assert np.abs(found.shuffled).max() < 0.05
    assert bool((found.low <= found.r2).all()) and bool((found.r2 <= found.high).all())
    # the answer in layer 2 is, half of the time, the sum of three of them
    assert bool((found.r2[2, 2:] > 0.05).all()) and abs(found.r2[2, 0]) < 0.05
    assert "lag 3" in found.summary() and len(found.summary().splitlines()) == 4


def test_intervals_are_those_of_whole_sequences():
    """Sequences that repeat one position are worth no more than the position; four times as many halve the width."""
    random = np.random.default_rng(0)
    widths = []
    for count, length in [(400, 1), (400, 6), (1600, 6)]:
        task = PreCaching(5.0, 1, 1.0, length=length)
        x = torch.from_numpy(random.standard_normal((count, 1, 2))).float().repeat(1, length, 1)
        noisy = x[:, :, 0].numpy() + np.repeat(random.standard_normal((count, 1)), length, axis=1)
        found = probe(PreCacher(task), x, noisy)
        widths.append(float(found.high[0, 0] - found.low[0, 0]))
    # the spread of a spread over 200 sequences is about 1 / sqrt(400)
    assert widths[1] == pytest.approx(widths[0], rel=0.4) and widths[2] == pytest.approx(widths[1] / 2, rel=0.4)


def test_seeds():
    first, second, other = (probe(PreCacher(TASK), BATCH.prompts, SINES, rng=rng) for rng in (1, 1, 2))
    assert np.array_equal(first.low, second.low) and np.array_equal(first.shuffled, second.shuffled)
    assert not np.array_equal(first.low, other.low) and np.array_equal(first.r2, other.r2)


@pytest.mark.parametrize("build", [transformer, mamba])
def test_models_of_tokens(build):
    """The embedding says what its token is, for all that positions are added to it; the model is left as it was."""
    task = PathStar(2, 3, 5, encoding="paper")
    batch = task.sample(100)
    model = build(task).train()
    found = probe(model, batch.prompts, (batch.prompts == 0).double())
    assert found.r2[0, 0] > 0.9 and model.training


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"features": SINES[:, :-1]}, r"features has shape \(200, 5\); it must be \(200, 6\)"),
        ({"features": np.full((200, 6), np.nan)}, "not finite"),
        ({"features": np.ones((200, 6))}, "nothing to explain"),
        ({"lags": []}, "lags is empty"),
        ({"lags": [6]}, "lags is 6"),
        ({"lags": [-6]}, "lags is -6"),
        ({"penalty": -1.0}, "penalty is -1.0"),
        ({"tokens": BATCH.prompts[:3], "features": SINES[:3]}, "3 sequences"),
    ],
)
def test_wrong_calls(arguments, message):
    arguments = {"tokens": BATCH.prompts, "features": SINES} | arguments
    with pytest.raises(UsageError, match=message):
        probe(PreCacher(TASK), **arguments)
