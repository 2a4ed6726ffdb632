"""Figures on attention show what they are given."""

from __future__ import annotations

import numpy as np
import pytest

from ntp_theory.attention import TokenSequences, descend, predict, priority_graphs
from ntp_theory.errors import UsageError
from ntp_theory.figures import norm_growth, priority_graph

DATA = TokenSequences([[0, 1, 2], [1, 0, 2], [1, 0, 2]], [0, 1, 1], vocab_size=4)


def test_tokens_and_edges_are_drawn():
    [graph] = priority_graphs(DATA)
    ax = priority_graph(graph)
    names = [text.get_text() for text in ax.texts if text.get_text()]
    assert sorted(names) == ["0", "1", "2"]  # 3 has no edge
    assert sum(text.arrow_patch is not None for text in ax.texts) == int(graph.adjacency.sum())
    circles = {line.get_markeredgecolor() for line in ax.lines}
    assert len(circles) == 2  # one component of two tokens, one token by itself


def test_norms_and_their_line_are_drawn():
    limit, run = predict(DATA), descend(DATA, steps=2000)
    points, line = norm_growth(run, limit).lines
    assert np.allclose(points.get_ydata(), run.norms)
    x, y = line.get_xdata(), line.get_ydata()
    assert y[-1] == pytest.approx(float((limit.direction * x[-1] + limit.offset).norm()))


def test_nothing_to_draw():
    data = TokenSequences([[0, 1], [1, 1]], [0, 1])
    with pytest.raises(UsageError, match="no edges"):
        priority_graph(priority_graphs(TokenSequences([[1, 1]], [1]))[0])
    cycle = TokenSequences([[0, 1], [0, 1]], [0, 1])
    with pytest.raises(UsageError, match="no direction"):
        norm_growth(descend(data, steps=10), predict(cycle))
