"""Batched descent against the library's loop, the rule that selects datasets, and predictions made wrong."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory import NTPDataset, descend
from ntp_theory.claims.bias import any_data, settled
from ntp_theory.claims.bias.batch import Batch
from ntp_theory.finite_part import InSupportLoss
from ntp_theory.subspace import project_complement
from ntp_theory.support import SupportPattern
from ntp_theory.testing import datasets

STEPS = 60


@settings(max_examples=20)
@given(st.lists(datasets(), min_size=1, max_size=4))
def test_a_batch_takes_the_steps_of_single_runs(drawn):
    batch = Batch(drawn)
    records = batch.descend([1, STEPS])
    for i, data in enumerate(drawn):
        single = descend(data, steps=STEPS, record=[1, STEPS])
        assert batch.step_sizes[i] == single.step_size
        # a step of at most 1/L lengthens no difference; each adds a few units in the last place of a step
        size = single.step_size * float((data.weights * data.embeddings.norm(dim=1)).sum())
        for k, found, expected in zip((1, STEPS), (r[i] for r in records), single.weights, strict=True):
            logits = 1.0 + float((data.embeddings @ expected.T).abs().max())
            assert float((found - expected).norm()) <= 1e-15 * k * (10 * size * logits + float(expected.norm()))


def test_a_tail_below_rounding_moves_the_batch():
    data = NTPDataset([[1.0, 1.0]], [[1.0, 0.0]])
    batch = Batch([data])
    moved = batch._step(torch.tensor([[[40.0, 0.0], [0.0, 0.0]]], dtype=torch.float64))  # softmax is 1 - 4e-18
    assert float(moved[0, 0, 1]) == pytest.approx(batch.step_sizes[0] / (1 + math.exp(40)), rel=1e-14)


def test_forty_datasets_of_all_cases_are_chosen_without_a_run(monkeypatch):
    def refuse(*_):
        raise AssertionError

    for owner, name in ((Batch, "descend"), (Batch, "_step"), (settled, "evaluate")):
        monkeypatch.setattr(owner, name, refuse)
    chosen = settled.settled("standard")
    assert len({seed for seed, _ in chosen}) == 40
    assert Counter(limit.case for _, limit in chosen) == dict.fromkeys(settled.CASES, 10)
    for _, limit in chosen:
        if limit.direction is not None:
            assert limit.loss_constant <= 20
            assert bool((limit.reference.pattern.margins(limit.data.embeddings @ limit.direction.T) >= 1 - 1e-5).all())
            alpha = limit.duals[limit.duals > 0]
            assert float(alpha.min() / alpha.max()) >= 1e-3
            # no rate is 0: the normals are independent and the multipliers unique
            assert float(limit.active.rates.min()) >= 1e-3
        assert len(limit.data.embeddings.unique(dim=0)) == limit.data.num_contexts


@pytest.fixture
def broken(monkeypatch):
    """Checks of the quick runs after some predictions are changed: the laws that no longer hold."""

    def check(case, change):
        runs = tuple(
            run._replace(drawn=run.drawn._replace(limit=change(run.drawn.limit)))
            if run.drawn.limit.case == case
            else run
            for run in settled.runs("quick")
        )
        monkeypatch.setattr(any_data, "runs", lambda budget: runs)
        return [found.statement.split(",")[0] for found in any_data._descent("quick") if not found.holds]

    return check


def test_true_predictions_hold(broken):
    assert broken("finite", lambda limit: limit) == []


DIVERGENT = [case for case in settled.CASES if case != "finite"]


@pytest.mark.parametrize("case", DIVERGENT)
@pytest.mark.parametrize("factor", [0.95, 1.05])
def test_a_wrong_loss_constant_shows(broken, case, factor):
    assert broken(case, lambda limit: replace(limit, loss_constant=factor * limit.loss_constant)) == [
        "eta k (CE - inf CE) against ||W_mm||^2"
    ]


@pytest.mark.parametrize("case", DIVERGENT)
def test_a_turned_direction_shows(broken, case):
    def turned(limit):
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(limit.finite.shape, generator=generator, dtype=torch.float64)
        noise = project_complement(noise, limit.reference)
        return replace(limit, direction=limit.direction + 0.15 * limit.direction.norm() / noise.norm() * noise)

    assert broken(case, turned) == ["(W_k - W_{k/10}) / log 10 off F against W_mm"]


@pytest.mark.parametrize("case", DIVERGENT)
def test_a_wrong_finite_part_shows(broken, case):
    found = broken(case, lambda limit: replace(limit, finite=limit.finite + 1e-5 * limit.finite_constant))
    assert found == ["eta k (P_F W_k - W*) against its limit"]
    assert broken(case, lambda limit: replace(limit, finite_constant=1.15 * limit.finite_constant)) == found


def test_a_wrong_finite_minimiser_shows(broken):
    found = broken("finite", lambda limit: replace(limit, finite=(1 + 1e-9) * limit.finite))
    assert found == ["mu ||P_F W_k - W*|| / sum pi ||h||"]


def test_a_missing_extended_token_shows(broken):
    def missing(limit):
        support = limit.support.clone()
        context, token = (support & ~limit.data.support).nonzero()[0]
        support[context, token] = False
        loss = InSupportLoss(limit.data, SupportPattern.from_mask(support))
        return replace(limit, support=support, infimum=loss.value(limit.finite))

    assert broken("partially-separable", missing) == [
        "eta k (CE - inf CE) against ||W_mm||^2",
        "tokens driven away that should stay",
    ]


@pytest.mark.parametrize("case", DIVERGENT)
def test_a_token_too_many_shows(broken, case):
    def added(limit):
        support = limit.support.clone()
        context, token = (~support).nonzero()[-1]
        support[context, token] = True
        return replace(limit, support=support)

    assert broken(case, added) == ["tokens driven away that should stay"]


def test_an_infimum_off_by_a_millionth_shows(broken):
    for case in DIVERGENT:
        found = broken(case, lambda limit: replace(limit, infimum=limit.infimum * (1 + 1e-6)))
        assert found == ["eta k (CE - inf CE) against ||W_mm||^2"]
