"""Defects of public code, re-enacted in a few lines, beside what this library does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ...checks import Check
from ...errors import UsageError
from ...sequence.decoding import Tree, Typical, greedy, law, medusa
from ...sequence.models import Table, TableModel
from ..registry import claim, same


def _drawn_heads(model: TableModel, count: int, seed: int) -> Callable[[Tensor], Tensor]:
    """Heads with drawn logits for each feature."""
    shape = (model.head.in_features, count, model.head.out_features)
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return lambda features: logits[features.argmax(-1)]


@claim("medusa/defect-2", source="FasterDecoding/Medusa e2a5d20", evidence="exact")
def deterministic() -> Iterator[Check]:
    """Typical acceptance behind a greedy first token is not sampling: one output at each temperature, and not greedy's.

    20 drawn tables with 5 tokens, 12 new ones, temperatures 1/2, 1 and 2: the laws have one outcome each, some differ
    from greedy decoding, and more nodes are kept than with greedy acceptance.
    """
    shape, prompt, outcomes, differing = Tree.from_widths(2, 2), torch.tensor([[0]]), set(), 0
    kept = {"greedy": 0, "typical": 0}
    for seed in range(20):
        model = TableModel(Table.random(5, 1, rng=seed))
        heads, plain = _drawn_heads(model, 2, seed), tuple(greedy(model, prompt, 12)[0].tolist())
        for temperature in (0.5, 1.0, 2.0):
            rule = Typical(temperature=temperature)
            found = law(lambda _: medusa(model, prompt, 12, tree=shape, heads=heads, acceptance=rule).texts()[0])  # noqa: B023
            outcomes.add(len(found))
            differing += plain not in found
        for name in ("greedy", "typical"):
            kept[name] += sum(medusa(model, prompt, 12, tree=shape, heads=heads, acceptance=name).kept)
    yield same("{1}", str(outcomes), statement="numbers of outcomes")
    yield same(True, differing > 0, statement=f"some outputs are not greedy decoding's ({differing} of 60)")
    yield same(True, kept["typical"] > kept["greedy"], statement=f"more nodes kept ({kept})")


@claim("medusa/defect-7", source="FasterDecoding/Medusa e2a5d20; issue 63", evidence="exact")
def ten_best() -> Iterator[Check]:
    """Taking the 10 best tokens whatever the tree needs fails where there are fewer; so do trees deeper than the heads.

    Vocabularies of 2 to 12 tokens: the constant fails below 10. Here as many tokens are taken as the tree asks for, at
    all sizes; a tree that is too wide or too deep is refused in words.
    """
    constant, here = [], []
    for size in range(2, 13):
        model, prompt = TableModel(Table.random(size, 1, rng=size)), torch.tensor([[1]])
        try:
            model(prompt).topk(10, dim=-1)
        except RuntimeError:
            constant.append(size)
        said = medusa(model, prompt, 9, heads=_drawn_heads(model, 3, size), tree=Tree.from_widths(2, 2))
        if not torch.equal(said.tokens, greedy(model, prompt, 9)):
            here.append(size)
    yield same(str([*range(2, 10)]), str(constant), statement="sizes at which the constant fails")
    yield same("[]", str(here), statement="sizes at which trees that ask for two tokens fail")
    model, words = TableModel(Table.random(3, 1)), []
    for shape in (Tree([(3,)]), Tree([(0,) * 5])):
        try:
            medusa(model, prompt, 9, heads=_drawn_heads(model, 3, 0), tree=shape)
        except UsageError as error:
            words.append(str(error))
    wanted = ["tree is 4 tokens of a head wide; the model has 3 tokens", "tree is 5 tokens deep; there are 3 heads"]
    yield same(str(wanted), str(words), statement="what is refused, with 3 tokens and 3 heads")
