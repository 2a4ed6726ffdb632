"""What all models share: tokens in one slot or several become vectors, and initial weights."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from ...doors import instance, whole
from ...errors import UsageError
from ..tasks.task import Task

if TYPE_CHECKING:
    from .myopic.cut import Cut

__all__ = ["LanguageModel", "NumberEmbedding", "SlotEmbedding", "check_inputs", "embedding_for", "initialise"]

LARGEST_SEED = 2**63 - 1
"""Of the generators of torch."""


Tap = Callable[[int, Tensor], Tensor]
"""From a layer, 0 for the embedding, and its hidden states (b, t, d) to those that the model goes on with."""


class Inputs(Protocol):
    """What the config of a model says of its inputs."""

    @property
    def vocab_size(self) -> int: ...  # noqa: D102
    @property
    def width(self) -> int: ...  # noqa: D102
    @property
    def slots(self) -> int: ...  # noqa: D102
    @property
    def null(self) -> int | None: ...  # noqa: D102
    @property
    def numbers(self) -> int: ...  # noqa: D102


class LanguageModel(nn.Module, ABC):
    """From tokens to logits, by way of features that one linear layer reads.

    A subclass has ``head``, that layer, and says how features come about.
    """

    head: nn.Linear
    slots: int = 1
    """How many tokens a position may carry."""
    numbers: int = 0
    """How many real numbers a position carries instead; 0 if it reads tokens."""
    tap: Tap | None = None
    """What every layer's hidden states pass through; `tapped` sets it."""

    def forward(self, tokens: Tensor, cache: Any = None) -> Tensor:
        """Logits (b, t, v) from tokens (b, t) or (b, t, s); with a cache, of positions that follow those in it."""
        return self.head(self.features(tokens, cache))  # type: ignore[no-any-return]

    @abstractmethod
    def features(self, tokens: Tensor, cache: Any = None) -> Tensor:
        """Hidden states (b, t, d) that the last linear layer reads."""

    @abstractmethod
    def new_cache(self) -> Any:
        """What a call fills, so that the next one need only be given the tokens that follow."""

    def cut(self, cut: Cut) -> AbstractContextManager[None]:
        """While it lasts, gradients to other positions are cut, and nothing else changes, or a `Cut` says what.

        What is computed again on the way back (`torch.utils.checkpoint`) is cut only if the cut lasts until then.

        Raises
        ------
        UsageError
            If models of this kind have no such cut.
        """
        raise UsageError(f"model is {type(self).__name__}; it has no cut of gradients to other positions")

    def passed(self, layer: int, x_btd: Tensor) -> Tensor:
        """What the model goes on with after a layer, 0 for the embedding: `features` passes every layer through it."""
        return x_btd if self.tap is None else self.tap(layer, x_btd)

    @contextmanager
    def tapped(self, tap: Tap) -> Iterator[None]:
        """While it is tapped: the hidden states of every layer are what ``tap(layer, x_btd)`` makes of them."""
        before, self.tap = self.tap, tap
        try:
            yield
        finally:
            self.tap = before

    def hidden_states(self, tokens: Tensor) -> Tensor:
        """The hidden states (l + 1, b, t, d) of the embedding and after each of l layers, without the last norm.

        Raises
        ------
        UsageError
            If the model has no layers that can be read.

        Examples
        --------
        >>> from ntp_theory.sequence.models import Transformer, TransformerConfig
        >>> model = Transformer(TransformerConfig(vocab_size=10, max_length=8, layers=3))
        >>> states = model.hidden_states(torch.tensor([[1, 2, 3, 4]]))
        >>> states.shape
        torch.Size([4, 1, 4, 64])
        >>> bool(torch.equal(model.head(model.norm(states[-1])), model(torch.tensor([[1, 2, 3, 4]]))))
        True
        """
        found: list[Tensor] = []

        def record(layer: int, x_btd: Tensor) -> Tensor:
            found.append(x_btd)
            return x_btd

        with self.tapped(record):
            self.features(tokens)
        if not found:
            raise UsageError(f"model is {type(self).__name__}; it has no layers whose hidden states can be read")
        return torch.stack(found)

    @property
    def reads_branches(self) -> bool:
        """Whether its cache has ``branches``: one pass then reads all nodes of a tree of continuations."""
        return False

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device

    def check_fits(self, task: Task) -> None:
        """Refuse a task with more tokens, or more of them at a position, than the model has.

        Raises
        ------
        UsageError
            Naming what is too small.
        """
        if self.numbers != task.numbers:
            raise UsageError(
                f"task is {task!r}; it has {task.numbers} numbers at a position, and the model takes {self.numbers}"
            )
        if self.slots < task.slots:
            raise UsageError(
                f"task is {task!r}; it has {task.slots} tokens at a position, and the model takes {self.slots}"
            )
        if self.head.out_features < task.vocab_size:
            raise UsageError(
                f"task is {task!r}; its vocab_size is {task.vocab_size}, and the model's {self.head.out_features}"
            )

    @contextmanager
    def asked(self) -> Iterator[None]:
        """While it is asked: no dropout and no gradients; afterwards it is in the mode in which it was."""
        mode = self.training
        self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.train(mode)


