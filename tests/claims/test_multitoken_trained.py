"""Claims on trained heads: their runs do what they say, at a few steps, and wrong outcomes do not hold."""

from __future__ import annotations

import numpy as np
import pytest

from ntp_theory import claims
from ntp_theory.claims.multitoken import runs, trained
from ntp_theory.multitoken import MarkovChain
from ntp_theory.sequence.measures import Evaluation, InductionAccuracy, by_operators
from ntp_theory.sequence.training import TrainResult

CHAIN = MarkovChain.of(0.6 * np.eye(6) + 0.4 * np.random.default_rng(0).dirichlet(np.full(6, 0.5), 6))


def foreseen(monkeypatch, laws, excess=0.0):
    """What heads with these laws would have been measured to do, with some noise of windows."""
    noise = np.random.default_rng(1).normal(0.0, 0.01, (400, len(laws)))
    found = runs.Foreseen(CHAIN, np.log(np.stack(laws)), excess + noise - noise.mean(0))
    monkeypatch.setattr(trained, "foreseen", lambda heads, seed: found)
    return [check for check in trained.heads_against_floors() if not check.holds]


def test_heads_at_their_laws_meet_their_floors(monkeypatch):
    laws = [0.98 * CHAIN.head_law(head) + 0.02 / 6 for head in (1, 2, 3, 4)]
    assert foreseen(monkeypatch, laws) == []


def test_a_head_that_says_the_law_of_another_does_not_hold(monkeypatch):
    failed = foreseen(monkeypatch, [CHAIN.head_law(head) for head in (1, 2, 2, 4)])
    assert [check.computed for check in failed][-1] == "[1, 2, 2, 4]" and len(failed) == 2


def test_a_head_that_reads_ahead_is_below_its_floor(monkeypatch):
    failed = foreseen(monkeypatch, [CHAIN.head_law(head) for head in (1, 2, 3, 4)], np.array([0.0, -0.1, 0.0, 0.0]))
    assert ["head 2: its floor" in check.statement for check in failed] == [True]


def test_trained_heads_are_on_their_way_from_uniform_laws_to_those_of_the_chain():
    found = runs.foreseen(2, 0, 30)
    floors = np.array(CHAIN.floors(2).floors)
    assert np.abs(found.chain.transitions - CHAIN.transitions).max() == 0
    for excess in (found.excess.mean(0), CHAIN.losses(found.logs) - floors):
        assert excess.shape == (2,) and (0 < excess).all() and (excess < 0.5 * (np.log(6) - floors)).all()


def accuracies(right, apart):
    """What a run would have measured at steps 50, 100, .."""
    pairs = zip(right, apart, strict=True)
    return {
        50 * (k + 1): InductionAccuracy(count=9, right=r, copied=1.0, choices=9, told_apart=a, first_mention=0.0)
        for k, (r, a) in enumerate(pairs)
    }


SLOW = accuracies([0.1, 0.2, 0.3, 0.6, 0.9], [0.0, 0.0, 0.0, 0.5, 0.9])
FAST = accuracies([0.1, 0.5, 0.8, 0.9], [0.0, 0.4, 0.8, 0.96])


@pytest.mark.parametrize(
    ("by_heads", "held"),
    [((SLOW, FAST), [True, True, True]), ((FAST, SLOW), [False, False, False]), ((FAST, FAST), [True, True, False])],
)
def test_stages_of_induction(monkeypatch, by_heads, held):
    monkeypatch.setattr(trained, "induced", lambda heads, seed: by_heads[heads - 1])
    found = claims.check("multitoken/induction-toy", "standard")
    assert [check.holds for check in found] == held
    assert ("never" in found[-1].statement) == (SLOW in by_heads)


@pytest.mark.parametrize("heads", [1, 2])
def test_runs_of_induction_are_judged_at_their_end(heads):
    found = runs.induced(heads, 0, 2)
    assert list(found) == [2] and found[2].choices > 500 and found[2].told_apart < 0.1


@pytest.mark.parametrize(("two", "held"), [(0.85, True), (0.91, True), (0.97, False)])
def test_arithmetic_is_not_said_to_be_no_better_if_it_is(monkeypatch, two, held):
    shares = {1: 0.9, 2: two}
    monkeypatch.setattr(
        trained, "computed", lambda heads, seed: {1: Evaluation(0, 2000, (), shares[heads], (shares[heads],))}
    )
    (found,) = claims.check("multitoken/arithmetic", "standard")
    assert found.holds == held and found.computed == pytest.approx(two - 0.9)


def test_runs_of_arithmetic_are_judged_for_every_number_of_operators(monkeypatch):
    monkeypatch.setattr(runs, "by_operators", lambda model, task, rng: by_operators(model, task, count=100, rng=rng))
    found = runs.computed(2, 0, 1)
    assert list(found) == [1, 2] and all(one.free < 0.2 for one in found.values())


def test_runs_on_graphs_have_five_layers_below_every_prediction(monkeypatch):
    seen = []
    monkeypatch.setattr(runs, "train", lambda model, task, objective, **options: seen.append((model, objective)))
    runs.planned(4, 0, 1)
    ((model, objective),) = seen
    assert model.trunk.config.layers == 4 and model.num_heads == objective.num_heads == len(model.layers) == 4


@pytest.mark.parametrize(
    ("loss", "free", "held"), [(0.75, 0.52, [True, True]), (2.08, 0.5, [False, True]), (0.01, 0.99, [True, False])]
)
def test_paths_neither_guessed_nor_found(monkeypatch, loss, free, held):
    evaluation = Evaluation(1000, 1000, (loss, 0.0), free, (1.0, free))
    result = TrainResult("", "", 128, np.zeros((1000, 2), dtype=np.float32), (evaluation,), 1.0)
    monkeypatch.setattr(trained, "planned", lambda heads, seed: result)
    assert [check.holds for check in claims.check("multitoken/neighbours", "standard")] == held
