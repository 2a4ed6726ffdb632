"""What can be read off the hidden states of a model, layer by layer, by a linear map."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...doors import generator, nonnegative, whole
from ...errors import UsageError
from ..models.embedding import LanguageModel

__all__ = ["Probes", "check_lags", "probe", "resampled", "ridge", "span", "states_of"]

Floats = NDArray[np.float64]
# Sequences that are put to a model at once.
CHUNK = 1000
# Of the sequences whose errors are drawn again for an interval.
RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Probes:
    """How well a feature of an earlier or later position is read off the states of each layer.

    Attributes
    ----------
    lags : tuple of int
        The feature is that of so many positions before the state; negative ones lie ahead.
    r2 : ndarray (l + 1, n)
        The share of the feature's variance that is explained on held-out sequences, for the embedding and every layer
        and each of n lags; below 0 if the probe does worse than the mean.
    low, high : ndarray (l + 1, n)
        Its 95 % interval, by the bootstrap over held-out sequences.
    shuffled : ndarray (l + 1, n)
        The same with the features of other sequences: what the probe makes of nothing.
    directions : ndarray (l + 1, n, d)
        The probes' weights.
    count : int
        Sequences held out.
    """

    lags: tuple[int, ...]
    r2: Floats
    low: Floats
    high: Floats
    shuffled: Floats
    directions: Floats
    count: int

    def summary(self) -> str:
        """A table for a reader, a line a layer.

        Examples
        --------
        >>> one = np.array([[0.5, 0.25]])
        >>> print(Probes((0, 1), one, one - 0.1, one + 0.1, 0 * one, np.ones((1, 2, 4)), 8).summary())
        layer      lag 0                    lag 1
        embedding  0.50 (0.40 to 0.60)      0.25 (0.15 to 0.35)
        """
        rows = [[f"lag {lag}" for lag in self.lags]]
        for found in zip(self.r2, self.low, self.high, strict=True):
            rows.append([f"{r2:.2f} ({low:.2f} to {high:.2f})" for r2, low, high in zip(*found, strict=True)])
        names = ["layer", "embedding", *range(1, len(self.r2))]
        lines = (f"{name:<11}" + "".join(f"{cell:<25}" for cell in row) for name, row in zip(names, rows, strict=True))
        return "\n".join(line.rstrip() for line in lines)


def probe(
    model: LanguageModel,
    tokens: Tensor,
    features: Tensor | Floats,
    *,
    lags: Iterable[int] = (0,),
    penalty: float = 1e-4,
    rng: int | np.random.Generator = 0,
) -> Probes:
    """Read a feature of the position ``lag`` before off the states of a model, by ridge regression at each layer.

    The probe is fitted on the first half of the sequences and judged on the second, over all positions that have one so
    far before them at once.

    Parameters
    ----------
    model : LanguageModel
    tokens : Tensor (b, t) or (b, t, s)
        Its inputs, of at least four sequences.
    features : Tensor or ndarray (b, t)
        A real number for every position.
    lags : iterable of int
        0 is the state's own position.
    penalty : float
        Of the squared weights, beside the sum of squared errors; the constant is free.
    rng : int or numpy.random.Generator
        For the bootstrap and the shuffled control.

    Returns
    -------
    Probes

    Raises
    ------
    UsageError
        If shapes do not fit, a lag is as long as the sequences, or a feature does not vary.

    Notes
    -----
    Source: 2404.00859 (`planning/probes`), which probes with a penalty of 1e-4.

    Examples
    --------
    >>> from ntp_theory.sequence.models import model_for
    >>> from ntp_theory.sequence.tasks import PreCaching
    >>> task = PreCaching(frequency=5.0, length=8)
    >>> batch = task.sample(100)
    >>> found = probe(model_for(task), batch.prompts, batch.prompts[:, :, 0], lags=range(3))
    >>> found.r2.shape, bool(found.r2[0, 0] > 0.99)
    ((3, 3), True)
    """
    lags = tuple(lags)
    nonnegative("penalty", penalty)
    values = torch.as_tensor(features).double().cpu()
    _check(tokens, values, lags)
    random = generator(rng)
    fitted = len(values) // 2
    values = torch.stack([values, values[_others(len(values), fitted, random)]], dim=-1)
    held_out = len(values) - fitted
    draws = resampled(held_out, random)
    states = states_of(model, tokens)
    layers, _, length, width = states.shape
    r2, low, high, control = (np.empty((layers, len(lags))) for _ in range(4))
    directions = np.empty((layers, len(lags), width))
    for i, lag in enumerate(lags):
        here, there = span(lag, length)
        y_bnf = values[:, there]
        for layer in range(layers):
            x_bnd = states[layer][:, here].double()
            weights, constant = ridge(x_bnd[:fitted].flatten(0, 1), y_bnf[:fitted].flatten(0, 1), penalty)
            said = x_bnd[fitted:] @ weights + constant
            found, drawn = _explained(y_bnf[fitted:], said, draws)
            r2[layer, i], control[layer, i] = found.tolist()
            low[layer, i], high[layer, i] = torch.quantile(drawn[:, 0], torch.tensor([0.025, 0.975]).double()).tolist()
            directions[layer, i] = weights[:, 0].numpy()
    return Probes(lags, r2, low, high, control, directions, held_out)


def ridge(x_nd: Tensor, y_nf: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Weights (d, f) and constants (f,) of least ``|y - x w - c|^2 + penalty |w|^2``, in closed form.

    Examples
    --------
    >>> x = torch.tensor([[0.0], [1.0], [2.0]]).double()
    >>> weights, constant = ridge(x, 3 * x + 1, 0.0)
    >>> round(float(weights), 12), round(float(constant), 12)
    (3.0, 1.0)
    """
    x_mean, y_mean = x_nd.mean(0), y_nf.mean(0)
    x_nd = x_nd - x_mean
    gram = x_nd.T @ x_nd + penalty * torch.eye(x_nd.shape[1], dtype=x_nd.dtype)
    weights = torch.linalg.solve(gram, x_nd.T @ (y_nf - y_mean))
    return weights, y_mean - x_mean @ weights


