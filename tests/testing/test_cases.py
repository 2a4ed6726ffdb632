"""The case that a strategy promises is the one that rational arithmetic finds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from ntp_theory import predict
from ntp_theory.claims.rational import is_compatible
from ntp_theory.errors import NotSeparableError, UsageError
from ntp_theory.testing import CASES, datasets_of_case, log_probabilities, separating_directions
from tests.construct.oracles import is_separable


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=25)
@given(draws=st.data())
def test_the_case_is_the_wanted_one(case, draws):
    data = draws.draw(datasets_of_case(case))
    separable = is_separable(data.embeddings.numpy(), data.support.numpy())
    finite = case == "finite"
    assert separable == (case.startswith("separable") or (finite and bool(data.support.all())))
    if not finite and case != "partially-separable":
        assert is_compatible(data) == (case == "separable-compatible")
    assert predict(data).case == case
    assert data.num_contexts <= 4 and data.vocab_size <= 5 and data.dim <= 6


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "wanted",
    [lambda data: data.num_contexts == 4, lambda data: data.dim == 6, lambda data: data.vocab_size == 5],
    ids=["many contexts", "wide", "many tokens"],
)
def test_sizes_are_used(case, wanted):
    options = settings(
        phases=[Phase.generate], derandomize=True, max_examples=1000, suppress_health_check=list(HealthCheck)
    )
    find(datasets_of_case(case), wanted, settings=options)


@given(st.data())
def test_directions_separate(draws):
    data = draws.draw(st.sampled_from(CASES[:2]).flatmap(datasets_of_case))
    direction = draws.draw(separating_directions(data))
    logits = data.embeddings @ direction.T
    scale = 1.0 + float(logits.abs().max())
    for row, support in zip(logits, data.support, strict=True):
        assert float(row[support].max() - row[support].min()) <= 1e-9 * scale
        assert bool((row[support].min() - row[~support] >= 1 - 1e-9 * scale).all())


def test_there_is_no_direction_where_data_is_not_separable():
    data = find(datasets_of_case("partially-separable"), lambda data: True)
    with pytest.raises(NotSeparableError):
        find(separating_directions(data), lambda direction: True)


@given(st.integers(1, 6).flatmap(log_probabilities))
def test_log_probabilities_sum_to_one(values):
    assert values.dtype == torch.float64 and torch.isfinite(values).all()
    assert float(torch.logsumexp(values, 0)) == pytest.approx(0.0, abs=1e-12)


def test_tails_are_extreme():
    options = settings(phases=[Phase.generate], derandomize=True)
    find(log_probabilities(4), lambda values: float(values.min()) < -9_000, settings=options)
    find(log_probabilities(4), lambda values: float(values.min()) > -3, settings=options)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: datasets_of_case("separable"), "case"),
        (lambda: datasets_of_case("finite", max_contexts=1), "max_contexts"),
        (lambda: datasets_of_case("finite", max_vocab_size=2), "max_vocab_size"),
        (lambda: datasets_of_case("finite", max_dim=0), "max_dim"),
        (lambda: log_probabilities(0), "size"),
    ],
)
def test_bad_arguments(call, name):
    with pytest.raises(UsageError, match=f"^{name} is "):
        find(call(), lambda _: True)


def test_the_strategies_of_the_cases_are_deterministic():
    first, second = (find(datasets_of_case("finite"), lambda data: True) for _ in range(2))
    assert np.array_equal(first.embeddings, second.embeddings)
