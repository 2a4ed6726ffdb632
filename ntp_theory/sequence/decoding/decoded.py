"""What a decoder that works in blocks returns: the tokens, and what they took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Decoded", "Texts"]


@dataclass(frozen=True, eq=False)
class Decoded:
    """Tokens, and how many forward passes they took.

    Attributes
    ----------
    tokens : Tensor (b, n), int64
        The new tokens, n the largest length; a text that ended before is filled up with its end-of-sequence token.
    lengths : Tensor (b,), int64
        How many tokens each text has, the end-of-sequence token among them.
    target_passes, draft_passes : int
        Calls of the model and of the draft model for the whole batch, those over the prompt among them.
    turns : int
        Passes of the model that a text took part in before it ended, over all texts.
    drafted, kept : tuple of int
        At the first, second .. place of a block, over all blocks and texts: how many drafts were verified, and how
        many were kept.
    """

    tokens: Tensor
    lengths: Tensor
    target_passes: int
    draft_passes: int
    turns: int
    drafted: tuple[int, ...]
    kept: tuple[int, ...]

    @property
    def acceptance(self) -> tuple[float, ...]:
        """Kept over drafted at every place; nan where nothing was drafted."""
        return tuple(k / d if d else float("nan") for k, d in zip(self.kept, self.drafted, strict=True))

    @property
    def tokens_per_pass(self) -> float:
        """New tokens of a text over the passes that it took part in; 1 for decoding token by token."""
        return int(self.lengths.sum()) / self.turns

    def texts(self) -> list[tuple[int, ...]]:
        """The new tokens of every text, without what fills up."""
        rows = zip(self.tokens.tolist(), self.lengths.tolist(), strict=True)
        return [tuple(row[:length]) for row, length in rows]

    def summary(self) -> str:
        """Two lines for a terminal."""
        places = ", ".join(f"{k} of {d}" for k, d in zip(self.kept, self.drafted, strict=True))
        return (
            f"{int(self.lengths.sum())} tokens in {len(self.lengths)} texts: {self.target_passes} passes of the model "
            f"({self.tokens_per_pass:.2f} tokens of a text a pass), {self.draft_passes} of the draft model\n"
            f"drafts kept by place: {places or 'none drafted'}"
        )


class Texts:
    """New tokens of a batch of texts while they grow by blocks, each to a limit or to its end-of-sequence token."""

    def __init__(self, prompts: Tensor, limit: int, eos: int | None, places: int) -> None:
        self.rows: list[list[int]] = [[] for _ in prompts]
        self.limit, self.eos = limit, eos
        self.drafted, self.kept = [0] * places, [0] * places
        self.turns, self.device = len(prompts), prompts.device  # a turn over each prompt

    def open(self) -> list[int]:
        """The numbers of the texts that go on."""
        return [r for r in range(len(self.rows)) if self.goes_on(r)]

    def goes_on(self, r: int, drafts: Sequence[int] = ()) -> bool:
        """Whether a text goes on, after drafts behind it if there are."""
        last = drafts[-1] if drafts else self.rows[r][-1] if self.rows[r] else None
        return len(self.rows[r]) + len(drafts) < self.limit and (self.eos is None or last != self.eos)

    def room(self, r: int) -> int:
        """How many drafts may be of use: one token is emitted besides those that are kept."""
        return self.limit - len(self.rows[r]) - 1

    def until_end(self, drafts: Sequence[int]) -> list[int]:
        """Drafts up to the first end-of-sequence token."""
        drafts = list(drafts)
        return drafts[: drafts.index(self.eos) + 1] if self.eos in drafts else drafts

    def count(self, drafted: int, kept: int) -> None:
        """Note the drafts of a text's block, and how many of them were kept."""
        self.turns += 1
        for place in range(drafted):
            self.drafted[place] += 1
            self.kept[place] += place < kept

    def decoded(self, target_passes: int, draft_passes: int) -> Decoded:
        """The result."""
        lengths = [len(row) for row in self.rows]
        fill = 0 if self.eos is None else self.eos
        tokens = [row + [fill] * (max(lengths) - len(row)) for row in self.rows]
        passes = (target_passes, draft_passes, self.turns)
        found, counts = (torch.tensor(values, device=self.device) for values in (tokens, lengths))
        return Decoded(found, counts, *passes, tuple(self.drafted), tuple(self.kept))
