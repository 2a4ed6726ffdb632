"""Tasks of many shapes, the small path-star ones that can be enumerated, and trees of candidates."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st

from ntp_theory.sequence.decoding import Tree
from ntp_theory.sequence.tasks import Expression, Induction, PathStar, PathStarGraph, PolynomialArithmetic


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
def arithmetic_tasks(draw, **options):
    """Rings from 16 elements to more than 10^9, with room, pauses and small numbers of operators."""
    modulus = draw(st.integers(2, 10))
    terms = draw(st.integers({2: 4, 3: 3}.get(modulus, 2), 9))
    most = draw(st.integers(1, 7))
    options.setdefault("fewest", draw(st.integers(1, most)))
    room, pauses = most + draw(st.integers(0, 3)), draw(st.integers(0, 3))
    return PolynomialArithmetic(most, room=room, pauses=pauses, modulus=modulus, terms=terms, **options)


@st.composite
def expressions(draw, terms=2, modulus=7, most=8, fewest=0):
    """With ``fewest`` to ``most`` operators; built otherwise than the task draws them."""
    m = draw(st.integers(fewest, most))
    if m == 0:
        digits = st.integers(0, modulus - 1)
        return Expression("", coefficients=tuple(draw(st.lists(digits, min_size=terms, max_size=terms))))
    symbol = draw(st.sampled_from("-+*o"))
    left = m - 1 if symbol == "-" else draw(st.integers(0, m - 1))
    sizes = [left] if symbol == "-" else [left, m - 1 - left]
    return Expression(symbol, tuple(draw(expressions(terms, modulus, size, size)) for size in sizes))


@st.composite
def induction_tasks(draw):
    name_tokens = draw(st.integers(2, 30))
    rate = draw(st.floats(0.05, 1, exclude_min=True))
    names, background = draw(st.integers(1, name_tokens)), draw(st.integers(1, 10))
    return Induction(names, draw(st.integers(2, 60)), rate=rate, background=background, name_tokens=name_tokens)


@st.composite
def trees(draw, width=3, depth=4):
    """Trees of candidates, mostly ragged."""
    paths = st.lists(st.integers(0, width - 1), min_size=1, max_size=depth)
    return Tree(draw(st.lists(paths, min_size=1, max_size=6)))
