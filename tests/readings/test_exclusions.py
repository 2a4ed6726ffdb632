"""What is ruled out, against the limit of training and against counts made by hand."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import NTPDataset, construct, predict
from ntp_theory.errors import UsageError
from ntp_theory.readings import exclusions
from ntp_theory.support import SupportPattern
from ntp_theory.testing import CASES, datasets_of_case


@given(st.data(), st.sampled_from(CASES))
def test_ruled_out_is_what_the_limit_has_no_place_for(draw, case):
    data = draw.draw(datasets_of_case(case))
    found, limit = exclusions(data), predict(data)
    assert torch.equal(found.pattern.mask(), limit.support)
    assert found.sizes.tolist() == (~limit.support).sum(1).tolist()
    assert found.kept.tolist() == (limit.support & ~data.support).sum(1).tolist()
    again = exclusions(data, pattern=limit.reference.pattern)
    assert again.to_dict() == found.to_dict() and json.loads(json.dumps(found.to_dict()))["ruled_out"] == int(
        found.sizes.sum()
    )


@given(datasets_of_case("separable-compatible"))
def test_provenance_is_in_the_counts(data):
    counts = torch.zeros(data.support.shape, dtype=torch.int64)
    counts[data.pattern.contexts, data.pattern.tokens] = data.counts
    found, total = exclusions(data), int(counts.sum())
    listed = [x for j in range(data.num_contexts) for x in found.after(j)]
    assert len(listed) == int((counts == 0).sum())
    for j in range(data.num_contexts):
        row = found.after(j)
        assert [x.expected for x in row] == sorted((x.expected for x in row), reverse=True)
        for x in row:
            v = int(x.token[1:])
            assert counts[j, v] == 0 and x.context == f"#{j}"
            assert x.context_count == int(counts[j].sum()) and x.token_count == int(counts[:, v].sum())
            assert x.other_contexts == int((counts[:, v] > 0).sum())
            assert x.expected == pytest.approx(x.context_count * x.token_count / total, rel=1e-12)
        assert float(found.unseen[j]) == int((counts[j] == 1).sum()) / int(counts[j].sum())
    assert found.unseen_mass == pytest.approx(int((counts == 1).sum()) / total, abs=1e-12)
    most = found.most_expected(3)
    assert [x.expected for x in most] == sorted((x.expected for x in listed), reverse=True)[:3]


def test_words_name_what_is_surprising():
    data = construct.from_text("a b a b a b a c d c d c d c a", context_length=1, dim=8)
    text = exclusions(data).summary(limit=1)
    # 4 of 14 next tokens are a, and 4 of 14 contexts
    assert "'a' after 'a': never in 4, expected 1.14 times (4 times after 2 other contexts)" in text


def test_refusals():
    data = NTPDataset.from_counts([[1.0], [2.0]], [[1, 1, 0], [0, 1, 0]])
    with pytest.raises(UsageError, match="no counts"):
        exclusions(NTPDataset([[1.0]], [[0.5, 0.5]]))
    with pytest.raises(UsageError, match="pattern leaves out"):
        exclusions(data, pattern=SupportPattern.from_mask(torch.tensor([[True, False, False], [False, True, False]])))
    with pytest.raises(UsageError, match="context is 2"):
        exclusions(data).after(2)
    with pytest.raises(UsageError, match="data"):
        exclusions("text")


def test_refuses_limits_and_patterns_of_other_kinds():
    found = exclusions(NTPDataset.from_counts([[1.0, 0.0], [0.0, 1.0]], [[3, 1, 0], [0, 2, 2]]))
    assert found.after(0, 0) == found.most_expected(0) == []
    for wrong in (-1, 1.5):
        with pytest.raises(UsageError, match="limit"):
            found.after(0, wrong)
        with pytest.raises(UsageError, match="limit"):
            found.most_expected(wrong)
    with pytest.raises(UsageError, match="pattern is"):
        exclusions(found.data, pattern=found.data.support)
