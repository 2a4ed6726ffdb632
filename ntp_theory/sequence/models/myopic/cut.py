"""What is cut: the gradient of a loss at one position with respect to what other positions computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ....doors import one_of, share, whole
from ....errors import UsageError
from ..embedding import LanguageModel

__all__ = ["Cut", "StandIn", "replaced"]

PLACES = ("hidden_states", "keys_values", "zero")


@dataclass(frozen=True)
class Cut:
    """Where gradients to other positions are cut, and how much of them is left; for `LanguageModel.cut`.

    Attributes
    ----------
    at : {"hidden_states", "keys_values", "zero"}
        What a position reads of the others without a gradient: their hidden states, so that the weights which make
        keys and values of them keep all of theirs (`planning/cut-hidden-states`), or these keys and values themselves
        (`planning/cut-keys-values`). With "zero" keys and values of the others are 0, which is not the same as masked:
        a model of the token and its position alone (`planning/bigram`).
    beta : float
        Every gradient to another position is multiplied by it: 0 is the cut, 1 is no cut (`planning/code-options`).
    window : int
        How many positions right before its own are read with their whole gradient, in every layer; in `Mamba` both by
        the convolution and by the state.
    past : LanguageModel, optional
        A model of the same sizes, which is not trained: what its attention reads, its normalised hidden states, stands
        in for that of the other positions (`planning/local-bonus`). With "hidden_states" the reader makes keys and
        values of it by its own weights; with "keys_values" it takes those of that model.

    Raises
    ------
    UsageError
        If an argument is out of range, or beta, window or past is given where it means nothing.

    Examples
    --------
    >>> from ntp_theory.sequence.models import Transformer, TransformerConfig
    >>> model = Transformer(TransformerConfig(vocab_size=10, max_length=8, layers=2))
    >>> tokens = torch.tensor([[1, 2, 3]])
    >>> plain = model(tokens)
    >>> with model.cut(Cut()):
    ...     logits = model(tokens)
    >>> logits[:, 2].sum().backward()
    >>> torch.equal(logits, plain), float(model.positions.weight.grad[:2].abs().max())
    (True, 0.0)
    """

    at: str = "hidden_states"
    beta: float = field(default=0.0, kw_only=True)
    window: int = field(default=0, kw_only=True)
    past: LanguageModel | None = field(default=None, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        one_of("cut", self.at, PLACES)
        object.__setattr__(self, "beta", share("beta", self.beta))
        object.__setattr__(self, "window", whole("window", self.window, at_least=0))
        if self.past is not None and not isinstance(self.past, LanguageModel):
            raise UsageError(f"past is {type(self.past).__name__}; it must be a LanguageModel")
        if self.at == "zero" and (self.beta or self.window or self.past is not None):
            raise UsageError("cut is 'zero'; no beta, window or past goes with it: nothing is read of other positions")
        if self.past is not None and (self.beta or self.window):
            raise UsageError("past is given; no beta or window goes with it: its states have no gradients")

    @property
    def changes_values(self) -> bool:
        """Whether the model computes something else, and not only other gradients."""
        return self.at == "zero" or self.past is not None

    def shares(self, length: int, like: Tensor) -> Tensor:
        """How much of its gradient position t passes on to position s, (t, s), both of a length."""
        place_t = torch.arange(length, device=like.device)
        near_ts = place_t[:, None] - place_t[None, :] <= self.window
        return torch.full(near_ts.shape, self.beta, device=like.device, dtype=like.dtype).masked_fill_(near_ts, 1.0)


class StandIn:
    """What takes the place of a method while a cut lasts; copied along with its model it would never leave it."""

    def __reduce_ex__(self, protocol: object) -> Any:
        raise UsageError("model is being cut; it must not be copied or pickled before the cut ends")


@contextmanager
def replaced(where: list[tuple[Any, str, Any]]) -> Iterator[None]:
    """Attributes of objects, each with a stand-in of the same name on the object itself while it lasts."""
    before = [(owner, name, owner.__dict__.get(name)) for owner, name, _ in where]
    try:
        for owner, name, value in where:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            delattr(owner, name) if value is None else setattr(owner, name, value)