class SlotEmbedding(nn.Module):
    """The sum of the embeddings of the tokens at a position, each slot with a table of its own.

    Parameters
    ----------
    vocab_size, width : int
    slots : int
        How many tokens a position carries.
    null : int, optional
        The token that says nothing: its embedding is 0, and stays so.

    Examples
    --------
    >>> embed = SlotEmbedding(4, 8, slots=3, null=3)
    >>> x_btd = embed(torch.tensor([[[3, 0, 1], [2, 3, 3]]]))
    >>> bool(torch.equal(x_btd[:, 1:], embed(torch.tensor([[2]]))))
    True
    """

    def __init__(self, vocab_size: int, width: int, slots: int = 1, null: int | None = None) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(vocab_size, width, padding_idx=null) for _ in range(slots))
        self.vocab_size = vocab_size

    def forward(self, tokens: Tensor) -> Tensor:
        """Vectors (b, t, d) from tokens (b, t), ordinary ones alone, or (b, t, s)."""
        instance("tokens", tokens, Tensor)
        if tokens.dtype not in (torch.int64, torch.int32):
            raise UsageError(f"tokens is of type {tokens.dtype}; it must be torch.int64 or torch.int32")
        try:
            return self._vectors(tokens)
        except IndexError:
            low, high = int(tokens.min()), int(tokens.max())
            raise UsageError(f"tokens are from {low} to {high}; they must be 0 to {self.vocab_size - 1}") from None

    def _vectors(self, tokens: Tensor) -> Tensor:
        if tokens.dim() == 2:
            return self.tables[0](tokens)  # type: ignore[no-any-return]
        if tokens.dim() != 3 or tokens.shape[2] != len(self.tables):
            raise UsageError(f"tokens has shape {tuple(tokens.shape)}; it must be (b, t) or (b, t, {len(self.tables)})")
        x_btd: Tensor = self.tables[0](tokens[:, :, 0])
        for i, table in enumerate(self.tables[1:], 1):
            x_btd = x_btd + table(tokens[:, :, i])
        return x_btd


class NumberEmbedding(nn.Linear):
    """A linear map from the real numbers at a position to a vector."""

    def forward(self, numbers: Tensor) -> Tensor:
        """Vectors (b, t, d) from numbers (b, t, s)."""
        if numbers.dim() != 3 or numbers.shape[2] != self.in_features:
            raise UsageError(f"tokens has shape {tuple(numbers.shape)}; it must be numbers (b, t, {self.in_features})")
        return super().forward(numbers)


def embedding_for(config: Inputs) -> SlotEmbedding | NumberEmbedding:
    """The embedding of tokens, or of numbers."""
    if config.numbers:
        return NumberEmbedding(config.numbers, config.width)
    return SlotEmbedding(config.vocab_size, config.width, config.slots, config.null)


def check_inputs(config: Inputs) -> None:
    """Refuse several slots without a token for the empty ones, one that there is not, and numbers in slots."""
    whole("numbers", config.numbers, at_least=0)
    if config.null is not None:
        whole("null", config.null, at_least=0, at_most=config.vocab_size - 1)
    if config.slots > 1 and config.null is None:
        raise UsageError(f"null is None; with slots = {config.slots} it must be the token of an empty slot")
    if config.slots > 1 and config.numbers:
        raise UsageError(f"slots is {config.slots}; it must be 1 where a position carries numbers")


def initialise(model: nn.Module, width: int, seed: int) -> torch.Generator:
    """Gaussian weights of standard deviation ``0.5 / sqrt(width)`` and zero biases, drawn on the CPU from a seed.

    Those that numbers are read with have ``1 / sqrt(numbers)``; of a convolution of k positions they are uniform, at
    most ``1 / sqrt(k)``. What else a model draws comes from the generator that is returned.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            scale = 1 / math.sqrt(module.in_features) if isinstance(module, NumberEmbedding) else 0.5 / math.sqrt(width)
            fresh = torch.randn(module.weight.shape, generator=generator) * scale
            with torch.no_grad():
                module.weight.copy_(fresh)
                if isinstance(module, nn.Embedding) and module.padding_idx is not None:
                    module.weight[module.padding_idx].zero_()
                if isinstance(module, nn.Linear) and module.bias is not None:
                    module.bias.zero_()
        elif isinstance(module, nn.Conv1d):
            bound = module.kernel_size[0] ** -0.5
            with torch.no_grad():
                for parameter in module.parameters():
                    parameter.copy_((2 * torch.rand(parameter.shape, generator=generator) - 1) * bound)
    return generator
