"""Explanations: valid, irreducible over the rationals, no longer than what they explain, and readable."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory import NTPDataset, check_compatibility, check_separability, construct
from ntp_theory.claims import rational
from ntp_theory.conditions.circuits import Circuits
from ntp_theory.conditions.explanation import describe_explanation, explain
from ntp_theory.construct import DESIGNED, designed
from ntp_theory.errors import UsageError
from ntp_theory.testing import datasets


@st.composite
def counted(draw):
    """More contexts than dimensions, on a coarse grid where short relations abound; next tokens by counts."""
    m, v, d = draw(st.integers(2, 6)), draw(st.integers(2, 4)), draw(st.integers(1, 3))
    rows = st.lists(st.integers(-2, 2), min_size=d, max_size=d).map(tuple)
    h = np.array(draw(st.lists(rows, min_size=m, max_size=m, unique=True)), dtype=float)
    counts = st.lists(st.sampled_from([0, 0, 1, 2]), min_size=v, max_size=v).filter(any)
    return NTPDataset.from_counts(h, np.array(draw(st.lists(counts, min_size=m, max_size=m))))


def relations(certificate):
    """Dimension of the space of relations on the entries of a certificate, in rational arithmetic."""
    contexts, tokens = certificate.contexts.tolist(), certificate.tokens.tolist()
    data, columns = certificate.data, []
    embeddings = rational.to_fractions(data.embeddings)
    for j, v in zip(contexts, tokens, strict=True):
        column = [Fraction(0)] * (data.vocab_size * data.dim + data.num_contexts)
        column[v * data.dim : (v + 1) * data.dim] = embeddings[j]
        column[data.vocab_size * data.dim + j] = Fraction(1)
        columns.append(column)
    return len(columns) - rational.rank(columns)


def assert_explained(certificate):
    """The explanation of a Farkas certificate or a contradiction is one, and a circuit."""
    short, data = explain(certificate), certificate.data
    assert short is not None and short.data is data
    assert len(short.tokens) <= len(certificate.tokens)
    assert relations(short) == 1
    dense = torch.zeros(data.num_contexts, data.vocab_size, dtype=torch.float64)
    dense[short.contexts, short.tokens] = short.coefficients
    # rounding of sums of at most 24 terms, relative to the size of the terms
    size = float((dense.abs().sum(1) * data.embeddings.norm(dim=1)).sum())
    assert float((dense.T @ data.embeddings).norm()) <= 1e-14 * size
    assert float(dense.sum(1).abs().max()) <= 1e-14 * float(dense.abs().max())
    return short


@given(counted())
def test_not_separable(data):
    certificate = check_separability(data).certificate
    if certificate is None:
        return
    short = assert_explained(certificate)
    assert max(short.violations().values()) <= 1e-12
    assert bool(short.off_support.any()) and rational.is_farkas(data, short)


@given(counted())
def test_not_compatible(data):
    certificate = check_compatibility(data).certificate
    if certificate is None:
        return
    short = assert_explained(certificate)
    assert bool(data.support[short.contexts, short.tokens].all())
    logs = data.probabilities.to_dense()[short.contexts, short.tokens].log()
    assert float((short.coefficients * logs).sum()) == pytest.approx(short.value, abs=1e-14)
    assert float(short.coefficients.abs().sum()) == pytest.approx(1.0, abs=1e-14)
    assert short.value > 1e-9


@given(datasets())
def test_any_embeddings(data):
    """Gaussian entries, zero embeddings, repeated contexts: whatever is refused is explained."""
    certificate = check_separability(data).certificate
    if certificate is not None:
        short = explain(certificate)
        assert short is not None and len(short.tokens) <= len(certificate.tokens)
        assert max(short.violations().values()) <= 1e-12


@given(counted(), st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_an_explanation_moves_with_the_data(data, seed):
    """Renamed tokens and contexts, rotated embeddings, contexts scaled one by one: as long, and still valid."""
    certificate = check_separability(data).certificate
    if certificate is None:
        return
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(data.num_contexts), rng.permutation(data.vocab_size)
    rotation = np.linalg.qr(rng.standard_normal((data.dim, data.dim)))[0]
    scales = 2.0 ** rng.integers(-3, 4, data.num_contexts)
    h = (data.embeddings.numpy() * scales[:, None])[rows] @ rotation
    if len(np.unique(h, axis=0)) < len(h):
        return  # two contexts became one
    moved = NTPDataset(h, data.probabilities.to_dense().numpy()[np.ix_(rows, columns)])
    short, other = explain(certificate), explain(check_separability(moved).certificate)
    assert max(other.violations().values()) <= 1e-12
    back = torch.zeros(data.num_contexts, data.vocab_size, dtype=torch.float64)
    new_rows, new_columns = torch.as_tensor(rows)[other.contexts], torch.as_tensor(columns)[other.tokens]
    back[new_rows, new_columns] = other.coefficients * torch.as_tensor(scales)[new_rows]
    own = type(short).from_matrix(back, data)
    assert max(own.violations().values()) <= 1e-12 and relations(own) == relations(short) == 1


@pytest.mark.parametrize("name", DESIGNED)
def test_designed(name):
    data = designed(name).data
    for certificate in (check_separability(data).certificate, check_compatibility(data).certificate):
        if certificate is not None:
            short = assert_explained(certificate)
            assert len(explain(short).tokens) == len(short.tokens)


def test_additive_embeddings_have_parallelograms():
    """'a x' - 'a y' - 'b x' + 'b y' = 0: no relation of less than 4 contexts exists, and words can be read off."""
    data = construct.from_text(
        construct.documentation_text(), max_contexts=60, vocab_size=60, dim=64, embedding="additive"
    )
    for certificate in (check_separability(data).certificate, check_compatibility(data).certificate):
        short = assert_explained(certificate)
        assert len(short.tokens) == 8 and len(short.contexts.unique()) == 4 and len(short.tokens.unique()) == 2
        sizes = short.coefficients.abs()
        assert float(sizes.max() - sizes.min()) <= 1e-14
        first, second = zip(
            *(eval(data.context_name(j)).split() for j in short.contexts.unique().tolist()), strict=True
        )
        assert len(set(first)) == len(set(second)) == 2
        lines = describe_explanation(short).splitlines()
        assert len(lines) == 7 and "4 contexts and 2 tokens" in lines[0]
        assert lines[1].endswith(" = 0") and lines[1].count("'") + lines[1].count('"') >= 8
        assert all(line.startswith("    1 x after ") for line in lines[3:])


def test_general_position_needs_one_context_more_than_dimensions():
    data = construct.from_text(construct.documentation_text(), max_contexts=30, vocab_size=40, dim=8)
    short = assert_explained(check_separability(data).certificate)
    assert len(short.contexts.unique()) == 9 and len(short.tokens.unique()) == 2
    lines = describe_explanation(short, limit=4).splitlines()
    assert len(lines) == 3 + 4 + 1 and lines[-1] == "    and 5 more" and lines[1].endswith("and 5 more terms = 0")


def three_tokens():
    """Data that has a certificate on three tokens; one on two would need a relation that spares the third's contexts.

    Row j of the certificate is (a, b, -a - b), positive where its one next token is; the embeddings are orthogonal
    to both columns a and b.
    """
    pairs = np.array([[3, -1], [3, -2], [-1, 3], [-2, 3], [-1, -2], [-2, -1]])
    dependent = np.rint(-3 * np.linalg.solve(pairs[:2].T, pairs[2:].T))
    h = np.concatenate([dependent, 3 * np.eye(4)])
    assert not (pairs.T @ h).any()
    return NTPDataset(h, np.eye(3)[[0, 0, 1, 1, 2, 2]])


def test_more_than_two_tokens():
    short = assert_explained(check_separability(three_tokens()).certificate)
    assert len(short.tokens.unique()) == 3 and max(short.violations().values()) <= 1e-12
    words = describe_explanation(short)
    assert "one combination for each token" in words and "each above 0" in words and "; never: " in words


def test_smallest_norm_is_not_fewest_entries():
    """Three contexts are tied with a smaller l1 norm than the two that are parallel."""
    h = np.array([[-1.0, 2.0], [1.0, 1.0], [2.0, 0.0], [-2.0, -2.0]])
    data = NTPDataset.from_counts(h, np.array([[1, 1], [1, 0], [0, 1], [1, 1]]))
    short = assert_explained(check_separability(data).certificate)
    assert short.contexts.tolist() == [1, 1, 3, 3]


def test_rare_tokens_are_found():
    """The two contexts that disagree have next tokens that follow nothing else; all others are independent."""
    h, rows = np.eye(5)[[0, 0, 1, 2, 3]], np.zeros((5, 30))
    h[1] *= 2.0
    rows[0, 28] = rows[1, 29] = 1.0
    rows[2:, :28] = 1 / 28
    short = Circuits(h, rows > 0, np.where(rows > 0, 0.0, -1.0), np.ones(rows.shape, dtype=bool)).smallest()
    assert sorted(short.tokens.tolist()) == [28, 28, 29, 29] and sorted(short.contexts.tolist()) == [0, 0, 1, 1]


def test_the_entries_of_the_certificate_are_the_last_resort(monkeypatch):
    """Where the search finds nothing as short, it is confined to the entries of the certificate; then it gives up."""
    certificate = check_separability(three_tokens()).certificate
    monkeypatch.setattr(Circuits, "smallest", lambda self: None)
    short = assert_explained(certificate)
    own = set(zip(certificate.contexts.tolist(), certificate.tokens.tolist(), strict=True))
    assert set(zip(short.contexts.tolist(), short.tokens.tolist(), strict=True)) <= own
    monkeypatch.setattr("ntp_theory.conditions.circuits.WORK", 0)
    assert explain(certificate) is None


def test_words():
    data = NTPDataset([[0.0], [1.0], [2.0]], [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.2, 0.8, 0.0]])
    assert describe_explanation(explain(check_separability(data).certificate)).splitlines() == [
        "not NTP-separable: 1 context and 2 tokens suffice to show it",
        "  its embedding is zero",
        "  so these differences of logits add up to 0 for every decoder, but separation needs each above 0:",
        "    1 x after #0: #0 over #2, which never follows",
    ]
    data = NTPDataset([[1.0], [2.0]], [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]], token_names=["x", "y", "z"])
    assert describe_explanation(explain(check_separability(data).certificate)).splitlines() == [
        "not NTP-separable: 2 contexts and 2 tokens suffice to show it",
        "  their embeddings cancel: 2 #0 - #1 = 0",
        "  so these differences of logits add up to 0 for every decoder, but separation needs 1 of them above 0 and 1 "
        "at 0:",
        "    2 x after #0: 'y' over 'x' (both follow)",
        "    1 x after #1: 'x' over 'y', which never follows",
    ]


@pytest.mark.parametrize("function", [explain, describe_explanation])
def test_where_there_is_nothing_to_explain(function):
    answer = check_separability(NTPDataset([[1.0]], [[1.0, 0.0]]))
    with pytest.raises(UsageError, match="certificate is None; it must be a FarkasCertificate"):
        function(answer.certificate)
