"""Modes of the Hessian on F against all eigenvalues of the full Hessian."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import NTPDataset, compare, descend, predict
from ntp_theory.compare import curvature
from ntp_theory.compare.curvature import finite_modes
from ntp_theory.construct import random
from ntp_theory.construct.instances import one_hot_control, tiny
from ntp_theory.finite_part import InSupportLoss
from ntp_theory.subspace import data_subspace


@given(st.integers(0, 10_000), st.integers(3, 9))
def test_modes_are_the_eigenvectors_of_the_hessian_that_lie_in_f(seed, contexts):
    data = random(vocab_size=4, dim=6, num_contexts=contexts, support_size=(1, 3), rng=seed)
    limit = predict(data)
    reference, modes, shape = limit.svm.data, finite_modes(limit), limit.finite.shape
    subspace, inside = data_subspace(reference), InSupportLoss(reference)
    chances = inside.probabilities(limit.finite)
    unit = torch.eye(limit.finite.numel(), dtype=torch.float64)
    full = torch.stack([inside.hessian_product(chances, row.reshape(shape)).flatten() for row in unit])
    rates = torch.from_numpy(modes.rates)
    largest = float(rates.max()) if len(rates) else 0.0
    everything = torch.linalg.eigvalsh(full)
    rounding = 1e-13 * max(largest, 1e-300)
    assert len(rates) == subspace.dim
    assert torch.allclose(rates, everything[len(everything) - len(rates) :], rtol=0, atol=rounding)
    for rate, vector in zip(rates, modes.vectors, strict=True):
        assert float((full @ vector - rate * vector).norm()) <= 10 * rounding
        assert float((subspace.project(vector.reshape(shape)).flatten() - vector).norm()) < 1e-9
    assert torch.allclose(modes.vectors @ modes.vectors.T, torch.eye(len(rates), dtype=torch.float64), atol=1e-12)


def test_without_a_choice_there_are_no_modes():
    assert finite_modes(predict(one_hot_control())).vectors.shape == (
        0,
        one_hot_control().vocab_size * one_hot_control().dim,
    )


@pytest.mark.parametrize("method", ["gd", "sgd-pairs"])
def test_too_many_generators_leave_laws_unread(method, monkeypatch):
    monkeypatch.setattr(curvature, "LARGEST", 10)
    data = tiny()
    run = descend(data, method, steps=30_000 if method == "gd" else 100)
    comparison = compare(run, predict(NTPDataset(data.embeddings, data.probabilities, data.weights)))
    assert comparison.holds and "no basis is computed" in comparison.note
