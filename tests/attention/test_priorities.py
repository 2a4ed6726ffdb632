"""Graphs of priorities, the shared loss, and its limit, against independent oracles."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.sparse.csgraph import connected_components

import ntp_theory as ntp
from ntp_theory.attention import LogPartition, TokenSequences, pair_dataset, predict, priority_graphs, solve_pairs
from ntp_theory.errors import DatasetError, UsageError
from ntp_theory.testing import token_sequences


def attention_loss(data, w):
    """Minus the mean log attention of the labels, from the definition: a softmax over positions."""
    total = 0.0
    for row, label, weight in zip(data.inputs, data.labels, data.weights.tolist(), strict=True):
        attention = torch.tensor([w[x, row[-1]] for x in row]).double().softmax(0)
        total -= weight * math.log(sum(float(s) for s, x in zip(attention, row, strict=True) if x == label))
    return total


def scores(data, seed):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(data.vocab_size, data.vocab_size)))


@given(token_sequences())
def test_components_are_those_of_scipy(data):
    for graph in priority_graphs(data):
        count, names = connected_components(graph.adjacency.numpy(), connection="strong")
        assert len(graph.components) == count
        assert np.array_equal(graph.together.numpy(), names[:, None] == names[None, :])
        assert sorted(v for part in graph.components for v in part) == list(range(data.vocab_size))


@given(token_sequences())
def test_reach_counts_prove_the_order(data):
    for graph in priority_graphs(data):
        drop = graph.reach_counts[:, None] - graph.reach_counts[None, :]
        edges = graph.adjacency
        assert bool((drop[edges] >= 0).all())
        assert torch.equal((drop > 0)[edges], graph.priority[edges])


@given(token_sequences(), st.integers(0, 99))
def test_the_loss_is_that_of_attention_over_positions(data, seed):
    w = scores(data, seed)
    loss = LogPartition.of_sequences(data)
    assert loss.value(w.flatten()) == pytest.approx(attention_loss(data, w), rel=1e-12, abs=1e-12)


@given(token_sequences(max_tokens=4), st.integers(0, 99))
def test_gradient_and_hessian_are_derivatives(data, seed):
    loss, w = LogPartition.of_sequences(data), scores(data, seed).flatten().requires_grad_(True)
    value = loss.weights @ (loss.scores(w).logsumexp(1) - (loss.targets * (loss.features @ w)).sum(1))
    (gradient,) = torch.autograd.grad(value, w, create_graph=True)
    assert torch.allclose(loss.gradient(w.detach()), gradient.detach(), atol=1e-13)
    direction = torch.ones_like(w).cumsum(0).detach()
    if gradient.requires_grad:
        (product,) = torch.autograd.grad(gradient @ direction, w)
        assert torch.allclose(loss.hessian(w.detach()) @ direction, product, atol=1e-11)


@given(token_sequences(), st.integers(0, 99))
def test_the_loss_is_convex_and_smooth(data, seed):
    loss = LogPartition.of_sequences(data)
    values = torch.linalg.eigvalsh(loss.hessian(3 * scores(data, seed).flatten()))
    assert float(values[0]) >= -1e-14 and float(values[-1]) <= loss.smoothness + 1e-14


@settings(max_examples=25)
@given(token_sequences())
def test_supports_of_the_engine_are_the_components(data):
    limit, graphs = predict(data), {graph.query: graph for graph in priority_graphs(data)}
    for i, (k, tokens) in enumerate(zip(data.queries, data.distinct, strict=True)):
        expected = [bool(graphs[k].together[data.labels[i], x]) for x, _ in tokens]
        assert limit.support[i, : len(tokens)].tolist() == expected
    assert limit.diverges == any(bool(graph.priority.any()) for graph in graphs.values())


@settings(max_examples=25)
@given(token_sequences())
def test_the_direction_is_the_graph_svm(data):
    """Equal within components, 1 across every priority, and no shorter: its multipliers give it."""
    limit = predict(data)
    w = limit.matrix(limit.direction)
    for graph in priority_graphs(data):
        apart = w[:, None, graph.query] - w[None, :, graph.query]
        assert float(apart[graph.together].abs().max()) < 1e-8
        if bool(graph.priority.any()):
            assert float(apart[graph.priority].min()) > 1 - 1e-8
    # sum alpha (A_label - A_token), modulo F, with alpha >= 0 on constraints of margin 1: KKT
    alpha = limit.multipliers.values
    label = limit.loss.features[:, 0]
    pull = torch.einsum("ic,icd->d", alpha, label[:, None] - limit.loss.features)
    assert float((pull - limit.inside(pull) - limit.direction).norm()) < 1e-7 * (1 + limit.norm)
    assert float(alpha.min()) >= 0 and float(alpha.sum()) == pytest.approx(limit.norm**2, rel=1e-7, abs=1e-12)


@settings(max_examples=25)
@given(token_sequences(), st.integers(0, 99))
def test_the_finite_part_minimises(data, seed):
    limit = predict(data)
    cut = limit.loss.restricted(limit.support)
    assert float(cut.gradient(limit.finite).norm()) < 1e-10
    other = scores(data, seed).flatten()
    assert cut.value(other) >= limit.infimum - 1e-12 and limit.loss.value(other) >= limit.infimum - 1e-12
    far = limit.finite + 60.0 * limit.direction
    # off-support attention is at most their number times e^-60
    assert limit.loss.value(far) <= limit.infimum + 1e-12


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.integers(2, 4), st.integers(1, 5))
def test_decoders_have_the_limit_of_their_own_engine(seed, tokens, dim, contexts):
    data = ntp.construct.random(tokens, dim, contexts, (1, tokens - 1), rng=seed)
    one, other = ntp.predict(data), predict(data)
    assert torch.equal(one.support, other.support)
    assert other.infimum == pytest.approx(one.infimum, abs=1e-9)
    if one.direction is not None:
        assert other.loss_constant == pytest.approx(one.loss_constant, rel=1e-6)


@given(st.integers(0, 2**32 - 1))
def test_pairs_are_blocked_exactly_where_no_direction_is_strict(seed):
    r = np.random.default_rng(seed)
    normals = r.integers(-2, 3, (int(r.integers(1, 7)), 3)).astype(float)
    normals = normals[np.any(normals, axis=1)]
    if not len(normals):
        return
    tied = r.random(len(normals)) < 0.2
    answer = solve_pairs(torch.from_numpy(normals), tied.tolist())
    for n, blocked in zip(normals, answer.blocked.tolist(), strict=True):
        equal = normals[tied]
        best = linprog(
            -n,
            A_ub=-normals,
            b_ub=np.zeros(len(normals)),
            A_eq=equal if len(equal) else None,
            b_eq=np.zeros(len(equal)) if len(equal) else None,
            bounds=[(-1, 1)] * 3,
        )
        assert blocked == (-best.fun < 1e-7)
    margins = torch.from_numpy(normals) @ answer.direction
    assert float(margins[answer.blocked].abs().max() if answer.blocked.any() else 0.0) < 1e-8
    assert bool((margins[~answer.blocked] > 1 - 1e-8).all())


def test_a_normal_is_one_context_and_tied_is_stricter():
    data, rows = pair_dataset(torch.tensor([[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]]), [True, False, False])
    assert rows == [0, 0, 1] and data.support.tolist() == [[True, True], [True, False]]


def test_a_cycle_with_a_way_out():
    """0 and 1 each before the other twice to one, both before 2: the example that can be done by hand."""
    data = TokenSequences([[0, 1, 2], [1, 0, 2], [1, 0, 2]], [0, 1, 1])
    limit = predict(data)
    w = limit.matrix(limit.direction)[:, 2]
    assert w.tolist() == pytest.approx([1 / 3, 1 / 3, -2 / 3])
    finite = limit.matrix(limit.finite)[:, 2]
    assert float(finite[1] - finite[0]) == pytest.approx(math.log(2)) and float(finite[2]) == pytest.approx(0)
    assert limit.infimum == pytest.approx(-(math.log(1 / 3) + 2 * math.log(2 / 3)) / 3)


@pytest.mark.parametrize(
    ("inputs", "labels", "more", "words"),
    [
        ([[0, 1]], [2], {}, r"labels\[0\] is 2"),
        ([], [], {}, "0 inputs"),
        ([[0, 1], [1]], [0], {}, "2 inputs and 1 labels"),
        ([[0, -1]], [0], {}, r"inputs\[0\]\[1\] is -1"),
        ([[0, 3]], [0], {"vocab_size": 3}, r"inputs\[0\]\[1\] is 3"),
        ([[0, 1]], [0], {"weights": [0.5]}, "weights"),
        ([[0, 1]], [0.5], {}, r"labels\[0\] is 0.5"),
    ],
)
def test_bad_sequences_are_refused(inputs, labels, more, words):
    with pytest.raises((DatasetError, UsageError), match=words):
        TokenSequences(inputs, labels, **more)


@pytest.mark.parametrize("ask", [predict, priority_graphs, LogPartition.of_sequences, LogPartition.of_dataset])
def test_other_data_is_refused(ask):
    with pytest.raises(UsageError, match="data is 3"):
        ask(3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((1, [0]), "inputs is 1"),
        (([0, 1], [0, 1]), r"inputs\[0\] is 0"),
        (([[0, 1]], 0), "labels is 0"),
        (([[0, 0.5]], [0]), r"inputs\[0\]\[1\] is 0.5"),
        (([[]], [0]), r"inputs\[0\] is empty"),
    ],
)
def test_inputs_that_are_no_sequences_are_refused(arguments, words):
    with pytest.raises((UsageError, DatasetError), match=words):
        TokenSequences(*arguments)


@pytest.mark.parametrize(
    ("normals", "tied", "words"),
    [
        (None, [True], "normals"),
        (torch.tensor([[math.nan]]), [False], "normals"),
        (torch.eye(2), [True], "tied has 1 entries"),
        (torch.zeros(0, 2), [], "normals"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(normals, tied, words):
    with pytest.raises(UsageError, match=words):
        solve_pairs(normals, tied)


def test_pairs_in_single_precision_are_answered_in_double():
    for tied in ([True, True], [False, True]):
        assert solve_pairs(torch.eye(2), tied).direction.dtype is torch.float64


@pytest.mark.parametrize("scale", [1e-4, 1e-2, 1.0, 1e4])
def test_limits_of_decoders_do_not_depend_on_the_scale_of_embeddings(scale):
    data = ntp.construct.random(4, 3, 5, 2, rng=1)
    data = ntp.NTPDataset(scale * data.embeddings, data.probabilities.to_dense(), data.weights)
    theirs, ours = ntp.predict(data), predict(data)
    assert float((theirs.finite - ours.matrix(ours.finite)).norm()) < 1e-6 * float(theirs.finite.norm())
    assert ours.loss_constant == pytest.approx(theirs.loss_constant, rel=1e-8)
