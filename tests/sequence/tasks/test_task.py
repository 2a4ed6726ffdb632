"""Path-star batches: counts, answers, splits, and the exact solver, on tasks of all shapes."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from ntp_theory.errors import DatasetError, UsageError
from ntp_theory.sequence.tasks import Batch, PathStar, PathStarGraph
from ntp_theory.sequence.tasks.path_star import task as module
from ntp_theory.sequence.tasks.path_star.task import _drawn
from ntp_theory.sequence.tasks.splits import HELD_OUT
from tests.sequence.strategies import every_instance, tasks

seeds = st.integers(0, 2**32)
# All whose instances are few enough to write down, down to 6 of them.
SMALL = [(2, 2, 3), (2, 2, 4), (2, 2, 5), (3, 2, 4), (4, 2, 5), (2, 3, 5), (2, 3, 6), (3, 2, 6)]


@given(tasks(), seeds)
def test_counts(task, seed):
    """`pitfalls/path-star`, `pitfalls/tokenisation`, `pitfalls/edge-packed`."""
    d, l, n = task.degree, task.path_length, task.num_nodes  # noqa: E741
    batch = task.sample(5, rng=seed)
    for graph in task.graphs(batch):
        assert len(graph.edges) == task.num_edges == d * (l - 1)
        assert len({node for edge in graph.edges for node in edge}) == task.graph_size == d * (l - 1) + 1
        out = Counter(parent for parent, _ in graph.edges)
        assert out.pop(graph.start) == d and set(out.values()) <= {1}
        assert len({child for _, child in graph.edges} - set(out)) == d, "leaves"
        assert (graph.degree, graph.path_length, len(graph.path)) == (d, l, l)
    packed = task.encoding.name == "edge-packed"
    assert batch.prompt_length == (d * (l - 1) + 3 if packed else 3 * d * (l - 1) + 3)
    assert task.max_length == batch.prompt_length + batch.answer_length == batch.prompt_length + l
    assert task.vocab_size == n + (5 if packed else 4)
    assert 0 <= int(batch.prompts.min()) and int(batch.prompts.max()) < task.vocab_size
    assert task.chance == 1 / d


def test_lengths_of_the_paper():
    """27 + 5 tokens for G(2,5), 15 positions as input when packed; 12 for G(2,4)."""
    paper, packed = PathStar(2, 5, 50, encoding="paper"), PathStar(2, 5, 9)
    assert (paper.sample(1).prompt_length, paper.max_length, paper.vocab_size) == (27, 32, 54)
    assert (packed.max_length - 1, PathStar(2, 4, 7).max_length - 1) == (15, 12)


@given(tasks(), seeds)
def test_every_answer_token_but_the_branch_is_a_look_up(task, seed):
    """`pitfalls/informative-tokens`: r_k is the only child of r_(k-1), backwards the only parent; r_1 is one of d."""
    for graph, answer in zip(task.graphs(batch := task.sample(3, rng=seed)), batch.answers.tolist(), strict=True):
        path = answer if task.order == "forward" else answer[::-1]
        assert (path[0], path[-1]) == (graph.start, graph.goal) and tuple(path) == graph.path
        for k in range(1, task.path_length):
            children = [v for u, v in graph.edges if u == path[k - 1]]
            parents = [u for u, v in graph.edges if v == path[k]]
            assert path[k] in children and len(children) == (task.degree if k == 1 else 1) and parents == [path[k - 1]]


@given(tasks(), seeds)
def test_solver_and_checker(task, seed):
    """`pitfalls/solvable`: right on all; any other answer is refused."""
    batch = task.sample(50, rng=seed)
    assert torch.equal(task.solve(batch), batch.answers) and bool(task.is_correct(batch, batch.answers).all())
    wrong = batch.answers.clone()
    place = torch.from_numpy(np.random.default_rng(seed).integers(task.path_length, size=50))
    rows = torch.arange(50)
    wrong[rows, place] = (wrong[rows, place] + 1) % task.num_nodes
    assert not bool(task.is_correct(batch, wrong).any())


@given(tasks(), seeds, st.sampled_from([None, "train", "test"]))
def test_the_same_seed_draws_the_same(task, seed, split):
    first, second = (task.sample(20, rng=seed, split=split) for _ in range(2))
    assert torch.equal(first.prompts, second.prompts) and torch.equal(first.answers, second.answers)
    other = task.sample(20, rng=seed + 1, split=split)
    assert task.instances() < 1000 or not torch.equal(first.prompts, other.prompts)
    through = task.sample(20, rng=np.random.default_rng(seed), split=split)
    assert torch.equal(first.prompts, through.prompts)


@given(tasks(), seeds)
def test_splits(task, seed):
    """What is drawn for a split is of it, and so is the question with its edges in another order or another goal."""
    for split in ("train", "test"):
        batch = task.sample(20, rng=seed, split=split)
        assert len(batch) == 20 and task.held_out(batch).tolist() == [split == "test"] * 20
        random = np.random.default_rng(seed)
        shuffled = [
            PathStarGraph(tuple(g.edges[i] for i in random.permutation(len(g.edges))), g.start, goal)
            for g in task.graphs(batch)
            for goal in [int(random.choice(sorted({v for _, v in g.edges} - {u for u, _ in g.edges})))]
        ]
        assert torch.equal(task.held_out(task.batch(shuffled)), task.held_out(batch))


@pytest.mark.parametrize("shape", SMALL)
def test_every_instance_is_counted_and_in_one_split(shape):
    """The formula of `pitfalls/data` against enumeration; both splits are there, and what is drawn covers them."""
    task = PathStar(*shape)
    every = list(every_instance(task))
    assert len(every) == len(set(every)) == task.instances()
    n, d = task.num_nodes, task.degree
    assert task.instances() == math.factorial(n) // math.factorial(n - task.graph_size) // math.factorial(d - 1)
    held_out = task.held_out(task.batch(every)).tolist()
    assert 0 < sum(held_out) < len(every)
    for split, wanted in (("train", False), ("test", True)):
        drawn = {
            PathStarGraph(tuple(sorted(g.edges)), g.start, g.goal)
            for g in task.graphs(task.sample(20 * len(every), rng=0, split=split))
        }
        instances = {
            PathStarGraph(tuple(sorted(g.edges)), g.start, g.goal)
            for g, out in zip(every, held_out, strict=True)
            if out is wanted
        }
        # a given one is missed by 20 draws an instance or more with probability e^-20 at most
        assert drawn == instances


def test_the_share_that_is_held_out():
    """Within five standard deviations of a tenth."""
    task, count = PathStar(2, 5, 9), 20_000
    held_out = int(task.held_out(task.sample(count, rng=0)).sum())
    p = 1 / HELD_OUT
    assert abs(held_out - count * p) < 5 * math.sqrt(count * p * (1 - p))


@pytest.mark.parametrize("num_nodes, size, outcomes", [(3, 3, 6 * 2), (5, 3, 60 * 2), (4, 4, 24 * 6), (40, 2, 1560)])
def test_labels_and_orders_are_drawn_uniformly(num_nodes, size, outcomes):
    """Labels of all nodes and the order of the edges, both at once; a fixed seed, and one in 10,000 would miss."""
    labels, order = _drawn(np.random.default_rng(0), 100 * outcomes, num_nodes, size)
    counts = Counter(map(tuple, np.concatenate([labels, order]).T.tolist()))
    assert len(counts) == outcomes and chisquare(list(counts.values())).pvalue > 1e-4


@pytest.mark.parametrize("num_nodes", [9, 256, 257, 70_000])
def test_labels_of_any_size(num_nodes):
    """All labels are used, the largest too, and none twice in a graph."""
    labels, _ = _drawn(np.random.default_rng(0), 2 * num_nodes, num_nodes, 9)
    # a label is missed by 18 N draws with probability e^-18
    assert np.array_equal(np.unique(labels), np.arange(num_nodes))
    ordered = np.sort(labels, axis=0)
    assert bool((ordered[1:] > ordered[:-1]).all())


@given(tasks(), seeds, st.sampled_from([None, "train", "test"]))
def test_as_many_as_asked_for_in_any_number_of_parts(task, seed, split):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", 3 * task.graph_size)
        batch = task.sample(20, rng=seed, split=split)
    assert len(batch) == 20 and bool(task.is_correct(batch, batch.answers).all())
    assert split is None or task.held_out(batch).tolist() == [split == "test"] * 20


@given(tasks(), seeds)
def test_graphs_and_batches_turn_into_each_other(task, seed):
    batch = task.sample(5, rng=seed)
    again = task.batch(task.graphs(batch))
    assert torch.equal(again.prompts, batch.prompts) and torch.equal(again.answers, batch.answers)
    for i, graph in enumerate(task.graphs(batch)):
        assert task.parse(task.format(graph)) == graph
        arms = [[*arm] for arm in task.arms(batch)[i].tolist()]
        firsts = [v for u, v in graph.edges if u == graph.start]
        assert [arm[0] for arm in arms] == firsts
        assert [graph.start, *next(arm for arm in arms if arm[-1] == graph.goal)] == list(graph.path)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((2, 5, 8), "num_nodes is 8; it must be at least .* = 9"),
        ((20, 5, 50), "num_nodes is 50; it must be at least .* = 81"),
        ((1, 5, 50), "degree is 1"),
        ((0, 5, 50), "degree is 0"),
        ((2, 1, 50), "path_length is 1"),
        ((2.0, 5, 50), "degree is 2.0"),
        ((2, 5, True), "num_nodes is True"),
        ((2, 5, 9, "backwards"), "order is 'backwards'"),
        ((2, 2, 2**20 + 1), "num_nodes is 1048577; it must be .* <= 1048576"),
        ((2, 2, 2**80), "num_nodes is"),
        ((10**6, 10**6, 10**13), "num_nodes is"),
        ((10**6, 10**6, 9), "num_nodes is 9; it must be at least"),
    ],
)
def test_what_is_no_task(arguments, message):
    """`pitfalls/generator`: nothing spins for ever."""
    with pytest.raises(UsageError, match=message):
        PathStar(*arguments)


def test_the_fewest_nodes_do():
    assert len(PathStar(20, 5, 81).sample(10)) == 10


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda task: PathStar(2, 5, 9, encoding="arrow"), "encoding is 'arrow'"),
        (lambda task: task.sample(0), "n is 0"),
        (lambda task: task.sample(3, rng=-1), "rng is -1"),
        (lambda task: task.sample(3, split="valid"), "split is 'valid'"),
        (lambda task: task.batch([]), "graphs is empty"),
        (lambda task: task.parse("0,1|0,2/0,1="), r"graphs\[0\] is G\(2, 2\)"),
        (lambda task: task.parse("0,1|1,9|0,2|2,3/0,9="), r"graphs\[0\] has a node above num_nodes - 1 = 4"),
        (lambda task: task.is_correct(task.sample(3), torch.zeros(3, 2)), r"answers is \(3, 2\); it must be"),
        (lambda task: task.is_correct(task.sample(3), [1]), "answers is list; it must be"),
    ],
)
def test_wrong_calls(call, message):
    with pytest.raises(UsageError, match=message):
        call(PathStar(2, 3, 5))


READERS = ("solve", "arms", "graphs", "held_out")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "batch, message",
    [
        (lambda: [1], "batch is of type list; it must be a Batch"),
        (lambda: PathStar(2, 3, 5, encoding="paper").sample(3), r"batch has prompts of shape \(3, 15\)"),
        (lambda: PathStar(2, 4, 7).sample(3), "batch has prompts of shape"),
        (lambda: PathStar(4, 2, 5).sample(3), "batch has answers of shape"),
        (lambda: changed(lambda prompts: prompts.float()), "batch has prompts of shape .* torch.float32"),
        (lambda: changed(lambda prompts: -prompts), "batch has prompts from -"),
        (lambda: changed(lambda prompts: prompts + 1), "batch has prompts from 1 to 10; .* from 0 to 9"),
        (lambda: changed(lambda prompts: prompts.clamp(min=6)), "batch has edges with token 6; .* below 5"),
    ],
)
def test_batches_of_another_task(reader, batch, message):
    with pytest.raises(UsageError, match=message):
        getattr(PathStar(2, 3, 5), reader)(batch())


def changed(change):
    batch = PathStar(2, 3, 5).sample(3)
    return Batch(change(batch.prompts), batch.answers, batch.null)


@pytest.mark.parametrize("reader", ["solve", "arms", "held_out"])
@pytest.mark.parametrize(
    "edges, start, goal",
    [
        ([(0, 0), (0, 0), (0, 0), (0, 0)], 0, 0),
        ([(0, 1), (1, 2), (2, 3), (3, 4)], 0, 4),  # no star
        ([(0, 1), (0, 2), (1, 3), (2, 4)], 1, 4),  # not the centre
        ([(0, 1), (0, 2), (1, 3), (2, 4)], 0, 2),  # no leaf
        ([(0, 1), (0, 2), (1, 3), (3, 4)], 0, 4),  # arms of different lengths
    ],
)
def test_questions_without_an_answer(reader, edges, start, goal):
    """The first such question is named."""
    task = PathStar(2, 3, 5)
    good = task.sample(1)
    bad = task.encoding.encode(np.array([edges]), np.array([start]), np.array([goal]))
    batch = Batch(torch.cat([good.prompts, torch.from_numpy(bad)]), good.answers.repeat(2, 1), task.null)
    with pytest.raises(UsageError, match="batch has a question that is no graph of .* the first at 1"):
        getattr(task, reader)(batch)


@given(st.data())
def test_a_changed_token_is_a_graph_or_is_refused(data):
    """The check of whole batches agrees with that of one graph."""
    task = PathStar(2, 3, 6)
    batch = task.sample(1, rng=data.draw(seeds))
    edges, start, goal = (x.copy() for x in task.encoding.decode(batch.prompts.numpy()))
    for _ in range(data.draw(st.integers(1, 3))):
        edges[0, data.draw(st.integers(0, 3)), data.draw(st.integers(0, 1))] = data.draw(st.integers(0, 5))
    other = Batch(torch.from_numpy(task.encoding.encode(edges, start, goal)), batch.answers, task.null)
    try:
        graph = task.graphs(other)[0]
        is_one = (graph.degree, graph.path_length) == (2, 3)
    except DatasetError:
        is_one = False
    if is_one:
        assert sorted(arm[-1] for arm in task.arms(other)[0].tolist()) == sorted(
            {v for _, v in graph.edges} - {u for u, _ in graph.edges}
        )
    else:
        with pytest.raises(UsageError, match="no graph"):
            task.arms(other)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((torch.zeros(2, 3).long(), torch.zeros(3, 2).long()), "prompts has 2 rows and answers 3"),
        ((torch.zeros(2).long(), torch.zeros(2, 2).long()), r"prompts is \(2,\); it must be a Tensor \(b, p\) or"),
        ((torch.zeros(2, 3).long(), torch.zeros(2).long()), r"answers is \(2,\); it must be a Tensor \(b, a\)"),
        (([[1]], torch.zeros(1, 1).long()), "prompts is list; it must be a Tensor"),
        ((torch.zeros(2, 3, 3).long(), torch.zeros(2, 2).long()), "null is None; with slots"),
    ],
)
def test_what_is_no_batch(arguments, message):
    with pytest.raises(UsageError, match=message):
        Batch(*arguments)