def _explained(y_bnf: Tensor, said_bnf: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
    """The share of variance (f,) that is explained, and the same (r, f) of sequences drawn again."""
    errors, sums, squares = (v.sum(1) for v in ((y_bnf - said_bnf).square(), y_bnf, y_bnf.square()))
    weights = torch.cat([torch.ones_like(draws[:1]), draws])
    variance = weights @ squares - (weights @ sums).square() / y_bnf[..., 0].numel()
    r2 = 1 - (weights @ errors) / variance
    return r2[0], r2[1:]


def _others(count: int, fitted: int, random: np.random.Generator) -> NDArray[np.int64]:
    """For every sequence another one of the same half."""
    others = np.empty(count, dtype=np.int64)
    for half in (np.arange(fitted), np.arange(fitted, count)):
        ring = random.permutation(half)
        others[ring] = np.roll(ring, 1)
    return others


def resampled(count: int, random: np.random.Generator) -> Tensor:
    """How often each sequence is drawn when as many are drawn again, (r, count)."""
    return torch.from_numpy(random.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)).double()


def span(lag: int, length: int) -> tuple[slice, slice]:
    """The positions of states, and those ``lag`` before them, as far as both are there."""
    return slice(max(lag, 0), length + min(lag, 0)), slice(max(-lag, 0), length - max(lag, 0))


def states_of(model: LanguageModel, tokens: Tensor) -> Tensor:
    """The hidden states (l + 1, b, t, d) of any number of sequences, on the CPU."""
    with model.asked():
        parts = [model.hidden_states(some.to(model.device)).cpu() for some in tokens.split(CHUNK)]
    return torch.cat(parts, dim=1)


def check_lags(name: str, lags: tuple[int, ...], values: Tensor) -> None:
    """Refuse lags without positions, and fewer sequences than can be halved and drawn from."""
    if len(values) < 4:
        raise UsageError(f"tokens has {len(values)} sequences; it must have 4 at least")
    if not lags:
        raise UsageError(f"{name} is empty; it must have one at least")
    for lag in lags:
        whole(name, lag, at_least=1 - values.shape[1], at_most=values.shape[1] - 1)


def _check(tokens: Tensor, values: Tensor, lags: tuple[int, ...]) -> None:
    if values.shape != tokens.shape[:2]:
        raise UsageError(
            f"features has shape {tuple(values.shape)}; it must be {tuple(tokens.shape[:2])}, as tokens has positions"
        )
    check_lags("lags", lags, values)
    if not bool(torch.isfinite(values).all()):
        raise UsageError("features has an entry that is not finite")
    if bool((values == values[:1, :1]).all()):
        raise UsageError("features is the same everywhere; there is nothing to explain")
