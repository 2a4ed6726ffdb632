"""Trees of candidates: their size, their attention, and the best ones under independence, with the error of that."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...checks import Check
from ...sequence.decoding import Tree, greedy, head_ranks, medusa, rank_accuracies
from ...sequence.decoding.branching import Chains, TreeAttention
from ...sequence.models import LanguageModel, Table, TableModel, Transformer, TransformerConfig
from ..registry import at_most, claim, same

RAGGED = Tree([(0, 0, 0, 0), (0, 1, 2), (1, 0), (2,), (2, 2, 1)])


def _transformer(positions: str) -> Transformer:
    return Transformer(TransformerConfig(9, 48, 32, 3, positions=positions)).double()


@claim("medusa/tree", source="2401.10774", evidence="exact")
def tree() -> Iterator[Check]:
    """The s_k best tokens of each head behind each other are sum_k prod_(i<=k) s_i nodes, read in one pass.

    s = (2, 3): 8. On Transformers in double precision with learned and rotary positions the logits at all nodes of that
    tree and of a ragged one are those of their paths read as chains, in three passes with three texts at different
    paces; and the same tokens are decoded without tree attention.
    """
    yield same(8, len(Tree.from_widths(2, 3)), statement="nodes of s = (2, 3)")
    shapes = [widths for depth in (1, 2, 3) for widths in itertools.product(range(1, 5), repeat=depth)]
    counted = [len(Tree.from_widths(*s)) == sum(math.prod(s[:k]) for k in range(1, len(s) + 1)) for s in shapes]
    yield same(len(shapes), sum(counted), statement="trees of up to 3 heads of up to 4 tokens with as many nodes")
    for positions in ("learned", "rotary"):
        model = _transformer(positions)
        apart = max(_apart(model, shape, seed) for shape in (Tree.from_widths(2, 3), RAGGED) for seed in range(3))
        # 3 layers of sums of at most 128 terms of order 1, each rounded to 1e-16
        words = f"{positions} positions: largest difference of a logit from its chain's"
        yield at_most(0.0, apart, slack=1e-12, evidence="measured", statement=words)
        prompts = torch.randint(9, (4, 3), generator=torch.Generator().manual_seed(1))
        options: dict[str, Any] = {"heads": _weak(model, 4), "tree": RAGGED, "eos": 3}
        by_tree = medusa(model, prompts, 40, **options)
        by_chains = medusa(_InChains(model), prompts, 40, **options)
        words = f"{positions} positions: tokens, passes and nodes kept without tree attention"
        yield same(_said(by_chains), _said(by_tree), statement=words)


def _said(found: Any) -> str:
    return f"{sum(map(sum, found.texts()))}, {found.target_passes}, {found.kept}"


def _apart(model: LanguageModel, shape: Tree, seed: int) -> float:
    """The largest difference of the logits at nodes, over passes with texts that go on at different paces."""
    rng = np.random.default_rng(seed)
    prompts = torch.from_numpy(rng.integers(9, size=(3, 2)))
    readers = [
        kind(model, prompts, shape, model.features, lambda features: model.head(features).numpy())
        for kind in (TreeAttention, Chains)
    ]
    largest = float(np.abs(np.array(readers[0].first()) - np.array(readers[1].first())).max())
    for _ in range(3):
        asked = rng.integers(9, size=(3, 1 + len(shape))).tolist()
        one, other = (np.array(reader.after(asked)) for reader in readers)
        largest = max(largest, float(np.abs(one - other).max()))
        ends = rng.integers(len(shape), size=3, endpoint=True)
        for reader in readers:
            reader.keep([shape.chain(int(end)) for end in ends])
    return largest


class _InChains(LanguageModel):
    """A model as one that does not read trees."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model, self.head = model, model.head

    def features(self, tokens: Tensor, cache: Any = None) -> Tensor:
        return self.model.features(tokens, cache)

    def new_cache(self) -> Any:
        return self.model.new_cache()


def _weak(model: LanguageModel, count: int) -> Any:
    """Heads that propose the next token again and what is like it."""
    return lambda features: torch.stack([model.head(features.roll(k, -1)) for k in range(count)], dim=2)


