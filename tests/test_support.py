"""`SupportPattern` against dense masks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import DatasetError
from ntp_theory.support import SupportPattern


@st.composite
def masks(draw):
    m, v = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    rows = st.lists(st.booleans(), min_size=v, max_size=v).filter(any)
    return torch.tensor(draw(st.lists(rows, min_size=m, max_size=m)))


@st.composite
def masks_with_logits(draw):
    mask = draw(masks())
    entries = st.floats(-1e3, 1e3, width=32)
    count = mask.numel()
    logits = draw(st.lists(entries, min_size=count, max_size=count))
    return mask, torch.tensor(logits, dtype=torch.float64).reshape(mask.shape)


@given(masks())
def test_a_pattern_is_its_mask(mask):
    pattern = SupportPattern.from_mask(mask)
    assert torch.equal(pattern.mask(), mask)
    assert torch.equal(pattern.sizes, mask.sum(1))
    assert torch.equal(pattern.anchors, mask.int().argmax(1))
    assert torch.equal(pattern.contexts[pattern.starts], torch.arange(len(mask)))
    assert pattern.num_off_support == int((~mask).sum())
    assert (pattern.num_contexts, pattern.vocab_size) == tuple(mask.shape)
    assert torch.equal(pattern.to("cpu").mask(), mask)


@given(masks_with_logits())
def test_reductions_equal_dense_ones(case):
    mask, logits = case
    pattern = SupportPattern.from_mask(mask)
    inside = pattern.inside(logits)
    assert torch.equal(inside, logits[mask])
    assert torch.equal(pattern.min(inside), logits.masked_fill(~mask, torch.inf).amin(1))
    assert torch.equal(pattern.max(inside), logits.masked_fill(~mask, -torch.inf).amax(1))
    # at most 6 terms of size 1e3, added in any order: 6 * 6e3 * 2^-53 < 1e-11
    torch.testing.assert_close(pattern.sum(inside), (logits * mask).sum(1), rtol=0, atol=1e-11)
    dense = torch.logsumexp(logits.masked_fill(~mask, -torch.inf), 1)
    torch.testing.assert_close(pattern.logsumexp(inside), dense, rtol=1e-14, atol=1e-14)


@given(masks_with_logits())
def test_outside_and_margins(case):
    mask, logits = case
    pattern, before = SupportPattern.from_mask(mask), logits.clone()
    assert torch.equal(pattern.outside(logits), logits.masked_fill(mask, -torch.inf))
    assert torch.equal(logits, before)
    for j, margin in enumerate(pattern.margins(logits).tolist()):
        inside, outside = logits[j][mask[j]].tolist(), logits[j][~mask[j]].tolist()
        assert margin == min((a - b for a in inside for b in outside), default=math.inf)


def test_logsumexp_neither_overflows_nor_changes_its_input():
    pattern = SupportPattern.from_mask(torch.tensor([[True, True], [True, False]]))
    values = torch.tensor([1e300, 1e300, -1e300], dtype=torch.float64)
    assert pattern.logsumexp(values).tolist() == [1e300, -1e300]
    assert values.tolist() == [1e300, 1e300, -1e300]


@given(masks(), st.randoms(use_true_random=False))
def test_relabelling_tokens_and_contexts(mask, random):
    rows, columns = list(range(mask.shape[0])), list(range(mask.shape[1]))
    random.shuffle(rows), random.shuffle(columns)
    moved = SupportPattern.from_mask(mask[rows][:, columns])
    assert torch.equal(moved.sizes, SupportPattern.from_mask(mask).sizes[rows])
    assert np.array_equal(moved.mask().numpy(), mask.numpy()[np.ix_(rows, columns)])


def test_an_empty_support_is_refused():
    with pytest.raises(DatasetError, match="mask row 1 has an empty support; every context needs"):
        SupportPattern.from_mask(torch.tensor([[True, False], [False, False]]))
