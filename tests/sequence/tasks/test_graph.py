"""Graphs as text: both dialects, the examples of the literature, and every way to be wrong."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import DatasetError
from ntp_theory.sequence.tasks import PathStar, PathStarGraph
from tests.sequence.strategies import tasks

LINE = "32,3|16,12|3,19|32,34|34,6|6,16|19,47|47,28/32,12=32,34,6,16,12"
ARROWS = "3 → 4 | 5 → 1 | 4 → 5 | 0 → 2 | 3 → 0 | 1 → 8 | 6 → 7 | 2 → 6 / 3 7\n3 → 0 → 2 → 6 → 7"
COMMAS = "3,4|5,1|4,5|0,2|3,0|1,8|6,7|2,6/3,7=3,0,2,6,7"


@given(tasks(), st.integers(0, 2**32), st.sampled_from(["arrow", "paper"]), st.booleans())
def test_round_trip(task, seed, dialect, answer):
    graph = task.graphs(task.sample(1, rng=seed))[0]
    text = graph.format(dialect, answer=answer)
    assert PathStarGraph.parse(text) == graph
    assert PathStarGraph.parse(text.replace("→", "->")) == graph
    assert PathStarGraph.parse(text).format(dialect, answer=answer) == text


def test_the_line_of_the_public_data():
    """`pitfalls/serialisation`."""
    graph = PathStarGraph.parse(LINE)
    assert (graph.degree, graph.path_length, graph.start, graph.goal) == (2, 5, 32, 12)
    assert graph.path == (32, 34, 6, 16, 12) and graph.format("paper") == LINE
    assert PathStar(2, 5, 50, encoding="paper").parse(LINE) == graph


def test_the_example_with_arrows():
    """`pitfalls/arrow-format`: both dialects are one instance, with these token ids."""
    graph = PathStarGraph.parse(ARROWS)
    assert graph == PathStarGraph.parse(COMMAS) and graph.format() == ARROWS and graph.format("paper") == COMMAS
    batch = PathStar(2, 5, 9, encoding="paper").batch([graph])
    edges = [3, 4, 9, 5, 1, 9, 4, 5, 9, 0, 2, 9, 3, 0, 9, 1, 8, 9, 6, 7, 9, 2, 6]
    assert batch.prompts[0].tolist() == [*edges, 11, 3, 7, 10] and batch.answers[0].tolist() == [3, 0, 2, 6, 7]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "text has no '/'"),
        ("0,1|0,2", "text has no '/'"),
        ("0,1|0,2/0", "query is '0'"),
        ("0,1|0,2/0,1,2", "query is '0,1,2'"),
        ("0,1|0,2/a,1", "start has 'a' for a node"),
        ("0,1|0,2/0,-1", "goal has '-1' for a node"),
        ("0,1|0,x/0,1", "edge has 'x' for a node"),
        ("0,1|/0,1", "edge has '' for a node"),
        ("0,1|0,²/0,1", "edge has '²' for a node"),
        (f"0,1|0,{'9' * 5000}/0,1", "for a node; nodes are whole numbers of at most 18 digits"),
        ("0,1|0,2,3/0,1", r"edge is \[0, 2, 3\]"),
        ("0,1|0/0,1", r"edge is \[0\]"),
        ("0,1|2,1/0,1", "edges reach node 1 more than once"),
        ("0,1|0,1/0,1", "edges reach node 1 more than once"),
        ("0,1|0,2/1,2", "start is 1; it must be the centre"),
        ("0,1|0,2/7,2", "start is 7; it must be the centre"),
        ("0,1|1,0/0,1", "start is 0; it must be the centre"),
        ("0,1|0,2|1,3|1,4/0,3", "edges branch at node 1"),
        ("0,1|0,2|3,4/0,1", "edges are not all reached"),
        ("0,1|0,2|3,4|4,3/0,1", "edges are not all reached"),
        ("0,1|0,2|3,3/0,1", "edges are not all reached"),
        ("0,1/0,1", "edges have one arm"),
        ("0,1|1,2/0,2", "edges have one arm"),
        ("0,1|0,2|1,3/0,3", r"arms have lengths \[1, 2\]"),
        ("0,1|0,2|1,3|2,4/0,1", "goal is 1; it must be a leaf"),
        ("0,1|0,2/0,0", "goal is 0; it must be a leaf"),
        ("0,1|0,2/0,9", "goal is 9; it must be a leaf"),
        ("0,1|0,2/0,2=0,9", "answer has node 9, which is not in the graph"),
        ("0,1|0,2/0,2=0,2,2", "answer has node 2 more than once"),
        ("0,1|0,2/0,2=0,1", r"answer is \(0, 1\); it must be \(0, 2\)"),
        ("0,1|0,2/0,2=0,b", "answer has 'b' for a node"),
    ],
)
def test_what_is_no_graph(text, message):
    with pytest.raises(DatasetError, match=message):
        PathStarGraph.parse(text)


def test_negative_nodes():
    with pytest.raises(DatasetError, match="edges have node -1"):
        PathStarGraph(((0, -1), (0, 2)), 0, 2)


def test_no_edges():
    with pytest.raises(DatasetError, match="start is 0"):
        PathStarGraph((), 0, 0)


@given(st.text(alphabet="0123,|/= →->\n\t²", max_size=40) | st.text(max_size=40))
def test_any_text_is_a_graph_or_a_named_error(text):
    try:
        graph = PathStarGraph.parse(text)
    except DatasetError:
        return
    assert PathStarGraph.parse(graph.format()) == graph


@given(st.data())
def test_a_character_less_or_more(data):
    """What is near a graph is one, or a named error."""
    place = data.draw(st.integers(0, len(LINE)))
    new = data.draw(st.sampled_from(["", "0", ",", "|", "/", "=", " "]))
    text = LINE[:place] + new + LINE[place + (not new) :]
    try:
        graph = PathStarGraph.parse(text)
    except DatasetError:
        return
    assert graph.path[0] == graph.start and graph.path[-1] == graph.goal


@pytest.mark.parametrize(
    "arguments",
    [
        (((0, 1, 2),), 0, 1),
        ((("a", "b"),), "a", "b"),
        (((0.5, 1),), 0.5, 1),
        (None, 0, 1),
        (((0, 1),), 0, None),
        (3, 0, 1),
    ],
)
def test_what_is_no_node(arguments):
    with pytest.raises(DatasetError, match="edges are pairs of nodes, and nodes are whole numbers"):
        PathStarGraph(*arguments)


def test_edges_in_lists():
    """They become tuples: the graph is equal to the one that is read, and can be in a set."""
    assert {PathStarGraph([[3, 4], [3, 5]], 3, 5)} == {PathStarGraph.parse("3,4|3,5/3,5")}


def test_text_that_is_none():
    with pytest.raises(DatasetError, match="text is of type NoneType; it must be a str"):
        PathStarGraph.parse(None)


def test_a_long_answer_is_checked_by_counting_once():
    """An answer of n nodes is looked through once, not once a node: n^2 steps take minutes."""

    class Node(int):
        compared = 0

        def __eq__(self, other):
            Node.compared += 1
            return int(self) == int(other)

        __hash__ = int.__hash__

    n = 300
    arms = [(0, *range(1, n + 1)), (0, *range(n + 1, 2 * n + 1))]
    graph = PathStarGraph(tuple(edge for arm in arms for edge in pairwise(arm)), 0, n)
    graph.check([Node(i) for i in range(n + 1)])
    assert Node.compared < 10 * n
