"""Trees of candidates: nodes, their families, and the best ones of a size."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.sequence.decoding import Tree, rank_accuracies
from tests.sequence.strategies import trees


@given(trees())
def test_families(tree):
    assert len(set(tree.paths)) == len(tree) and len(tree.children) == len(tree) + 1
    for number, path in enumerate(tree.paths, 1):
        parent = tree.parents[number - 1]
        assert parent < number and (tree.paths[parent - 1] if parent else ()) == path[:-1]
        assert number in tree.children[parent]
        assert [tree.paths[above - 1] for above in tree.chain(number)] == [path[: k + 1] for k in range(len(path))]
    assert sum(map(len, tree.children)) == len(tree) and tree.chain(0) == []
    assert Tree(path for path in tree.paths if not tree.children[tree.paths.index(path) + 1]) == tree, "leaves suffice"
    for depth in range(tree.depth + 1):
        assert [len(path) <= depth for path in tree.paths] == [i < tree.size_to(depth) for i in range(len(tree))]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_widths(widths):
    tree = Tree.from_widths(*widths)
    assert len(tree) == sum(math.prod(widths[:k]) for k in range(1, len(widths) + 1))
    assert (tree.depth, tree.width) == (len(widths), max(widths))


@st.composite
def accuracies(draw, heads=3, width=3):
    rows = []
    for _ in range(draw(st.integers(1, heads))):
        counts = draw(st.lists(st.integers(0, 5), min_size=width, max_size=width))
        rows.append([Fraction(count, max(1, sum(counts)) + draw(st.integers(0, 3))) for count in counts])
    return rows


def all_trees(heads, width, nodes):
    paths = [path for k in range(1, heads + 1) for path in itertools.product(range(width), repeat=k)]
    for chosen in itertools.combinations(paths, nodes):
        if all(len(path) == 1 or path[:-1] in chosen for path in chosen):
            yield Tree(chosen)


@given(rows=accuracies(heads=2), nodes=st.integers(1, 4))
def test_the_best_tree_is_the_best_of_all(rows, nodes):
    if not any(rows[0]):
        with pytest.raises(UsageError, match="no token of the first head"):
            Tree.from_accuracies(rows, nodes)
        return
    found = Tree.from_accuracies(rows, nodes)
    assert len(found) <= nodes
    assert found.expected_length(rows) == max(
        tree.expected_length(rows) for size in range(1, nodes + 1) for tree in all_trees(len(rows), 3, size)
    )


@given(rows=accuracies(), tree=trees(depth=3))
def test_expected_length_by_enumeration(rows, tree):
    """Ranks drawn one head after another, 3 for none of the tree's: the mean of the lengths, in fractions."""
    rows = [*rows, *[[Fraction(0)] * 3] * (3 - len(rows))]
    outcomes = list(itertools.product(range(4), repeat=3))
    lengths = tree.lengths(torch.tensor(outcomes)).tolist()
    mean = Fraction(0)
    for ranks, length in zip(outcomes, lengths, strict=True):
        mean += length * math.prod((*row, 1 - sum(row))[rank] for row, rank in zip(rows, ranks, strict=True))
    assert tree.expected_length(rows) == mean


@given(ranks=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=8), nodes=st.integers(1, 4))
def test_the_best_tree_for_texts(ranks, nodes):
    """Whatever the dependence: none of as many nodes is longer on these texts, the independent one included."""
    ranks = torch.tensor(ranks)
    found = Tree.from_ranks(ranks, nodes)
    best = max(int(tree.lengths(ranks).sum()) for size in range(1, nodes + 1) for tree in all_trees(2, 3, size))
    assert len(found) <= nodes and int(found.lengths(ranks).sum()) == best
    if int((ranks[:, 0] < 3).sum()):
        assert int(Tree.from_accuracies(rank_accuracies(ranks, 3), nodes).lengths(ranks).sum()) <= best


@given(trees(), st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=5))
def test_lengths(tree, ranks):
    found = tree.lengths(torch.tensor(ranks)).tolist()
    for row, length in zip(ranks, found, strict=True):
        assert length == max([k for k in range(1, 5) if tuple(row[:k]) in tree.paths], default=0)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: Tree([]), "paths is empty"),
        (lambda: Tree([()]), r"paths has \(\)"),
        (lambda: Tree([(0, -1)]), r"paths has \(0, -1\)"),
        (lambda: Tree([(0.0,)]), r"paths has \(0.0,\)"),
        (lambda: Tree.from_widths(2, 0), "widths is 0"),
        (lambda: Tree.from_widths(), r"paths has \(\)"),
        (lambda: Tree.from_accuracies([[0.5]], 0), "nodes is 0"),
        (lambda: Tree.from_accuracies([[0.5, 0.6]], 1), "accuracies is .* a sum of at most 1"),
        (lambda: Tree.from_accuracies([], 1), r"accuracies is \[\]"),
        (lambda: Tree.from_widths(1, 2).expected_length([[0.5], [0.5]]), r"rows of \[1, 1\] ranks; .* \(0, 1\)"),
        (lambda: Tree.from_widths(1, 1).expected_length([[0.5]]), r"rows of \[1\] ranks; .* \(0, 0\)"),
        (lambda: Tree.from_widths(1, 1).lengths(torch.zeros(3, 1, dtype=torch.int64)), r"ranks has shape \(3, 1\)"),
        (lambda: Tree.from_widths(1).lengths(torch.zeros(3, 1)), r"ranks is \(3, 1\), torch.float32"),
        (lambda: Tree([1, 2]), "paths has 1;"),
        (lambda: Tree.from_accuracies([[float("nan"), 0.2]], 1), "accuracies is"),
        (lambda: Tree.from_accuracies([0.2, 0.3], 1), "accuracies is"),
        (lambda: Tree.from_ranks([[0, 1]], 1), "ranks is list"),
        (lambda: Tree.from_ranks(torch.zeros(0, 2, dtype=torch.int64), 1), r"ranks is \(0, 2\)"),
        (lambda: Tree.from_ranks(torch.tensor([[0, -1]]), 1), "ranks has -1"),
        (lambda: rank_accuracies(torch.zeros(0, 2, dtype=torch.int64), 2), r"ranks is \(0, 2\)"),
    ],
)
def test_doors(call, message):
    with pytest.raises(UsageError, match=message):
        call()