@claim("medusa/sparse-tree", source="2401.10774; checked", evidence="exact")
def sparse_tree() -> Iterator[Check]:
    """If heads are right independently, a tree's mean length is the sum of prod a over nodes; greedy growth is best.

    In fractions against all trees of 3 to 6 nodes (20 drawn tables of two heads with three ranks), and against texts in
    which ranks are independent. Where they are not the formula is off, by 1/4 of .75 in a text of two kinds of places;
    on greedy texts of tables the gap is reported, and a tree grown on joint frequencies is never shorter.
    """
    optimal = as_enumerated = 0
    for seed in range(20):
        counts = np.random.default_rng(seed).integers(1, 4, size=(2, 4))
        rows = [[Fraction(int(c), int(row.sum())) for c in row[:3]] for row in counts]
        best = [max(shape.expected_length(rows) for shape in _all_trees(size)) for size in (3, 4, 5, 6)]
        grown = [Tree.from_accuracies(rows, size) for size in (3, 4, 5, 6)]
        optimal += [shape.expected_length(rows) for shape in grown] == best
        # every pair of ranks as often as independence has it
        pairs = torch.cartesian_prod(torch.arange(4), torch.arange(4))
        ranks = pairs.repeat_interleave(torch.from_numpy(np.outer(*counts).ravel()), dim=0)
        means = [Fraction(int(shape.lengths(ranks).sum()), len(ranks)) for shape in grown]
        as_enumerated += means == best
    yield same(20, optimal, statement="tables of accuracies on which greedy growth is the best of all trees")
    yield same(20, as_enumerated, statement="of which the mean length on texts with independent ranks is the sum")
    both = torch.tensor([[0, 0], [1, 1]])
    half = [[Fraction(1, 2)] * 2] * 2
    for leaf, wanted in (((0, 0), "1"), ((0, 1), "1/2")):
        shape = Tree([leaf])
        yield same("3/4", str(shape.expected_length(half)), statement=f"ranks alike, predicted with the leaf {leaf}")
        found = str(Fraction(int(shape.lengths(both).sum()), 2))
        yield same(wanted, found, statement=f"ranks alike, found with the leaf {leaf}")
    never_shorter, gaps = 0, []
    for seed in range(10):
        ranks_nn = _ranks_on_a_table(seed)
        accuracies = rank_accuracies(ranks_nn, 6)
        shape, joint = Tree.from_accuracies(accuracies, 8), Tree.from_ranks(ranks_nn, 8)
        length = float(shape.lengths(ranks_nn).double().mean())
        gaps.append(length - float(shape.expected_length(accuracies)))
        never_shorter += int(joint.lengths(ranks_nn).sum()) >= int(shape.lengths(ranks_nn).sum())
    words = f"gaps between found and predicted from {min(gaps):+.2f} to {max(gaps):+.2f}"
    yield same(10, never_shorter, statement=f"tables where joint frequencies give 8 nodes no shorter; {words}")


def _all_trees(nodes: int) -> Iterator[Tree]:
    """All trees of two heads with three ranks."""
    paths = [path for depth in (1, 2) for path in itertools.product(range(3), repeat=depth)]
    for chosen in itertools.combinations(paths, nodes):
        if all(path[:-1] in chosen for path in chosen if len(path) == 2):
            yield Tree(chosen)


def _ranks_on_a_table(seed: int) -> Tensor:
    """Of what a table of 6 tokens says after all prompts, under three heads that read noisy logits of it."""
    model = TableModel(Table.random(6, 2, rng=seed))
    prompts = torch.cartesian_prod(torch.arange(6), torch.arange(6))
    said = torch.cat([prompts, greedy(model, prompts, 12)], dim=1)
    logits = torch.randn(43, 3, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return head_ranks(model, said, heads=lambda features: logits[features.argmax(-1)], start=2)


@claim("medusa/erratum-acc-rate-fit", source="2401.10774", evidence="exact", verdict="refuted as written")
def fit() -> Iterator[Check]:
    """Printed: tokens a step are .477 log(candidates). At one candidate that is 0 to every base; it is 1 at least.

    Each step emits the next token whatever becomes of candidates: with all of them refused, 1 token a pass.
    """
    yield same("0.0", str(0.477 * math.log(1)), statement="the fit at one candidate")
    table = Table(2, 0, {(): (Fraction(1, 3), Fraction(2, 3))})
    refused = medusa(TableModel(table), torch.tensor([[0]]), 9, heads=_least(table), tree=Tree([(0,)]))
    yield same("9 tokens, 9 passes", f"{int(refused.lengths)} tokens, {refused.turns} passes", statement="all refused")


def _least(table: Table) -> Any:
    """One head that proposes the token that a table without memory never says."""
    said = torch.from_numpy(table.law(()).astype(float))
    return lambda features: -said.expand(*features.shape[:2], 1, -1)
