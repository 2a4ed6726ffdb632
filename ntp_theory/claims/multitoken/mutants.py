"""Decoders that are wrong in the ways in which public ones have been: exact laws must tell them from the right ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from ...sequence.decoding import Choices, residual, token_verification
from ...sequence.decoding.choices import Law
from ...sequence.decoding.verification import Laws, Model

__all__ = ["argmax_draft", "greedy_by_tree", "nucleus_match", "residual_from_target", "shared_number"]


def argmax_draft(choices: Choices, target: Model, draft: Model, gamma: int) -> tuple[tuple[int, ...], int]:
    """A block whose drafts are the likeliest tokens, but are tested as if they had been drawn."""
    drafts: tuple[int, ...] = ()
    for _ in range(gamma):
        drafts = (*drafts, int(np.argmax(draft(drafts))))
    begun = [drafts[:place] for place in range(gamma + 1)]
    kept, following = token_verification(choices, [target(b) for b in begun], [draft(b) for b in begun[:-1]], drafts)
    return (*drafts[:kept], choices.draw(following)), kept


def residual_from_target(choices: Choices, target: Laws, draft: Laws, drafts: Sequence[int]) -> tuple[int, Law]:
    """Verification that replaces a refused draft from the target's law itself."""
    kept, _ = token_verification(choices, target, draft, drafts)
    return kept, target[kept]


def shared_number(choices: Choices, target: Laws, draft: Laws, drafts: Sequence[int]) -> tuple[int, Law]:
    """Verification with one uniform number r for all places: a draft is kept if r is below its p / q.

    What is drawn is between which two of these r lies.
    """
    levels = [min(1, p[x] / q[x]) for p, q, x in zip(target[:-1], draft, drafts, strict=True)]
    ends = sorted({0, 1, *levels})
    r = ends[choices.draw([high - low for low, high in itertools.pairwise(ends)])]
    kept = next((place for place, level in enumerate(levels) if r >= level), len(drafts))
    return kept, target[kept] if kept == len(drafts) else residual(target[kept], draft[kept])


def nucleus_match(choices: Choices, target: Law, draft: int) -> int:
    """Keep a draft that coincides with a sample; otherwise throw the sample away and take another."""
    return draft if choices.draw(target) == draft else choices.draw(target)


def greedy_by_tree(
    model: Model, text: Sequence[int], length: int, rows: Callable[[tuple[int, ...]], list[list[int]]], *, padded: bool
) -> tuple[int, ...]:
    """Greedy decoding with a tree of candidates, whose short rows are filled up with token 0 if ``padded``.

    Parameters
    ----------
    model : callable
        The law of the next token after a text.
    text : sequence of int
    length : int
        How many new tokens.
    rows : callable
        From a text to the candidates for what follows it.
    padded : bool
        What fills up may then be kept, and the law after it is read at the last node of the tree.
    """
    text, start = tuple(text), len(text)
    while len(text) < start + length:
        candidates = rows(text)
        nodes = sorted({tuple(row[:k]) for row in candidates for k in range(len(row) + 1)}, key=lambda n: (len(n), n))
        width = max(len(row) for row in candidates)
        best: list[int] = []
        for row in candidates:
            seen = [tuple(row[:k]) for k in range(len(row) + 1)]
            tokens = list(row)
            if padded:
                seen += [nodes[-1]] * (width - len(row))
                tokens += [0] * (width - len(row))
            said = [int(np.argmax(model((*text, *node)))) for node in seen]
            kept = next((k for k, (a, b) in enumerate(zip(tokens, said, strict=False)) if a != b), len(tokens))
            if kept + 1 > len(best):
                best = [*tokens[:kept], said[kept]]
        text = (*text, *best)
    return text[start : start + length]
