"""Which token of a later or earlier position can be read off the hidden states of a model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from ...doors import generator, nonnegative
from ..models.embedding import LanguageModel
from .probes import check_lags, resampled, span, states_of

__all__ = ["TokenProbes", "probe_tokens", "softmax_regression"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TokenProbes:
    """How well tokens at other positions are read off the states of each layer, on held-out sequences.

    Attributes
    ----------
    ahead : tuple of int
        So many positions lie between the state and the token; 1 is the next token, negative ones lie behind.
    accuracy : ndarray (l + 1, n)
        For the embedding and every layer, and each of n distances: the share of tokens that the probe names.
    low, high : ndarray (l + 1, n)
        Its 95 % interval, by the bootstrap over held-out sequences.
    losses : ndarray (l + 1, n)
        The probe's cross-entropy, in nats.
    guessing_accuracy, guessing_losses : ndarray (n,)
        Of the frequencies of tokens alone.
    count : int
        Sequences held out.
    """

    ahead: tuple[int, ...]
    accuracy: Floats
    low: Floats
    high: Floats
    losses: Floats
    guessing_accuracy: Floats
    guessing_losses: Floats
    count: int


def probe_tokens(
    model: LanguageModel,
    tokens: Tensor,
    *,
    ahead: Iterable[int] = (1, 2),
    penalty: float = 1.0,
    rng: int | np.random.Generator = 0,
) -> TokenProbes:
    """Read the token so many positions ahead off the states of a model, by softmax regression at each layer.

    Fitted on the first half of the sequences and judged on the second, over all positions at once.

    Parameters
    ----------
    model : LanguageModel
    tokens : Tensor (b, t) or (b, t, s)
        Its inputs, of at least four sequences; of several slots the first is what is read.
    ahead : iterable of int
        1 is the next token, 0 the state's own.
    penalty : float
        Of half the squared weights, beside the sum of cross-entropies; states are scaled to variance 1 first.
    rng : int or numpy.random.Generator
        For the bootstrap.

    Returns
    -------
    TokenProbes

    Raises
    ------
    UsageError
        If there are too few sequences, or a distance is as long as they are.

    Notes
    -----
    Source: the instrument is standard; 2404.00859 asks the question (`planning/probes`).

    Examples
    --------
    >>> from ntp_theory.sequence.models import Transformer, TransformerConfig
    >>> model = Transformer(TransformerConfig(vocab_size=5, max_length=6, layers=1))
    >>> tokens = torch.arange(5).repeat(8, 2)[:, :6] % 5
    >>> probe_tokens(model, tokens, ahead=[1]).accuracy.tolist()  # what follows what is all there is to know
    [[1.0], [1.0]]
    """
    ahead = tuple(ahead)
    nonnegative("penalty", penalty)
    labels = (tokens if tokens.dim() == 2 else tokens[:, :, 0]).long().cpu()
    check_lags("ahead", ahead, labels)
    fitted, kinds = len(labels) // 2, int(labels.max()) + 1
    held_out = len(labels) - fitted
    draws = resampled(held_out, generator(rng))
    states = states_of(model, tokens)
    accuracy, low, high, losses = (np.empty((len(states), len(ahead))) for _ in range(4))
    guesses = np.empty((2, len(ahead)))
    for i, distance in enumerate(ahead):
        here, there = span(-distance, labels.shape[1])
        y = labels[:, there]
        counts = torch.bincount(y[:fitted].flatten(), minlength=kinds) + 1.0  # no token is impossible
        logits = counts.log().expand(*y[fitted:].shape, kinds)
        guesses[:, i] = _judged(logits, y[fitted:])[1:]
        for layer, x_btd in enumerate(states[:, :, here].double()):
            weights, constant = softmax_regression(x_btd[:fitted].flatten(0, 1), y[:fitted].flatten(), kinds, penalty)
            hits, accuracy[layer, i], losses[layer, i] = _judged(x_btd[fitted:] @ weights + constant, y[fitted:])
            drawn = draws @ hits / y[fitted:].numel()
            low[layer, i], high[layer, i] = torch.quantile(drawn, torch.tensor([0.025, 0.975]).double()).tolist()
    return TokenProbes(ahead, accuracy, low, high, losses, guesses[0], guesses[1], held_out)


def softmax_regression(x_nd: Tensor, y_n: Tensor, kinds: int, penalty: float) -> tuple[Tensor, Tensor]:
    """Weights (d, v) and constants (v,) of least cross-entropy in sum, plus penalty times half the squared weights.

    The weights count as they act on states of variance 1. Convex; found by L-BFGS.
    """
    mean, scale = x_nd.mean(0), x_nd.std(0, correction=0).clamp_min(1e-12)
    x_nd = (x_nd - mean) / scale
    d = x_nd.shape[1]

    def objective(flat: Floats) -> tuple[float, Floats]:
        parameters = torch.from_numpy(flat).view(d + 1, kinds).requires_grad_()
        logits = x_nd @ parameters[:d] + parameters[d]
        loss = F.cross_entropy(logits, y_n, reduction="sum") + penalty / 2 * parameters[:d].square().sum()
        (gradient,) = torch.autograd.grad(loss, parameters)
        return float(loss.detach()), gradient.flatten().numpy()

    with torch.enable_grad():
        found = minimize(objective, np.zeros((d + 1) * kinds), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    parameters = torch.from_numpy(found.x).view(d + 1, kinds)
    weights = parameters[:d] / scale[:, None]
    return weights, parameters[d] - mean @ weights


def _judged(logits: Tensor, y_bn: Tensor) -> tuple[Tensor, float, float]:
    """Hits a sequence (b,), the share of hits, and the mean cross-entropy."""
    hits = (logits.argmax(-1) == y_bn).double()
    loss = F.cross_entropy(logits.flatten(0, 1), y_bn.flatten())
    return hits.sum(1), float(hits.mean()), float(loss)
