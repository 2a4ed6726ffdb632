"""All readings at once: each is the reading it names, of the supports that count."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import NTPDataset, construct, predict
from ntp_theory.errors import UsageError
from ntp_theory.readings import exclusions, noise_tolerance, overview, token_groups
from ntp_theory.testing import CASES, datasets_of_case


@given(st.data(), st.sampled_from(CASES))
def test_each_part_is_its_reading(draw, case):
    data = draw.draw(datasets_of_case(case))
    limit = predict(data)
    head = torch.ones(data.vocab_size, data.dim).double()
    found = overview(limit, head=head)
    words, document = found.summary(), json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (found.exclusions is None) == (data.counts is None) == (document["exclusions"] is None)
    if found.exclusions is not None:
        assert document["exclusions"] == exclusions(data).to_dict()
        assert f"{int((~limit.support).sum())} pairs (context, next token)" in words
    groups = token_groups(limit.reference)
    assert found.groups.groups == groups.groups and document["token_groups"]["groups"] == len(groups.groups)
    assert (found.tolerance is None) == (found.own is None) == (limit.direction is None)
    if limit.direction is not None:
        tolerance = noise_tolerance(limit.direction, limit.reference)
        read = document["noise_tolerance"]
        assert read["radius"] == tolerance.radius and f"shorter than {tolerance.radius:.6g}" in words
        # each named pair flips at its radius, and none at a context that has none off the support
        assert [pair["radius"] for pair in read["least"]] == sorted(pair["radius"] for pair in read["least"])
        assert len(read["least"]) == int((limit.reference.pattern.sizes < data.vocab_size).sum())
        # equal rows: every off-support token is level with those that follow
        assert document["noise_tolerance_of_own_head"]["radius"] == 0.0


def test_names_of_the_nearest_flip():
    data = NTPDataset.from_counts(
        [[3.0, 0.0], [0.0, 4.0]], [[3, 0], [0, 4]], token_names=["a", "b"], context_names=["x", "y"]
    )
    least = overview(predict(data)).to_dict()["noise_tolerance"]["least"]
    # one hyperplane for both, <w_a - w_b, h> = 0 with w_a - w_b along (1/3, -1/4)
    named = [(one["context"], one["follows"], one["overtakes"]) for one in least]
    assert sorted(named) == [("'x'", "'a'", "'b'"), ("'y'", "'b'", "'a'")]
    assert [one["radius"] for one in least] == pytest.approx([2.4, 2.4], rel=1e-9)


def test_refused():
    with pytest.raises(UsageError, match="shape"):
        overview(predict(construct.tiny()), head=torch.zeros(2, 2))
