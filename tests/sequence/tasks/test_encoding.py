"""Encodings: what they write is what they read, and both write the same graphs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.sequence.tasks.path_star.encoding import ENCODINGS


@pytest.mark.parametrize("name", ENCODINGS)
@given(st.integers(1, 20), st.integers(1, 4), st.integers(1, 9), st.integers(0, 2**32))
def test_decode_undoes_encode(name, num_nodes, count, num_edges, seed):
    random, code = np.random.default_rng(seed), ENCODINGS[name](num_nodes)
    edges = random.integers(num_nodes, size=(count, num_edges, 2))
    start, goal = random.integers(num_nodes, size=(2, count))
    prompts = code.encode(edges, start, goal)
    assert prompts.shape[1] == code.prompt_length(num_edges) and (prompts.ndim == 3) == (code.slots > 1)
    assert 0 <= prompts.min() and prompts.max() < code.vocab_size
    for found, put in zip(code.decode(prompts), (edges, start, goal), strict=True):
        assert np.array_equal(found, put)


@pytest.mark.parametrize("name", ENCODINGS)
def test_ids_are_distinct(name):
    code = ENCODINGS[name](5)
    special = [code.bar, code.equals, code.slash, code.dummy, *([] if code.null is None else [code.null])]
    assert special == list(range(5, code.vocab_size))
