"""The residual pi (softmax - p), in place, against 60-digit arithmetic; and the contexts in ranges.

Error bound. A difference of logits rounds relative to itself, so exp of it is off by the relative error
EPS |l - max l|, and a few units in the last place more; sums of V such numbers by V EPS at most. `relative` adds these
up. It holds for every entry off the supports and for the entry of a single next token; others are differences with
pi_j p_{j,z}.
"""

from __future__ import annotations

import gc
import weakref
from unittest.mock import patch

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from ntp_theory import softmax
from ntp_theory.dataset import NTPDataset
from ntp_theory.loss import evaluate, gradient
from ntp_theory.softmax import SoftmaxResidual, context_ranges, gradient_residuals, residuals
from tests.test_loss import EPS, any_kind, assert_split_is_exact, rounding, total_size

SMALLEST = 2.0**-1074


def residual_of(logits, data, *, in_torch):
    """The residual (V, m) of logits (V, m), which stay as they are."""
    if in_torch:
        # as on a machine on which torch shares the work out
        with patch.object(softmax, "FEW", 0), patch.object(torch, "get_num_threads", lambda: 2):
            [(_, residual)] = residuals(data)
        assert residual.view is not torch.Tensor.numpy
    else:
        [(_, residual)] = residuals(data)
        assert residual.view is torch.Tensor.numpy
    found = logits.clone()
    residual(residual.view(found))
    return found


def exact_softmax(column):
    top = max(column)
    terms = [mpmath.exp(x - top) for x in column]
    total = mpmath.fsum(terms)
    return [term / total for term in terms]


@given(any_kind, st.booleans())
def test_every_entry_against_60_digits(case, in_torch):
    data, weights = case
    logits = weights @ data.embeddings.T
    found = residual_of(logits, data, in_torch=in_torch)
    p, support = data.probabilities.to_dense(), data.support
    with mpmath.workdps(60):
        for j, (column, pi) in enumerate(zip(logits.T.tolist(), data.weights.tolist(), strict=True)):
            relative = EPS * (max(column) - min(column) + data.vocab_size + 10)
            alone = int(support[j].sum()) == 1
            softmax_j = exact_softmax([mpf(x) for x in column])
            for v, q in enumerate(softmax_j):
                if alone and support[j, v]:
                    exact = -mpmath.fsum(softmax_j[:v] + softmax_j[v + 1 :])
                else:
                    exact = q - mpf(float(p[j, v]))
                size = q if support[j, v] and not alone else abs(exact)
                slack = 2 * EPS * float(p[j, v]) if support[j, v] and not alone else 0.0
                error = abs(mpf(float(found[v, j])) - pi * exact)
                assert error <= pi * (relative * size + slack) + data.vocab_size * SMALLEST


@given(any_kind)
def test_both_libraries_agree_where_nothing_is_lost(case):
    """Torch and numpy have an exp each, right within two units in the last place, and add in another order."""
    data, weights = case
    logits = weights @ data.embeddings.T
    ours, theirs = (residual_of(logits, data, in_torch=in_torch) for in_torch in (False, True))
    size = EPS * (data.vocab_size + 10) * data.weights
    assert ((ours - theirs).abs() <= size).all()


def test_by_hand():
    """Softmax of (0, log 3) is (1/4, 3/4); scales of any sign come last."""
    data = NTPDataset([[1.0], [2.0]], [[0.5, 0.5], [1.0, 0.0]], [0.25, 0.75])
    logits = torch.tensor([[0.0, 0.0], [np.log(3.0), np.log(3.0)]], dtype=torch.float64)
    [(_, residual)] = residuals(data, -8.0)
    residual(residual.view(logits))
    assert logits.T.tolist() == [pytest.approx([0.5, -0.5], rel=4 * EPS), pytest.approx([4.5, -4.5], rel=4 * EPS)]


@pytest.mark.parametrize("in_torch", [False, True])
def test_what_is_not_finite_spoils_its_own_context_only(in_torch):
    data = NTPDataset(np.eye(4), np.eye(4)[[0, 1, 2, 0]])
    logits = torch.zeros(4, 4, dtype=torch.float64)
    logits[0, 0], logits[3, 1], logits[3, 2] = torch.inf, torch.nan, -torch.inf
    with np.errstate(invalid="ignore"):
        found = residual_of(logits, data, in_torch=in_torch)
    assert found.isnan().all(0).tolist() == [True, True, False, False]
    assert found[:, 2].tolist() == pytest.approx([1 / 12, 1 / 12, -1 / 6, 0.0])


def test_single_precision_stays_single():
    data = NTPDataset([[1.0]], [[0.5, 0.5, 0.0]]).to(dtype=torch.float32)
    found = residual_of(torch.zeros(3, 1), data, in_torch=False)
    assert found.dtype == torch.float32 and found.flatten().tolist() == pytest.approx([-1 / 6, -1 / 6, 1 / 3])


# --- ranges of contexts -----------------------------------------------------------------------------


@given(any_kind, st.integers(1, 30))
def test_ranges_are_the_contexts_in_pieces(case, entries):
    data, _ = case
    with patch.object(softmax, "ENTRIES", entries):
        ranges = context_ranges(data)
    numbers = [j for part in ranges for j in range(data.num_contexts)[part.contexts]]
    assert numbers == list(range(data.num_contexts))
    for part in ranges:
        width = part.contexts.stop - part.contexts.start
        assert part.pattern.num_contexts == width and width * data.vocab_size <= max(entries, data.vocab_size)
        assert torch.equal(part.pattern.mask(), data.support[part.contexts])
        assert torch.equal(data.pattern.tokens[part.entries], part.pattern.tokens)


@given(any_kind, st.integers(1, 12))
def test_loss_and_gradient_piece_by_piece(case, entries):
    """The pieces are held against 60 digits, or against the whole, each of which is within its bound."""
    data, weights = case
    whole = gradient(weights, data)
    with patch.object(softmax, "ENTRIES", entries):
        assert_split_is_exact(weights, data)
        found = gradient(weights, data.to())  # another object: what is known of the first was made for the whole
    assert (found - whole).abs().max() <= 8 * rounding(weights, data) * total_size(data)


def test_logits_that_overflow_are_refused_in_any_piece():
    data = NTPDataset([[1.0], [1e10]], [[0.5, 0.5], [1.0, 0.0]])
    with patch.object(softmax, "ENTRIES", 2):
        for function in (evaluate, gradient):
            with pytest.raises(ValueError, match="weights gives logits beyond the largest number"):
                function([[1e305], [0.0]], data)


def test_a_dataset_is_not_kept_alive_by_what_was_made_for_it():
    data = NTPDataset([[1.0]], [[0.5, 0.5]])
    made, gone = gradient_residuals(data), weakref.ref(data)
    assert gradient_residuals(data) is made and isinstance(made[0][1], SoftmaxResidual)
    del data
    gc.collect()
    assert gone() is None
