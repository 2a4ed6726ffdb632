"""Pair sampling keeps a distance that its noise, which is the curvature, predicts."""

from __future__ import annotations

import math
from dataclasses import replace

from ntp_theory import compare, descend, predict
from ntp_theory.construct.instances import sep_incompat, tiny

LABEL = "bias/strong-growth"


def test_the_radius_of_pair_sampling_is_predicted():
    data = tiny()
    run = descend(data, "sgd-pairs", steps=60_000, step_size=0.03, record=100)
    limit = predict(data)
    found = [check for check in compare(run, limit).checks if check.label == LABEL]
    assert len(found) == 1 and found[0].holds and found[0].tolerance < 0.5
    slower = replace(run, step_size=0.02, log_elapsed=run.log_elapsed + math.log(0.02 / 0.03))
    assert not compare(slower, limit).holds


def test_there_is_no_such_law_for_data_that_is_not_compatible():
    data = sep_incompat()
    comparison = compare(descend(data, "sgd-pairs", steps=100), predict(data))
    assert comparison.observed and "not compatible" in comparison.note
