"""Hidden states changed by hand, and what becomes of the outputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...doors import generator, whole
from ...errors import UsageError
from ..models.embedding import LanguageModel
from ..tasks.pre_caching import PreCaching

__all__ = ["CachedEffect", "Intervention", "cached_effect", "intervene"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Intervention:
    """The outputs of a model as it is, and with the hidden state of one position changed.

    Attributes
    ----------
    before, after : Tensor (b, t, v)
        Logits, or predicted numbers.
    """

    before: Tensor
    after: Tensor

    @property
    def change(self) -> Tensor:
        """``after - before``, (b, t, v): exactly 0 before the position."""
        return self.after - self.before


def intervene(
    model: LanguageModel,
    tokens: Tensor,
    *,
    layer: int,
    position: int,
    replace: Tensor | None = None,
    add: Tensor | None = None,
) -> Intervention:
    """Run a model with the hidden state of one position, after one layer, replaced or moved.

    Parameters
    ----------
    model : LanguageModel
    tokens : Tensor (b, t) or (b, t, s)
    layer : int
        After which layer; 0 for the embedding.
    position : int
        From 0.
    replace : Tensor (b, d) or (d,), optional
        What stands in its place, as the states of other sequences from `LanguageModel.hidden_states`.
    add : Tensor (b, d) or (d,), optional
        What is added to it, as a multiple of a probe's direction (`Probes.directions`).

    Returns
    -------
    Intervention
        On the CPU.

    Raises
    ------
    UsageError
        Unless one of ``replace`` and ``add`` is given, of a shape that fits, and there are such a layer and position.

    Notes
    -----
    Source: the method is ours (`planning/probes`).

    Examples
    --------
    >>> import torch
    >>> from ntp_theory.sequence.models import Transformer, TransformerConfig
    >>> model = Transformer(TransformerConfig(vocab_size=10, max_length=8, layers=2))
    >>> tokens = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
    >>> other = model.hidden_states(tokens.flip(0))[1, :, 2]  # after layer 1, at position 2, of the other sequence
    >>> change = intervene(model, tokens, layer=1, position=2, replace=other).change
    >>> [bool((change[:, n] != 0).any()) for n in range(4)]
    [False, False, True, True]
    """
    whole("layer", layer, at_least=0)
    whole("position", position, at_least=0, at_most=tokens.shape[1] - 1)
    if (replace is None) == (add is None):
        raise UsageError("replace and add are both " + ("missing" if add is None else "given") + "; give one of them")
    name, new = ("replace", replace) if add is None else ("add", add)
    assert new is not None
    changed = False

    def tap(found: int, x_btd: Tensor) -> Tensor:
        nonlocal changed
        if found != layer:
            return x_btd
        b, _, d = x_btd.shape
        if new.shape not in {(d,), (b, d)}:
            raise UsageError(f"{name} has shape {tuple(new.shape)}; it must be ({b}, {d}) or ({d},)")
        changed, x_btd = True, x_btd.clone()
        moved = new.to(x_btd.device, x_btd.dtype)
        x_btd[:, position] = moved if add is None else x_btd[:, position] + moved
        return x_btd

    tokens = tokens.to(model.device)
    with model.asked():
        before = model(tokens).cpu()
        with model.tapped(tap):
            after = model(tokens).cpu()
    if not changed:
        raise UsageError(f"layer is {layer}; the model has no such layer")
    return Intervention(before, after)


@dataclass(frozen=True, eq=False)
class CachedEffect:
    """How far later outputs follow the hidden state of one position.

    Attributes
    ----------
    distances : tuple of int
        From the position whose state is changed to the output.
    slopes : ndarray (n,)
        Of the output's change against ``sin(a x') - sin(a x)``, by least squares.
    predicted : tuple of int
        1 in the window, 0 elsewhere: what they are if the target's dependence on x goes through this state alone.
    errors : ndarray (n,)
        The root mean square difference of the output's change from the predicted one, over that of
        ``sin(a x') - sin(a x)``: in the window 1 for outputs that do not move.
    count : int
        Sequences.
    """

    distances: tuple[int, ...]
    slopes: Floats
    predicted: tuple[int, ...]
    errors: Floats
    count: int


def cached_effect(
    model: LanguageModel,
    task: PreCaching,
    *,
    layer: int = 1,
    position: int | None = None,
    count: int = 1000,
    rng: int | np.random.Generator = 0,
) -> CachedEffect:
    """Replace the state of one position by the one that it has with another x there, and see what outputs do.

    The inputs stay, and so do all other hidden states of that layer: what changes later was read from this one state.
    Where ``z_n = 1``, the target y_n changes by ``sin(a x'_i) - sin(a x_i)`` from ``n = i + s`` to ``i + s + K - 1``,
    and not beyond. Outputs that do the same show that the sine was in that state, and that it is used.

    Parameters
    ----------
    model : LanguageModel
    task : PreCaching
        With p > 0.
    layer : int
        After which layer.
    position : int, optional
        i, from 0; the middle if None.
    count : int
        Sequences of the split "test".
    rng : int or numpy.random.Generator

    Returns
    -------
    CachedEffect

    Raises
    ------
    UsageError
        If there is no such layer or position, no coin falls on 1, or the model does not fit the task.

    Notes
    -----
    Source: the score is ours (`planning/probes`).
    """
    whole("count", count, at_least=2)
    i = (task.length - 1) // 2 if position is None else whole("position", position, at_least=0, at_most=task.length - 1)
    model.check_fits(task)
    random = generator(rng)
    batch, drawn = (task.sample(count, random, split="test") for _ in range(2))
    prompts = batch.prompts.clone()
    prompts[:, i, 0] = drawn.prompts[:, i, 0]
    with model.asked():
        states = model.hidden_states(prompts.to(model.device))
    whole("layer", layer, at_least=0, at_most=len(states) - 1)
    found = intervene(model, batch.prompts, layer=layer, position=i, replace=states[layer][:, i])
    asked = batch.prompts[:, i:, 1].double().numpy()
    if not asked.any(0).all():
        raise UsageError(f"task is {task!r}; of {count} sequences none has z = 1 at some position")
    change = found.change[:, i:, 0].double().numpy()
    sines = (task.features(prompts.numpy()) - task.features(batch.prompts.numpy()))[:, i : i + 1]
    distances = tuple(range(change.shape[1]))
    predicted = tuple(int(task.shift <= n < task.shift + task.window) for n in distances)
    size = (asked * sines**2).sum(0)
    slopes = (asked * sines * change).sum(0) / size
    errors = np.sqrt((asked * (change - np.array(predicted) * sines) ** 2).sum(0) / size)
    return CachedEffect(distances, slopes, predicted, errors, count)
