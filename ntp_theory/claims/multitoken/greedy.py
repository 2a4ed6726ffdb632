"""Greedy decoding in blocks says the tokens of greedy decoding, as far as rounding decides nothing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from ...checks import Check
from ...sequence.decoding import (
    Choices,
    Tree,
    block,
    greedy,
    law,
    margin_certificate,
    medusa,
    self_speculative,
    speculative_sample,
)
from ...sequence.decoding.verification import Model
from ...sequence.models import LanguageModel, Mamba, MambaConfig, Table, TableModel, Transformer, TransformerConfig
from ...sequence.models.table import contexts
from ..registry import claim, same
from .mutants import greedy_by_tree
from .settings import by_place, joint, kept

TABLES, TEXTS = 200, 50


def _texts(model: LanguageModel, prompts: Tensor, count: int, eos: int | None) -> list[tuple[int, ...]]:
    """What `greedy` says, up to the end of sequence."""
    rows = greedy(model, prompts, count).tolist()
    return [tuple(row[: row.index(eos) + 1] if eos in row else row) for row in rows]


def _foreseen(table: Table, heads: int, wrong: float, seed: int) -> Callable[[Tensor], Tensor]:
    """Heads on the features of a table: what it will say, or with a probability any other token."""
    v, generator = table.vocab_size, torch.Generator().manual_seed(seed)
    next_one = {text: int(table.law(text).argmax()) for text in contexts(v, table.memory)}
    said = torch.tensor([_said(next_one, table.memory, text, heads + 1)[1:] for text in next_one])
    shift = torch.randint(1, v, said.shape, generator=generator)
    slip = torch.rand(said.shape, generator=generator) < wrong
    logits = torch.nn.functional.one_hot(torch.where(slip, (said + shift) % v, said), v).double()
    return lambda features: logits[features.argmax(-1)]


def _said(next_one: dict[tuple[int, ...], int], memory: int, text: tuple[int, ...], count: int) -> list[int]:
    """What follows a text if the likeliest token always does."""
    tokens = list(text)
    for _ in range(count):
        tokens.append(next_one[tuple(tokens[max(0, len(tokens) - memory) :])])
    return tokens[len(text) :]


@claim("speculative/greedy-equivalence", source="derived", evidence="exact")
def equivalence() -> Iterator[Check]:
    """Greedy decoding in blocks gives the tokens of greedy decoding, whatever is proposed.

    10,000 texts of 200 tables with 2 to 16 tokens, token 0 among them, in ragged batches with an end of sequence
    inside blocks, by blocks and by ragged trees; a Transformer and a Mamba in double precision, with each other as the
    draft model, and by trees of what heads without training propose.
    """
    same_texts = right = by_tree = by_nodes = 0
    for seed in range(TABLES):
        table = Table.random(2 + seed % 15, 1 + seed % 2, zeros=seed % 3 == 0, rng=seed)
        model, eos = TableModel(table), (None, 0, 1)[seed % 3]
        prompts = torch.randint(table.vocab_size, (TEXTS, 2), generator=torch.Generator().manual_seed(seed))
        heads, said = _foreseen(table, 1 + seed % 4, 0.5, seed), _texts(model, prompts, 8, eos)
        found = self_speculative(model, prompts, 8, heads=heads, eos=eos)
        same_texts += sum(a == b for a, b in zip(found.texts(), said, strict=True))
        right += sum(found.kept)
        tree = _drawn_tree(min(3, table.vocab_size), 1 + seed % 4, seed)
        found = medusa(model, prompts, 8, heads=heads, tree=tree, eos=eos)
        by_tree += sum(a == b for a, b in zip(found.texts(), said, strict=True))
        by_nodes += sum(found.kept)
    yield same(TABLES * TEXTS, same_texts, statement=f"texts of tables said alike, with {right} proposals kept")
    yield same(TABLES * TEXTS, by_tree, statement=f"texts of tables said alike by trees, with {by_nodes} nodes kept")
    networks: list[LanguageModel] = [
        Transformer(TransformerConfig(7, 48, 16, 2, 2)).double(),
        Mamba(MambaConfig(7, 16, 2, state=4)).double(),
    ]
    prompts = torch.randint(7, (8, 4), generator=torch.Generator().manual_seed(0))
    for target, draft in (networks, networks[::-1]):
        found = speculative_sample(target, draft, prompts, 40, gamma=4, temperature=0, eos=0)
        words = f"texts of a {type(target).__name__} said alike, with {sum(found.kept)} drafts kept"
        alike = sum(a == b for a, b in zip(found.texts(), _texts(target, prompts, 40, 0), strict=True))
        yield same(8, alike, statement=words)
    tree = Tree([(0, 0, 0), (0, 1, 2), (1, 0), (2,)])
    for target in networks:
        found = medusa(target, prompts, 40, heads=_untrained(target), tree=tree, eos=0)
        words = f"texts of a {type(target).__name__} said alike by trees, with {sum(found.kept)} nodes kept"
        alike = sum(a == b for a, b in zip(found.texts(), _texts(target, prompts, 40, 0), strict=True))
        yield same(8, alike, statement=words)


def _drawn_tree(width: int, depth: int, seed: int) -> Tree:
    """A ragged tree: three leaves of any depth, the first of them of this one."""
    rng = np.random.default_rng(seed)
    depths = [depth, *rng.integers(1, depth, size=2, endpoint=True)]
    return Tree(rng.integers(width, size=size).tolist() for size in depths)


def _untrained(model: LanguageModel) -> Callable[[Tensor], Tensor]:
    """Three heads that propose what the model says next, from features that are turned a bit further each."""
    return lambda features: torch.stack([model.head(features.roll(k, -1)) for k in range(3)], dim=2)


@claim("multitoken/self-speculation", source="2404.19737 Sec. 2", evidence="exact")
def self_speculation() -> Iterator[Check]:
    """One pass verifies the last proposals and makes the next: at most k tokens a pass with k heads.

    Tables of 5 tokens, 41 new ones: with k = 1 + n heads that are always right 1 + ceil(40 / k) passes, the first over
    the prompt, with heads that are always wrong 41; in between with others.
    """
    table, prompt = Table.random(5, 1, rng=3), torch.tensor([[0]])
    for heads in (1, 2, 4):
        passes = [
            self_speculative(TableModel(table), prompt, 41, heads=_foreseen(table, heads, wrong, heads)).target_passes
            for wrong in (0.0, 0.5, 1.0)
        ]
        least = 1 + math.ceil(40 / (heads + 1))
        words = f"passes with {heads} heads besides the next-token head, always right and always wrong"
        yield same(f"{least}, 41", f"{passes[0]}, {passes[2]}", statement=words)
        yield same(True, least <= passes[1] <= 41, statement=f"{passes[1]} passes when half of the proposals are wrong")


@claim("speculative/greedy-counterexample", source="derived", evidence="exact")
def counterexample() -> Iterator[Check]:
    """A perfect parallel head can have all its greedy drafts refused: p(x) = (.4, .3, .3), y = 0, 1, 1.

    The marginal law of y is (.4, .6), so the head says 1; after the greedy x = 0 it is refused for certain. Sampled,
    its second draft is kept with probability .52.
    """
    first = [Fraction(4, 10), Fraction(3, 10), Fraction(3, 10)]
    sure = [[Fraction(int(y == z)) for z in range(3)] for y in range(3)]

    def target(text: tuple[int, ...]) -> list[Fraction]:
        return sure[(0, 1, 1)[text[0]]] if len(text) == 1 else first

    marginal = [sum((w for (_, y), w in joint(target, 2).items() if y == z), Fraction(0)) for z in range(3)]
    yield same("2/5, 3/5, 0", ", ".join(map(str, marginal)), statement="the marginal law of y")
    heads = [first, marginal]

    def likeliest(law_x: list[Fraction]) -> list[Fraction]:
        return sure[law_x.index(max(law_x))]

    def certain(choices: Choices) -> tuple[tuple[int, ...], int]:
        return block(choices, lambda text: likeliest(target(text)), by_place([likeliest(head) for head in heads]), 2)

    found = {outcome: str(weight) for outcome, weight in law(certain).items()}
    yield same("{((0, 0), 1): '1'}", str(found), statement="greedy tokens, and how many are drafts")
    yield same("13/25", str(kept(target, by_place(heads), 2)[2]), statement="both drafts kept when they are drawn")


@claim("speculative/margin-certificate", source="derived", evidence="certified")
def margins() -> Iterator[Check]:
    """A token is certain when its two largest logits differ by more than twice the largest error of a logit.

    644 tokens of a Transformer with 4 layers of width 128, read one by one, in blocks of 5, and by trees of 18 nodes:
    all certain in double precision; in single precision and bfloat16 none differs that is certain, and the uncertain
    ones are counted.
    """
    tree = Tree([*itertools.product(range(2), repeat=3), (2, 0, 0, 0)])
    how: list[tuple[str, int | Tree]] = [("blocks", 5), ("trees", tree)]
    prompts = torch.randint(32, (7, 4), generator=torch.Generator().manual_seed(0))
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        model = Transformer(TransformerConfig(32, 96, 128, 4)).to(dtype)
        tokens = greedy(model, prompts, 92)
        for read, size in how:
            found = margin_certificate(model, prompts, tokens, block=size)
            name = f"{str(dtype).removeprefix('torch.')}, {read}"
            shown = f"{name}: {found.uncertified} of {found.positions} uncertain, error {found.error:.2g}"
            words = f"certain but differing, {shown}"
            yield same(0, found.certified_differing, evidence="certified", statement=words)
            if dtype == torch.float64:
                words = f"uncertain in double precision, {read}"
                yield same(0, found.uncertified, evidence="certified", statement=words)


@claim("medusa/defect-1", source="FasterDecoding/Medusa e2a5d20", evidence="exact")
def padding() -> Iterator[Check]:
    """Rows of a tree of candidates that are filled up with token 0 break greedy decoding where token 0 is a token.

    40 texts of 60 tokens on tables with 16: some differ from greedy decoding; none where token 0 is forbidden, none
    with a tree whose rows are all as long, and none if what fills up is never kept; `decoding.medusa` among those.
    """
    ragged, regular = [[0, 0, 0], [0, 1], [1, 0], [2], [3]], [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
    differing = {"filled up": 0, "token 0 forbidden": 0, "rows alike": 0, "not filled up": 0, "decoding.medusa": 0}
    for seed in range(40):
        table, heads = Table.random(16, 1, rng=seed), _in_floats(Table.random(16, 1, rng=1000 + seed))
        for name, tree, padded in (
            ("filled up", ragged, True),
            ("token 0 forbidden", ragged, True),
            ("rows alike", regular, True),
            ("not filled up", ragged, False),
        ):
            model = _in_floats(_without_0(table) if name == "token 0 forbidden" else table)

            def rows(text: tuple[int, ...], tree: list[list[int]] = tree, heads: Model = heads) -> list[list[int]]:
                order = np.argsort(-np.asarray(heads(text)), kind="stable").tolist()
                return [[order[choice] for choice in path] for path in tree]

            plain = greedy_by_tree(model, (seed % 16,), 60, lambda text: [[]], padded=False)
            differing[name] += greedy_by_tree(model, (seed % 16,), 60, rows, padded=padded)[:60] != plain
        heads_of = _same_laws(Table.random(16, 1, rng=1000 + seed), 3)
        start = torch.tensor([[seed % 16]])
        said = medusa(TableModel(table), start, 60, heads=heads_of, tree=Tree(ragged)).texts()[0]
        differing["decoding.medusa"] += said != plain
    yield same(True, differing["filled up"] > 0, statement=f"some differ ({differing['filled up']} of 40)")
    for name in ("token 0 forbidden", "rows alike", "not filled up", "decoding.medusa"):
        yield same(0, differing[name], statement=f"texts that differ, {name}")


def _same_laws(table: Table, heads: int) -> Callable[[Tensor], Tensor]:
    """Heads that all say what one table says, on the features of another of as many tokens."""
    model = TableModel(table)
    return lambda features: torch.stack([model.head(features)] * heads, dim=2)


def _in_floats(table: Table) -> Model:
    """The laws of a table of memory 1; fractions would take ten times as long to compare."""
    laws = {text: np.array(row, dtype=float) for text, row in table.rows.items()}
    return lambda text: laws[tuple(text[-1:])]


def _without_0(table: Table) -> Table:
    rows = {text: (Fraction(0), *(p / (1 - row[0]) for p in row[1:])) for text, row in table.rows.items()}
    return Table(table.vocab_size, table.memory, rows)
