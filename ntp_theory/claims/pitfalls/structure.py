"""What path-star graphs are, how they are written, and that the task can be solved but not guessed by position."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from scipy.stats import chi2

from ...checks import Check
from ...errors import UsageError
from ...sequence.tasks import PathStar, PathStarGraph
from ...sequence.tasks.path_star.encoding import EdgePacked, Paper
from ..registry import at_most, claim, same

SHAPES = [(d, length) for d in (2, 3, 5) for length in (2, 3, 5)]


@claim("pitfalls/path-star", source="2403.06963 (extract); 2510.26745 app. B.1", evidence="exact")
def path_star() -> Iterator[Check]:
    """G(d, l) has d (l - 1) + 1 nodes and d (l - 1) edges, one node with d children, d leaves, and answers of l nodes.

    Counted in 100 drawn graphs for each of nine (d, l), with labels from a larger set than needed.
    """
    wrong = 0
    for d, length in SHAPES:
        task = PathStar(d, length, d * (length - 1) + 4)
        for graph in task.graphs(task.sample(100, rng=1)):
            parents, children = [u for u, _ in graph.edges], {v for _, v in graph.edges}
            nodes = set(parents) | children
            counts = (len(nodes), len(graph.edges), parents.count(graph.start), len(children - set(parents)))
            wrong += counts != (d * (length - 1) + 1, d * (length - 1), d, d) or len(graph.path) != length
    yield same(0, wrong, statement="graphs of 900 with other counts")


@claim("pitfalls/generator", source="Next-Token-Failures b925a1e", evidence="exact")
def generator() -> Iterator[Check]:
    """Labels must suffice: N >= d (l - 1) + 1. The public generator draws for ever when they do not.

    For nine (d, l) the task is refused at one label too few, and draws at equality.
    """
    refused = drawn = 0
    for d, length in SHAPES:
        enough = d * (length - 1) + 1
        try:
            PathStar(d, length, enough - 1)
        except UsageError:
            refused += 1
        drawn += len(PathStar(d, length, enough).sample(10)) == 10
    yield same(len(SHAPES), refused, statement="tasks with a label too few that are refused")
    yield same(len(SHAPES), drawn, statement="tasks with just enough labels that draw")


@claim("pitfalls/serialisation", source="Next-Token-Failures b925a1e", evidence="exact")
def serialisation() -> Iterator[Check]:
    """``u,v|..|u,v/start,goal=start,..,goal`` can be read and written without loss.

    200 drawn graphs there and back; a line of the public test file, which is a G(2, 5) from 32 to 12.
    """
    task = PathStar(2, 5, 50)
    graphs = task.graphs(task.sample(200, rng=2))
    back = sum(PathStarGraph.parse(graph.format("paper")) == graph for graph in graphs)
    yield same(200, back, statement="graphs that are read back as they were written")
    line = "32,3|16,12|3,19|32,34|34,6|6,16|19,47|47,28/32,12=32,34,6,16,12"
    yield same(line, PathStarGraph.parse(line).format("paper"), statement="a line of the public file, there and back")


@claim("pitfalls/tokenisation", source="Next-Token-Failures b925a1e", evidence="exact")
def tokenisation() -> Iterator[Check]:
    """Three tokens an edge and three for the query: a G(2, 5) is 27 tokens with 5 of answer, from N + 4 ids.

    Lengths for nine (d, l), and the ids in use.
    """
    lengths = []
    for d, length in SHAPES:
        task = PathStar(d, length, 60, encoding="paper")
        batch = task.sample(3)
        expected = 3 * d * (length - 1) + 3
        lengths.append(batch.prompt_length == expected == task.max_length - batch.answer_length)
    yield same(True, all(lengths), statement="prompts of 3 d (l - 1) + 3 tokens")
    task = PathStar(2, 5, 9, encoding="paper")
    batch = task.sample(500)
    yield same(27, batch.prompt_length, statement="tokens of a question of G(2, 5)")
    yield same(5, batch.answer_length, statement="tokens of its answer")
    used = sorted(set(batch.prompts.flatten().tolist()))
    yield same(
        str([*range(9), 9, 10, 11]), str(used), statement="ids of questions: nodes, then |, =, /; $ is not in them"
    )


@claim("pitfalls/arrow-format", source="derived (Telegram-post example)", evidence="exact")
def arrow_format() -> Iterator[Check]:
    """``3 → 4 | .. / 3 7`` with the answer on a line of its own says the same as the public code's format.

    The example of the post in both forms: one graph, one sequence of tokens, one answer.
    """
    post = "3 → 4 | 5 → 1 | 4 → 5 | 0 → 2 | 3 → 0 | 1 → 8 | 6 → 7 | 2 → 6 / 3 7\n3 → 0 → 2 → 6 → 7"
    line = "3,4|5,1|4,5|0,2|3,0|1,8|6,7|2,6/3,7=3,0,2,6,7"
    one, other = PathStarGraph.parse(post), PathStarGraph.parse(line)
    yield same(True, one == other, statement="the two forms are one graph")
    yield same(post, one.format("arrow"), statement="written with arrows")
    yield same(line, one.format("paper"), statement="written as the public code does")
    batch = PathStar(2, 5, 9, encoding="paper").batch([one])
    ids = [3, 4, 9, 5, 1, 9, 4, 5, 9, 0, 2, 9, 3, 0, 9, 1, 8, 9, 6, 7, 9, 2, 6, 11, 3, 7, 10]
    yield same(str(ids), str(batch.prompts[0].tolist()), statement="its tokens")
    yield same(str([3, 0, 2, 6, 7]), str(batch.answers[0].tolist()), statement="its answer")


@claim("pitfalls/edge-packed", source="own encoding", evidence="exact")
def edge_packed() -> Iterator[Check]:
    """One position an edge: d (l - 1) + 3 positions of question, the same graphs as in the paper's encoding.

    Nine (d, l): lengths, and both encodings decoded.
    """
    lengths, equal = [], []
    for d, length in SHAPES:
        task = PathStar(d, length, 60)
        batch = task.sample(20, rng=3)
        lengths.append(batch.prompt_length == d * (length - 1) + 3)
        edges, start, goal = EdgePacked(60).decode(batch.prompts.numpy())
        for one, other in zip(
            Paper(60).decode(Paper(60).encode(edges, start, goal)), (edges, start, goal), strict=True
        ):
            equal.append(bool(np.array_equal(one, other)))
    yield same(True, all(lengths), statement="positions of questions")
    yield same(True, all(equal), statement="both encodings decode to the same edges, start and goal")


@claim("pitfalls/informative-tokens", source="derived", evidence="exact")
def informative_tokens() -> Iterator[Check]:
    """Every answer token behind the branch is the one child of the token before it; the branch has d candidates.

    In 300 drawn graphs: children of each answer token, and of the start.
    """
    single = branch = True
    for d, length in ((2, 5), (3, 4), (5, 3)):
        task = PathStar(d, length, 20)
        for graph in task.graphs(task.sample(100, rng=4)):
            counts = [sum(u == node for u, _ in graph.edges) for node in graph.path]
            branch &= counts[0] == d
            single &= counts[1:-1] == [1] * (length - 2) and counts[-1] == 0
    yield same(True, single, statement="one child at every answer token between start and goal")
    yield same(True, branch, statement="d children at the start")


@claim("pitfalls/data", source="Next-Token-Failures b925a1e", evidence="exact")
def data() -> Iterator[Check]:
    """There are N! / ((N - |G|)! (d - 1)!) labelled instances; those for training and for tests have none in common.

    The formula against the distinct instances of small tasks drawn until all are there; the two splits of G(2, 3).
    """
    for d, length, labels in ((2, 2, 4), (3, 2, 4), (2, 3, 5)):
        task = PathStar(d, length, labels)
        seen = {_instance(graph) for graph in task.graphs(task.sample(20 * task.instances(), rng=5))}
        yield same(task.instances(), len(seen), statement=f"instances of G({d}, {length}) with {labels} labels")
    task = PathStar(2, 3, 6)
    train, test = ({_instance(g) for g in task.graphs(task.sample(20_000, 6, split=s))} for s in ("train", "test"))
    yield same(0, len(train & test), statement="instances of G(2, 3) that both splits have")
    yield same(task.instances(), len(train | test), statement="instances that one of them has")


def _instance(graph: PathStarGraph) -> object:
    return graph.path, frozenset(graph.edges)


@claim("pitfalls/no-leak", source="own check of the shipped file", evidence="measured")
def no_leak() -> Iterator[Check]:
    """The place of the right start edge among the start's says nothing; in a list that begins with the path it does.

    20,000 graphs of G(3, 4): chi-square of the place, against the 1 - 10^-6 quantile; and the same graphs with
    the edges of the path first.
    """
    task = PathStar(3, 4, 10)
    graphs = task.graphs(task.sample(20_000, rng=7))
    limit = float(chi2.ppf(1 - 1e-6, task.degree - 1))
    found = _leak([graph.edges for graph in graphs], graphs)
    yield at_most(0.0, found, slack=limit, evidence="measured", statement="chi-square of the place, shuffled edges")
    flagged = _leak([_path_first(graph) for graph in graphs], graphs)
    yield same(True, flagged > limit, evidence="measured", statement="a list with the path first is flagged")


def _path_first(graph: PathStarGraph) -> tuple[tuple[int, int], ...]:
    """The edges of the path first."""
    on_the_way = set(graph.path)
    return tuple(sorted(graph.edges, key=lambda edge: edge[1] not in on_the_way))


def _leak(lists: list[tuple[tuple[int, int], ...]], graphs: list[PathStarGraph]) -> float:
    counts = np.zeros(graphs[0].degree)
    for edges, graph in zip(lists, graphs, strict=True):
        starts = [v for u, v in edges if u == graph.start]
        counts[starts.index(graph.path[1])] += 1
    expected = len(graphs) / len(counts)
    return float(((counts - expected) ** 2 / expected).sum())


@claim("pitfalls/solvable", source="secondary; derived", evidence="exact")
def solvable() -> Iterator[Check]:
    """Going back from the goal, one look-up a step, gives the answer of every instance.

    The solver on 1,980 drawn graphs of nine (d, l) in both orders and encodings, and on one with its edges in every
    order.
    """
    right = asked = 0
    for (d, length), order, code in itertools.product(SHAPES, ("forward", "reversed"), ("paper", "edge-packed")):
        task = PathStar(d, length, 40, order, encoding=code)
        batch = task.sample(2000 // 36, rng=8)
        right += int(task.is_correct(batch, batch.answers).sum())
        asked += len(batch)
    yield same(asked, right, statement="answers that the solver finds")
    graph = PathStarGraph.parse("0,1|1,2|0,3|3,4/0,2")
    task = PathStar(2, 3, 5)
    orders = [PathStarGraph(edges, 0, 2) for edges in itertools.permutations(graph.edges)]
    solved = task.solve(task.batch(orders))
    right = int((solved == solved.new_tensor([0, 1, 2])).all(1).sum())
    yield same(len(orders), right, statement="orders of the edges of one graph")
