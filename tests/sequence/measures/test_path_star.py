"""The cheat on models that do just that, cascade and plateau on results made by hand, leaks on leaking lists."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.sequence.measures import (
    Evaluation,
    cheating,
    compounded,
    first_passage,
    guessing_losses,
    plateau,
    position_leak,
)
from ntp_theory.sequence.measures import path_star as module
from ntp_theory.sequence.measures.path_star import _wrong_paths
from ntp_theory.sequence.models import model_for
from ntp_theory.sequence.tasks import PathStar, PathStarGraph
from ntp_theory.sequence.training import TrainResult
from tests.sequence.measures.by_hand import OneEdgeRule, Oracle
from tests.sequence.strategies import tasks


@pytest.mark.parametrize("shape", [(2, 4, 7), (2, 5, 9), (4, 4, 20)])
@pytest.mark.parametrize("encoding", ["edge-packed", "paper"])
def test_cheating(shape, encoding):
    """`pitfalls/clever-hans`: the rule follows the wrong branch to its end, one who plans comes back to the path."""
    task = PathStar(*shape, encoding=encoding)
    rule, oracle = (cheating(kind(task), task, count=100) for kind in (OneEdgeRule, Oracle))
    assert (rule.follows, rule.returns) == (1.0, 0.0) and (oracle.follows, oracle.returns) == (0.0, 1.0)
    assert (rule.ends_at_goal, oracle.ends_at_goal) == (0.0, 1.0)
    assert rule.interval[0] > 0.95 and rule.interval[1] == 1.0
    assert oracle.corrupted == (oracle.forced,) * (task.path_length - 2) and set(oracle.forced) == {1.0}
    assert rule.forced == (1.0, rule.forced[1], *(1.0,) * (task.path_length - 2)) and rule.forced[1] < 1.0
    for place, shares in enumerate(rule.corrupted, 1):
        lost = [i for i, (share, forced) in enumerate(zip(shares, rule.forced, strict=True)) if share != forced]
        assert lost == [place + 1] and shares[place + 1] == 0.0


@given(tasks(order="forward"), st.integers(0, 2**32))
def test_wrong_paths(task, seed):
    """A path from the start to a leaf, which shares no node with the right one but the start."""
    batch = task.sample(5, rng=seed)
    for wrong, graph in zip(_wrong_paths(task, batch).tolist(), task.graphs(batch), strict=True):
        assert set(zip(wrong, wrong[1:], strict=False)) <= set(graph.edges) and len(wrong) == task.path_length
        assert set(wrong) & set(graph.path) == {graph.start}


@pytest.mark.parametrize("task", [PathStar(2, 4, 7, "reversed"), PathStar(2, 3, 5)])
def test_nothing_to_cheat_at(task):
    with pytest.raises(UsageError, match="it must be in forward order with path_length >= 4"):
        cheating(Oracle(task), task)


def test_guessing_losses():
    """In the order of the answer: the start, the inner tokens, the goal."""
    assert guessing_losses(PathStar(3, 4, 10)) == pytest.approx((0, math.log(3), 0, 0))
    assert guessing_losses(PathStar(3, 4, 10), teacherless=True) == pytest.approx((0, math.log(6), math.log(6), 0))
    assert guessing_losses(PathStar(2, 2, 3)) == (0, 0) == guessing_losses(PathStar(2, 2, 3), teacherless=True)
    with pytest.raises(UsageError, match="forward order"):
        guessing_losses(PathStar(2, 3, 5, "reversed"))


def result(free, forced=None):
    """A run with an evaluation every 10 steps of 8 examples."""
    forced = [(f,) for f in free] if forced is None else forced
    evaluations = tuple(
        Evaluation(10 * (i + 1), 100, (), f, positions)
        for i, (f, positions) in enumerate(zip(free, forced, strict=True))
    )
    return TrainResult("o", "t", 8, np.zeros((10 * len(free), 1), np.float32), evaluations, 1.0)


@pytest.mark.parametrize(
    "free, length, left",
    [
        ([0.0, 0.49, 0.51, 0.50], 320, False),
        ([0.0, 0.49, 0.51, 0.60, 0.50], 240, True),
        ([0.0, 0.1, 0.2], 0, False),
        ([0.0, 0.9, 0.5], 0, True),
        ([0.46, 0.54], 160, False),
        ([0.50, 0.3, 0.52, 1.0], 240, True),
    ],
)
def test_plateau(free, length, left):
    assert plateau(result(free), 0.5) == (length, left)


def test_first_passage():
    forced = [(1.0, 0.5, 0.2), (1.0, 0.6, 0.95), (0.9, 0.96, 0.9)]
    found = result([0.0, 0.0, 0.0], forced)
    assert first_passage(found) == (80, 240, 160) and first_passage(found, 0.97) == (80, None, None)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_compounded(forced):
    evaluation = Evaluation(0, 1, (), 0.0, tuple(forced))
    assert compounded(evaluation) == pytest.approx(float(np.prod(forced)))
    assert compounded(evaluation) <= min(forced) + 1e-12


def rewritten(task, count, order):
    """Graphs whose edges are listed in another order."""
    graphs = []
    for graph in task.graphs(task.sample(count, rng=0)):
        graphs.append(PathStarGraph(tuple(order(graph)), graph.start, graph.goal))
    return task.batch(graphs)


def by_arms(graph, arms):
    children = {u: v for u, v in graph.edges if u != graph.start}
    for node in arms:
        yield graph.start, node
        while node in children:
            yield node, children[node]
            node = children[node]


def firsts(graph):
    return [v for u, v in graph.edges if u == graph.start]


@pytest.mark.parametrize("shape", [(2, 5, 9), (2, 2, 50), (5, 3, 50), (3, 4, 10)])
@pytest.mark.parametrize("split", [None, "train", "test"])
def test_no_leak_by_position(shape, split):
    """`pitfalls/no-leak`: a fixed seed, so a p-value that is below 1e-3 for one in a thousand seeds only."""
    task = PathStar(*shape)
    found = position_leak(task, task.sample(4000, rng=0, split=split))
    assert sum(found.ranks) == 4000 and len(found.ranks) == task.degree and found.p_value > 1e-3


@pytest.mark.parametrize(
    "order",
    [
        lambda g: by_arms(g, [g.path[1], *(v for v in firsts(g) if v != g.path[1])]),  # the right arm first
        lambda g: by_arms(g, firsts(g)),  # arm by arm, arms in random order
        lambda g: sorted(g.edges, key=lambda e: e[1] == g.goal),  # the goal last
        lambda g: sorted(g.edges, key=lambda e: e == g.path[:2]),  # the edge to take last
    ],
)
def test_lists_that_leak_are_flagged(order):
    task = PathStar(2, 4, 10)
    assert position_leak(task, rewritten(task, 1000, order)).p_value < 1e-6


def test_too_few_questions():
    task = PathStar(2, 5, 9)
    with pytest.raises(UsageError, match="batch has 279 questions; it must have 280"):
        position_leak(task, task.sample(279))
    assert 0 < position_leak(task, task.sample(280)).p_value <= 1


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: compounded(Evaluation(0, 1, (0.0,))), "evaluation has no forced accuracies"),
        (lambda: plateau(result([0.5]), math.nan), "chance is nan"),
        (lambda: plateau(result([0.5]), 0.5, -0.1), "width is -0.1"),
        (lambda: first_passage(result([0.5]), 95), "level is 95"),
    ],
)
def test_what_cannot_be_measured(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_an_interval_needs_right_answers():
    assert all(map(math.isnan, Evaluation(0, 1, (0.0,)).free_interval))


def test_cheating_in_parts(monkeypatch):
    """However many questions are put at once."""
    task = PathStar(2, 4, 7)
    model = model_for(task, layers=1).double()
    whole = cheating(model, task, count=20)
    monkeypatch.setattr(module, "CHUNK", 7)
    assert cheating(model, task, count=20) == whole
