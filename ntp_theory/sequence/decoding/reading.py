"""Models that read texts whose ends change: what a cache does not hold yet is read, and what was wrong forgotten.

A decoder says which texts it wants to know about; what a cache must forget follows from the texts themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...doors import check_function
from ...errors import UsageError
from ..models.embedding import LanguageModel
from ..tasks.batch import Batch

__all__ = ["Cached", "ExactModel", "Reader", "checked_tokens", "foresight", "laws_of", "likeliest", "prompts_of"]

Rows = Sequence[Sequence[int] | None]


@runtime_checkable
class ExactModel(Protocol):
    """A model that says its laws as they are, as `Table` does in fractions."""

    @property
    def vocab_size(self) -> int:
        """v."""

    def law(self, text: Sequence[int]) -> NDArray[Any]:
        """The law (v,) of the token after a text."""


class Reader(Protocol):
    """The laws of a model after the beginnings of a batch of texts behind their prompts."""

    passes: int

    def first(self) -> list[NDArray[Any]]:
        """The law (v,) after each prompt."""

    def after(self, rows: Rows, since: Sequence[int], settled: int) -> list[NDArray[Any]]:
        """For each text the laws (n, v) after its first ``since`` new tokens and more, up to all of them."""


def laws_of(model: LanguageModel | ExactModel, prompts: Tensor, temperature: float) -> Reader:
    """The laws of a network at a temperature, or of an exact model."""
    if isinstance(model, LanguageModel):
        return Cached(model, prompts, model.features, lambda states: _law(model.head(states), temperature))
    return _Exact(model, prompts, temperature)


def foresight(
    model: LanguageModel, heads: Callable[[Tensor], Tensor] | None
) -> tuple[Callable[[Tensor, Any], Tensor], Callable[[Tensor], Tensor]]:
    """From tokens and a cache to states, and from these to logits (b, t, n + 1, v), of the next token first.

    Raises
    ------
    UsageError
        If there are no heads, and the model has none of its own; when they are asked, if they give other shapes.
    """
    if heads is None:
        future: Any = getattr(model, "future", None)
        if future is None:
            raise UsageError(f"heads is None; {type(model).__name__} has no heads of its own (future)")
        return future, lambda logits_btnv: logits_btnv
    check_function("heads", heads)

    def logits(x_btd: Tensor) -> Tensor:
        next_btv, behind = model.head(x_btd), heads(x_btd)
        b, t, v = next_btv.shape
        if behind.dim() != 4 or (*behind.shape[:2], behind.shape[3]) != (b, t, v):
            raise UsageError(f"heads gives {tuple(behind.shape)}; it must be logits (b, t, n, v), ({b}, {t}, n, {v})")
        return torch.cat([next_btv[:, :, None], behind], dim=2)

    return model.features, logits


def likeliest(logits: Tensor) -> Tensor:
    """The tokens (...) of the largest logits (..., v); the first of equal ones.

    Raises
    ------
    UsageError
        If a logit is NaN: it would pass for the largest.
    """
    largest, tokens = logits.max(-1)
    if bool(largest.isnan().any()):
        raise UsageError("a model gives logits that are NaN; its weights must be finite")
    return tokens


def _law(logits_btv: Tensor, temperature: float) -> NDArray[np.float64]:
    """Laws in double precision; the one-hot law of the likeliest token at temperature 0."""
    logits_btv = logits_btv.double()
    if temperature == 0:
        laws_btv = torch.zeros_like(logits_btv).scatter_(-1, likeliest(logits_btv)[..., None], 1.0)
    else:
        laws_btv = (logits_btv / temperature).softmax(-1)
        if laws_btv.isnan().any():
            raise UsageError("a model gives logits that are not finite; there is no law to draw from")
    return laws_btv.cpu().numpy()


class Cached:
    """What a network says after the beginnings of texts; it reads on from where its cache agrees with all of them.

    All texts share the length of the cache: one that is ahead of others is read again from there. What the cache
    holds too much of is forgotten (``truncate``), so it may be any whose ``truncate`` takes a length.

    Parameters
    ----------
    model : LanguageModel
    prompts : Tensor (b, p) or (b, p, s)
    trunk : callable
        From tokens and a cache to states (b, t, ...).
    say : callable
        From states to arrays (b, t, ...): what is handed on.
    """

    def __init__(
        self,
        model: LanguageModel,
        prompts: Tensor,
        trunk: Callable[[Tensor, Any], Tensor],
        say: Callable[[Tensor], NDArray[Any]],
    ) -> None:
        self.model, self.prompts, self.trunk, self.say = model, prompts, trunk, say
        self.cache: Any = None
        self.passes = 0
        self.read: list[list[int]] = [[] for _ in range(len(prompts))]  # the new tokens that the cache holds

    def first(self) -> list[NDArray[Any]]:
        """What is said after each prompt."""
        self.cache = self.model.new_cache()
        return [said[-1] for said in self._pass(self.prompts, last=True)]

    def after(self, rows: Rows, since: Sequence[int], settled: int) -> list[NDArray[Any]]:
        """For each text what is said after its first ``since`` >= 1 new tokens and more, up to all of them.

        Parameters
        ----------
        rows : sequence of sequences of int, or None
            New tokens; None for a text of which nothing is asked.
        since : sequence of int
            For each text.
        settled : int
            So many new tokens of every text will not change any more.
        """
        if self.cache is None:
            self.first()
        start = min(
            min(_agreement(row, read), first - 1)
            for row, read, first in zip(rows, self.read, since, strict=True)
            if row is not None
        )
        stop = max(len(row) for row in rows if row is not None)
        self.cache.truncate(self.prompts.shape[1] + start)
        if hasattr(self.cache, "keep_from"):  # a recurrent state goes back only as far as it was told to remember
            self.cache.keep_from = self.prompts.shape[1] + settled
        # what fills up is read as the tokens 0 that it is, by no text that asks: those behind it see it alone
        fresh = [list(row[start:] if row is not None else []) for row in rows]
        fresh = [tokens + [0] * (stop - start - len(tokens)) for tokens in fresh]
        said = self._pass(torch.tensor(fresh, device=self.prompts.device))
        self.read = [read[:start] + tokens for read, tokens in zip(self.read, fresh, strict=True)]
        return [
            answers[first - 1 - start : (0 if row is None else len(row)) - start]
            for answers, row, first in zip(said, rows, since, strict=True)
        ]

    def pick(self, rows: Sequence[int]) -> None:
        """Go on with these texts of the batch, in this order; one may come several times."""
        self.cache.pick(torch.tensor(rows, device=self.prompts.device))
        self.prompts = self.prompts[list(rows)]
        self.read = [list(self.read[row]) for row in rows]

    def _pass(self, tokens: Tensor, last: bool = False) -> NDArray[Any]:
        self.passes += 1
        with self.model.asked():
            states = self.trunk(tokens, self.cache)
            return self.say(states[:, -1:] if last else states)


def _agreement(row: Sequence[int], read: Sequence[int]) -> int:
    """How many tokens two texts begin with alike."""
    return next((k for k, (a, b) in enumerate(zip(row, read, strict=False)) if a != b), min(len(row), len(read)))


class _Exact:
    """The laws of an exact model, which has no need of a cache."""

    def __init__(self, model: ExactModel, prompts: Tensor, temperature: float) -> None:
        if temperature not in (0, 1):
            raise UsageError(f"temperature is {temperature}; it must be 0 or 1 for {type(model).__name__}")
        self.model, self.greedy, self.passes = model, temperature == 0, 0
        self.prompts = prompts.tolist()

    def first(self) -> list[NDArray[Any]]:
        """The law after each prompt."""
        self.passes += 1
        return [self._law(prompt) for prompt in self.prompts]

    def after(self, rows: Rows, since: Sequence[int], settled: int) -> list[NDArray[Any]]:
        """For each text the laws after its first ``since`` new tokens and more."""
        self.passes += 1 if self.passes else 2  # as a network, it reads the prompts first
        return [
            np.array([self._law(prompt + list(row[:k])) for k in range(first, len(row) + 1)])
            if row is not None
            else np.empty(0)
            for prompt, row, first in zip(self.prompts, rows, since, strict=True)
        ]

    def _law(self, text: Sequence[int]) -> NDArray[Any]:
        law = self.model.law(text)
        if not self.greedy:
            return law
        certain = np.array([Fraction(0)] * len(law))
        certain[int(law.argmax())] = Fraction(1)
        return certain


def prompts_of(prompt: Tensor | Batch, vocab_size: int) -> Tensor:
    """The tokens of a prompt.

    Raises
    ------
    UsageError
        If they are not (b, p) or (b, p, s), with at least one token, all of them of the vocabulary.
    """
    return checked_tokens("prompt", prompt.prompts if isinstance(prompt, Batch) else prompt, vocab_size, (2, 3))


def checked_tokens(name: str, tokens: Tensor, vocab_size: int, dims: Sequence[int] = (2,)) -> Tensor:
    """Tokens, held against the shape (b, p), or also (b, p, s), and the vocabulary."""
    if not isinstance(tokens, Tensor) or tokens.dtype != torch.int64 or tokens.dim() not in dims or 0 in tokens.shape:
        found = f"{tuple(tokens.shape)}, {tokens.dtype}" if isinstance(tokens, Tensor) else type(tokens).__name__
        shapes = " or ".join(("(b, p)", "(b, p, s)")[: len(dims)])
        raise UsageError(f"{name} is {found}; it must be a Tensor {shapes} of at least one token, torch.int64")
    low, high = int(tokens.min()), int(tokens.max())
    if not 0 <= low <= high < vocab_size:
        raise UsageError(f"{name} has tokens from {low} to {high}; the model's are 0 to {vocab_size - 1}")
    return tokens
