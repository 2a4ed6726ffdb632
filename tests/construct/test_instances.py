"""The named instances against their recorded figures, each right to half a unit of its last digit."""

from fractions import Fraction

import numpy as np
import pytest

from ntp_theory.construct import a2, lemma5, one_hot_control, sep_incompat, tiny, toy
from ntp_theory.subspace import data_subspace
from tests.construct.oracles import constraint_rows, is_compatible, is_separable, smallest_separator


def test_a2_replica():
    data = a2()
    assert (data.num_contexts, data.dim, data.vocab_size) == (50, 60, 10)
    assert data.pattern.sizes.unique().tolist() == [6]
    assert data.entropy == pytest.approx(1.4887, abs=5e-5)
    assert data_subspace(data).dim == 250


def test_one_hot_control_shares_the_embeddings_of_a2():
    data = one_hot_control()
    assert np.array_equal(data.embeddings, a2().embeddings)
    assert data.entropy == 0 and data_subspace(data).dim == 0


def test_tiny_has_its_recorded_margin():
    data = tiny()
    separator = smallest_separator(data.embeddings.numpy(), data.support.numpy())
    assert (separator**2).sum() == pytest.approx(15.4845, abs=5e-5)


def test_lemma5_has_the_recorded_sizes():
    data = lemma5()
    assert (data.num_contexts, data.vocab_size, data.dim) == (8, 5, 10)
    assert data.pattern.sizes.tolist() == [2] * 8


def test_sep_incompat_is_what_its_name_says():
    data = sep_incompat()
    h, mask = data.embeddings.numpy(), data.support.numpy()
    assert np.allclose(h, [[1, 0.3], [0.2, 1], [1.2, 1.3]], rtol=1e-15, atol=0)
    exact = [[Fraction(x) for x in row] for row in h.tolist()]
    assert [a + b for a, b in zip(exact[0], exact[1], strict=True)] == exact[2]
    assert data.weights.tolist() == [0.3, 0.3, 0.4]
    assert data.conditionals.tolist() == [0.8, 0.2, 0.3, 0.7, 0.35, 0.65]
    assert data.entropy == pytest.approx(0.59236, abs=5e-6)
    assert is_separable(h, mask)
    assert (smallest_separator(h, mask) ** 2).sum() == pytest.approx(0.8526, abs=5e-5)
    counts = np.zeros((3, 3), dtype=int)
    counts[mask] = data.counts.numpy()
    assert not is_compatible(h, counts)
    assert is_compatible(h, np.where(counts > 0, [[24, 6, 1], [9, 21, 1], [12, 7, 1]], 0))  # 4 * 3/7 = 12/7


def test_the_toy_has_the_papers_supports_and_names():
    data = toy()
    assert data.token_names == ("1", "2", "3", "4", "5") and data.context_names == ("A", "B", "C")
    assert [np.flatnonzero(row).tolist() for row in data.support] == [[0, 1, 4], [0, 3, 4], [1, 2, 3]]


def test_the_toy_is_separable_by_the_matrix_in_its_docstring():
    data = toy()
    h, mask = data.embeddings.numpy(), data.support.numpy()
    decoder = np.array([[-8, 14], [-14, -4], [-8, -7], [6, -14], [-8, 14]])
    assert (h @ decoder.T).tolist() == [[38, 38, 17, -32, 38], [-2, -32, -23, -2, -2], [-10, 11, 11, 11, -10]]
    equal, above = constraint_rows(h, mask)
    assert not (equal @ decoder.ravel()).any() and (above @ decoder.ravel() >= 1).all()
    assert is_separable(h, mask)


def test_the_toy_is_compatible_whatever_its_probabilities():
    assert data_subspace(toy()).dim == 6  # as many as constraints: 2 a context
    assert not np.array_equal(toy(0).conditionals, toy(1).conditionals)
