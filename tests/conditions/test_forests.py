"""Forest packing against brute force over subsets, and against ranks over the rationals."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from ntp_theory.claims import rational
from ntp_theory.conditions.forests import forest_decomposition, generic_rank
from ntp_theory.dataset import NTPDataset
from ntp_theory.errors import UsageError
from ntp_theory.support import SupportPattern


@st.composite
def multigraphs(draw, max_tokens=6, max_edges=9):
    """Edges between few tokens, so that parallel ones and dense corners are common."""
    v = draw(st.integers(2, max_tokens))
    pairs = st.lists(st.integers(0, v - 1), min_size=2, max_size=2, unique=True).map(tuple)
    return draw(st.lists(pairs, max_size=max_edges))


def rank_of(edges):
    """Rank of the incidence matrix, which is that of the graphic matroid."""
    incidence = np.zeros((len(edges), 6))
    for row, (a, b) in zip(incidence, edges, strict=True):
        row[a], row[b] = 1, -1
    return np.linalg.matrix_rank(incidence) if edges else 0


def smallest_bound(edges, dim):
    """min over all edge sets T of d r(T) + |E - T|."""
    subsets = itertools.chain.from_iterable(itertools.combinations(edges, k) for k in range(len(edges) + 1))
    return min(dim * rank_of(subset) + len(edges) - len(subset) for subset in subsets)


def dataset(edges, dim, seed):
    """Integer embeddings up to 10^6: generic but for one graph in 10^5 (Schwartz-Zippel: degree 9 over 2 10^6)."""
    r = np.random.default_rng(seed)
    counts = np.zeros((len(edges), 6), dtype=int)
    for row, edge in zip(counts, edges, strict=True):
        row[list(edge)] = r.integers(1, 100, 2)
    return NTPDataset.from_counts(r.integers(-(10**6), 10**6, (len(edges), dim)), counts)


@given(multigraphs(), st.integers(1, 3))
@example([], 1)
@example([(0, 1)] * 3, 2)  # only parallel edges
@example([(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5)], 1)  # two crowds apart
def test_rank_is_the_formula_and_the_proofs_stand(edges, dim):
    found = forest_decomposition(edges, dim)
    assert found.verify()
    assert found.rank == generic_rank(edges, dim) == smallest_bound(edges, dim)
    assert found.independent == (found.rank == len(edges)) == (found.crowded_tokens == ())
    # the witnesses again, in the words of the theorem
    for forest in found.forests:
        assert rank_of([edges[i] for i in forest]) == len(forest)
    assert sorted(i for part in (*found.forests, found.leftover) for i in part) == list(range(len(edges)))
    if not found.independent:
        among = [edge for edge in edges if set(edge) <= set(found.crowded_tokens)]
        assert len(among) > dim * (len(found.crowded_tokens) - 1)


@given(multigraphs().filter(bool), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_rank_of_integer_embeddings_is_the_generic_one(edges, dim, seed):
    data = dataset(edges, dim, seed)
    assert generic_rank(data.pattern, dim) == rational.rank(rational.generators(data))


@given(multigraphs(), st.integers(1, 3), st.randoms(use_true_random=False))
def test_rank_does_not_depend_on_names_or_order(edges, dim, random):
    names = random.sample(range(100), 6)
    renamed = [tuple(names[token] for token in random.sample(edge, 2)) for edge in random.sample(edges, len(edges))]
    assert generic_rank(renamed, dim) == generic_rank(edges, dim)


@given(st.integers(1, 4), st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_edges_of_d_forests_are_packed_again(dim, tokens, seed):
    r = np.random.default_rng(seed)
    trees = [(int(r.integers(child)), child) for _ in range(dim) for child in range(1, tokens)]
    found = forest_decomposition([trees[i] for i in r.permutation(len(trees))], dim)
    assert found.independent and found.verify()
    # d trees on all tokens leave room for no edge more
    full = forest_decomposition([*found.edges, (0, tokens - 1)], dim)
    assert full.leftover == (len(trees),) and full.verify()


WRONG = {
    "an edge in two forests": lambda f: replace(f, forests=(f.forests[0], f.forests[0])),
    "a cycle in a forest": lambda f: replace(f, forests=((0, 1, 2), ()), leftover=(3, 4)),
    "an edge forgotten": lambda f: replace(f, leftover=()),
    "a forest too many": lambda f: replace(f, forests=(*f.forests, ())),
    "a crowd too small": lambda f: replace(f, crowd=f.crowd[1:]),
    "no crowd": lambda f: replace(f, crowd=()),
    "tokens not crowded": lambda f: replace(f, crowded_tokens=f.crowded_tokens[1:]),
    "no tokens": lambda f: replace(f, crowded_tokens=()),
    "a dimension more": lambda f: replace(f, dim=3, forests=(*f.forests, ())),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_witness_is_noticed(change):
    found = forest_decomposition([(0, 1), (1, 2), (0, 2), (0, 1), (1, 2)], 2)
    assert found.verify() and found.rank == 4 and found.crowded_tokens == (0, 1, 2)
    assert not change(found).verify()


def test_answers_in_words():
    assert forest_decomposition([(0, 1), (0, 1)], 2).summary() == "independent: 2 contexts decompose into 2 forests"
    assert forest_decomposition([(0, 1), (0, 1)], 1).summary() == (
        "dependent: generic rank 1 of 2 contexts; more than 1 contexts lie among 2 tokens"
    )


@pytest.mark.parametrize(
    ("edges", "dim", "message"),
    [
        ([(0, 0)], 1, r"edges\[0\] is \(0, 0\); it must be a pair of different tokens"),
        ([(0, 1), (1, 2, 3)], 1, r"edges\[1\] is \(1, 2, 3\)"),
        ([(0, 1), 7], 1, r"edges\[1\] is 7"),
        ([(0, -1)], 1, r"edges\[0\]\[1\] is -1; it must be a whole number >= 0"),
        ([(0, 1)], 0, "dim is 0; it must be a whole number >= 1"),
        (SupportPattern.from_mask(torch.tensor([[True, True], [True, False]])), 1, "edges has 1 tokens in support 1"),
    ],
)
def test_wrong_input_is_refused(edges, dim, message):
    with pytest.raises(UsageError, match=message):
        forest_decomposition(edges, dim)
