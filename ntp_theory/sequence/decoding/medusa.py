"""Medusa: heads propose a tree of candidates for the next few tokens, and one pass of the model verifies all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...doors import whole
from ...errors import UsageError
from ..models.embedding import LanguageModel
from ..tasks.batch import Batch
from .acceptance import Acceptance, Typical, acceptance_for, accepted_chain
from .branching import branch_reader
from .decoded import Decoded, Texts
from .foresight import best_tokens
from .reading import foresight, likeliest, prompts_of
from .trees import Tree

__all__ = ["medusa"]


def medusa(
    model: LanguageModel,
    prompt: Tensor | Batch,
    max_new_tokens: int,
    *,
    tree: Tree,
    heads: Callable[[Tensor], Tensor] | None = None,
    acceptance: Literal["greedy", "typical"] | Typical = "greedy",
    eos: int | None = None,
) -> Decoded:
    """What a model says, several tokens a pass, out of a tree of candidates that its heads propose.

    Contract with ``acceptance="greedy"``: **equal to** `greedy` token for token, whatever the heads propose, as far as
    rounding decides no argmax (`margin_certificate`).

    Contract with `Typical` acceptance: **neither** equal to greedy decoding nor equal in distribution to sampling.
    Nothing is left to chance, at no temperature: the law is a point mass on the text in which the first token of each
    pass is the likeliest, and those behind it are the longest chain of the tree, an end of sequence ending it, of which
    every token has a probability above ``min(epsilon, delta exp(-H))`` after those before it; among the longest that of
    the largest probability, then the first. A pass keeps at least as many tokens as with greedy acceptance if
    delta < 1.

    Parameters
    ----------
    model : LanguageModel
        A Transformer reads a tree in one row, by tree attention on its keys and values; of other models the paths to
        the leaves are read as a batch of chains, in one pass as well.
    prompt : Tensor (b, p) or (b, p, s), or Batch
        At least one token.
    max_new_tokens : int
        For each text.
    tree : Tree
        Which ranks of which heads are candidates, behind which others. It may be ragged.
    heads : callable, optional
        From the model's features (b, t, d) to logits (b, t, n, v) of the n tokens behind the next one. Without it the
        model has a method ``future(tokens, cache)`` that gives logits (b, t, n + 1, v), of the next token first.
    acceptance : {"greedy", "typical"} or Typical
        "typical" is `Typical` as it is made without arguments.
    eos : int, optional
        The token that ends a text, also inside a block.

    Returns
    -------
    Decoded
        With at most ``tree.depth + 1`` tokens a pass; places are depths of the tree.

    Raises
    ------
    UsageError
        If an argument is out of its range, there are no heads, the tree needs more of them than there are or more
        tokens of a head than the vocabulary has, or a text outgrows the model.

    Notes
    -----
    Source: Cai et al., 2401.10774 Sec. 2.1.2 and 2.3.1 (`medusa/tree`, `medusa/typical-acceptance`). Candidates are
    nodes, not rows of equal length: nothing fills up that could be taken for a token (`medusa/defect-1`).

    Examples
    --------
    >>> import torch
    >>> from ntp_theory.sequence.decoding import greedy
    >>> from ntp_theory.sequence.models import Transformer, TransformerConfig
    >>> model = Transformer(TransformerConfig(vocab_size=5, max_length=12, layers=1, width=8, heads=1))
    >>> prompt = torch.tensor([[1, 2]])
    >>> two = lambda features: torch.stack([model.head(features)] * 2, dim=2)  # guess the next token again, twice
    >>> said = medusa(model, prompt, 9, heads=two, tree=Tree.from_widths(2, 3))
    >>> bool(torch.equal(said.tokens, greedy(model, prompt, 9))), said.target_passes <= 9
    (True, True)
    """
    whole("max_new_tokens", max_new_tokens, at_least=1)
    vocab_size = model.head.out_features
    prompts = prompts_of(prompt, vocab_size)
    if eos is not None:
        whole("eos", eos, at_least=0, at_most=vocab_size - 1)
    if not isinstance(tree, Tree):
        raise UsageError(f"tree is {tree!r}; it must be a Tree")
    if tree.width > vocab_size:
        raise UsageError(f"tree is {tree.width} tokens of a head wide; the model has {vocab_size} tokens")
    rule = acceptance_for(acceptance)
    trunk, logits = foresight(model, heads)
    reader = branch_reader(model, prompts, tree, trunk, lambda states: _said(logits(states), tree, rule))
    said = reader.first()
    texts = Texts(prompts, max_new_tokens, eos, tree.depth)
    for row, one in zip(texts.rows, said, strict=True):
        row.append(int(one["next"]))
    best = [one["best"].tolist() for one in said]
    while live := texts.open():
        asked = {r: [texts.rows[r][-1], *_candidates(tree, best[r], texts.room(r))] for r in live}
        answers = reader.after([asked.get(r) for r in range(len(texts.rows))])
        chains = {r: accepted_chain(tree, asked[r], answers[r], rule, eos) for r in live}
        reader.keep([chains.get(r, []) for r in range(len(texts.rows))])
        for r, chain in chains.items():
            texts.count(min(tree.depth, texts.room(r)), len(chain))
            texts.rows[r] += [asked[r][number] for number in chain]
            if texts.goes_on(r):
                last = answers[r][chain[-1] if chain else 0]
                texts.rows[r].append(int(last["next"]))
                best[r] = last["best"].tolist()
    return texts.decoded(reader.passes, 0)


def _candidates(tree: Tree, best: list[list[int]], room: int) -> list[int]:
    """The tokens of the nodes down to a depth, of the best ones of each head."""
    return [best[len(path) - 1][path[-1]] for path in tree.paths[: tree.size_to(room)]]


def _said(logits_btnv: Tensor, tree: Tree, rule: Acceptance) -> NDArray[Any]:
    """After every position the likeliest next token, the best ones of each head, and what the rule needs (b, t)."""
    n = logits_btnv.shape[2] - 1
    if n < tree.depth:
        raise UsageError(f"tree is {tree.depth} tokens deep; there are {n} heads")
    laws = rule.laws(logits_btnv[:, :, 0])
    shapes = [("next", np.int64), ("best", np.int64, (tree.depth, tree.width)), ("law", np.float64, laws.shape[2:])]
    found = np.empty(logits_btnv.shape[:2], dtype=shapes)
    found["next"] = likeliest(logits_btnv[:, :, 0]).cpu().numpy()
    found["best"] = best_tokens(logits_btnv[:, :, 1 : 1 + tree.depth], tree.width).cpu().numpy()
    found["law"] = laws.cpu().numpy()
    return found
