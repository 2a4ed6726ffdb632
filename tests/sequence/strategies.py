"""Path-star tasks of many shapes, the small ones that can be enumerated, and trees of candidates."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st

from ntp_theory.sequence.decoding import Tree
from ntp_theory.sequence.tasks import PathStar, PathStarGraph


@st.composite
def tasks(draw, **options):
    degree, path_length = draw(st.integers(2, 5)), draw(st.integers(2, 5))
    extra = draw(st.integers(0, 10))
    for name, values in (("order", ("forward", "reversed")), ("encoding", ("edge-packed", "paper"))):
        options.setdefault(name, draw(st.sampled_from(values)))
    return PathStar(degree, path_length, degree * (path_length - 1) + 1 + extra, **options)


def every_instance(task):
    """All labelled graphs of a task, edges arm by arm: every centre, every set of arms, every choice of the goal."""
    arm = task.path_length - 1
    for nodes in itertools.permutations(range(task.num_nodes), task.graph_size):
        arms = [nodes[1 + i * arm : 1 + (i + 1) * arm] for i in range(task.degree)]
        if [a[0] for a in arms] != sorted(a[0] for a in arms):
            continue
        edges = tuple(pair for a in arms for pair in itertools.pairwise((nodes[0], *a)))
        for a in arms:
            yield PathStarGraph(edges, nodes[0], a[-1])


@st.composite
def trees(draw, width=3, depth=4):
    """Trees of candidates, mostly ragged."""
    paths = st.lists(st.integers(0, width - 1), min_size=1, max_size=depth)
    return Tree(draw(st.lists(paths, min_size=1, max_size=6)))
