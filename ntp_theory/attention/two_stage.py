"""Two stages of normalised descent: the value weights learn which token follows which, then attention learns to choose.

Every token x has one next token n(x) (its collocation); an input has the next token of its first token in an order of
all tokens that depends on the last token. The model is ``W_ov sum_t s_t e_{x_t}`` with ``s = softmax(e_{x_t}' W_kq
e_k)``. Stage 1 trains W_ov on single tokens: a linear decoder on one-hot data. Stage 2 keeps it and trains W_kq: the
max-margin weights are those of the token-priority graphs whose labels are the tokens to be chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..dataset import NTPDataset
from ..descent import Trajectory
from ..descent import descend as descend_decoder
from ..doors import positive, whole
from ..errors import DatasetError, UsageError
from ..predict import Limit
from ..predict import predict as predict_decoder
from .graph import as_sequences, priority_graphs
from .limit import PartitionLimit, predict
from .log_partition import LogPartition
from .selection_runs import DEEPEST, worth_gradient
from .sequences import TokenSequences

__all__ = ["TwoStageRun", "collocation_data", "two_stages"]


def collocation_data(next_tokens: Sequence[int], frequencies: ArrayLike | Tensor | None = None) -> NTPDataset:
    """Single tokens, as unit vectors, and the one token that follows each.

    Parameters
    ----------
    next_tokens : sequence of int (V,)
        n(x), all different.
    frequencies : array (V,), optional
        Of the tokens, with sum 1; all alike if not given.

    Raises
    ------
    DatasetError
        If it is no permutation of the tokens, or the frequencies do not fit.
    UsageError
        If it is no sequence of whole numbers in range.

    Examples
    --------
    >>> collocation_data([1, 2, 0]).num_contexts
    3
    """
    if not isinstance(next_tokens, Sequence | np.ndarray | Tensor) or isinstance(next_tokens, str):
        raise UsageError(f"next_tokens is {next_tokens!r}; it must be a sequence of tokens, the next of each")
    v = len(next_tokens)
    follows = [whole(f"next_tokens[{x}]", y, at_least=0, at_most=v - 1) for x, y in enumerate(next_tokens)]
    if len(set(follows)) < v or v < 2:
        raise DatasetError(f"next_tokens is {follows}; it must be a permutation of at least 2 tokens")
    return NTPDataset(np.eye(v), np.eye(v)[follows], frequencies)


@dataclass(frozen=True, eq=False, repr=False)
class TwoStageRun:
    """A run of `two_stages`.

    Attributes
    ----------
    sentences : TokenSequences
        Labels are the tokens to be chosen.
    next_tokens : tuple of int
    values : Trajectory
        Stage 1: W_ov (V, V).
    value_limit : Limit
        Its prediction.
    attention_limit : PartitionLimit
        Prediction of stage 2.
    step_size : float
        Length of the steps of stage 2.
    steps : Tensor (r,), int64
        Recorded steps of stage 2.
    weights : Tensor (r, V, V)
        W_kq.

    Examples
    --------
    >>> run = two_stages(TokenSequences([[0, 1], [0, 2, 1]], [0, 0]), [1, 2, 0], steps=(50, 50), points=5)
    >>> run, [len(errors) for errors in (run.steps, run.misplaced(), run.losses())]
    (<TwoStageRun: 3 tokens, 50 steps of stage 2>, [5, 5, 5])
    """

    sentences: TokenSequences
    next_tokens: tuple[int, ...]
    values: Trajectory
    value_limit: Limit
    attention_limit: PartitionLimit
    step_size: float
    steps: Tensor
    weights: Tensor

    def direction_errors(self) -> tuple[Tensor, Tensor]:
        """``|| W / ||W|| - W_mm / ||W_mm|| ||`` of the recorded W_ov, and of the W_kq."""
        assert self.value_limit.direction is not None  # one-hot data of independent tokens is separable
        ov = _direction_errors(self.values.weights, self.value_limit.direction)
        return ov, _direction_errors(self.weights, self.attention_limit.matrix(self.attention_limit.direction))

    def misplaced(self) -> Tensor:
        """Logarithm of the mean of ``off / on``, attention off the tokens to be chosen over that on them; (r,)."""
        loss = self.attention_limit.loss
        found = []
        for w in self.weights:
            scores = loss.scores(w.flatten())
            ratio = scores[:, 1:].logsumexp(1) - scores[:, 0]
            found.append((ratio + loss.weights.log()).logsumexp(0))
        return torch.stack(found)

    def losses(self) -> Tensor:
        """Cross-entropy of the sentences' next tokens along stage 2, nats; (r,)."""
        return torch.stack([_slopes(self, w)[1] for w in self.weights])

    def __repr__(self) -> str:
        return f"<TwoStageRun: {self.sentences.vocab_size} tokens, {int(self.steps[-1])} steps of stage 2>"


def two_stages(
    sentences: TokenSequences,
    next_tokens: Sequence[int],
    *,
    steps: tuple[int, int],
    step_size: tuple[float, float] = (0.1, 0.1),
    frequencies: ArrayLike | Tensor | None = None,
    points: int = 60,
) -> TwoStageRun:
    """Normalised descent on the value weights, then on the attention weights, both from zero.

    Parameters
    ----------
    sentences : TokenSequences
        Realizable: labels, the tokens to be chosen, follow one order for every last token, so no two tokens of a graph
        are strongly connected (``TokenSequences.random(ranked=True)``).
    next_tokens : sequence of int (V,)
        n(x): the next token of a sentence is that of its label.
    steps, step_size : pair
        Of the two stages. Stage 2 ends where attention off the chosen tokens is below e^-600.
    frequencies : array (V,), optional
        Of the tokens in stage 1, with sum 1; all alike if not given: W_ov then has its direction at once.
    points : int
        Recorded times of stage 2.

    Returns
    -------
    TwoStageRun

    Raises
    ------
    DatasetError
        If the sentences are not realizable or leave nothing to choose, the next tokens are no permutation, or
        frequencies do not fit.
    UsageError
        If an argument is of another kind, or a number out of range.

    Notes
    -----
    Source: 2409.17335 (`attention/two-stage-ngd`), of which the abstract was at hand: the model, its embeddings (unit
    vectors) and stage 1 on single tokens are our reading.

    Examples
    --------
    >>> data = TokenSequences.random(4, 12, 3, num_queries=1, ranked=True)
    >>> run = two_stages(data, [1, 2, 3, 0], steps=(200, 200))
    >>> bool(run.misplaced()[-1] < -5), bool(run.losses()[-1] < run.losses()[0])
    (True, True)
    """
    as_sequences(sentences)
    data = collocation_data(next_tokens, frequencies)
    if data.vocab_size != sentences.vocab_size:
        raise DatasetError(
            f"next_tokens has {data.vocab_size} tokens and sentences {sentences.vocab_size}; the same many"
        )
    for graph in priority_graphs(sentences):
        if len(graph.components) < sentences.vocab_size:
            cycle = next(part for part in graph.components if len(part) > 1)
            raise DatasetError(
                f"sentences with last token {graph.query} put tokens {cycle} before each other in turn; "
                "they must follow one order for every last token"
            )
    if all(len(tokens) == 1 for tokens in sentences.distinct):
        raise DatasetError("sentences leave nothing to choose: all have copies of one token each")
    first, second = (whole(f"steps[{i}]", x, at_least=2) for i, x in enumerate(_pair("steps", steps)))
    one, two = (positive(f"step_size[{i}]", x) for i, x in enumerate(_pair("step_size", step_size)))
    values = descend_decoder(data, "ngd", steps=first, step_size=one)
    limit = predict(LogPartition.of_sequences(sentences))
    v = sentences.vocab_size
    run = TwoStageRun(
        sentences,
        tuple(int(y) for y in next_tokens),
        values,
        predict_decoder(data),
        limit,
        two,
        torch.tensor([0]),
        torch.zeros(1, v, v, dtype=torch.float64),
    )
    at = {round(k) for k in np.linspace(1, second, whole("points", points, at_least=2))}
    w, taken, recorded = run.weights[0], [], []
    for k in range(1, second + 1):
        gradient, _ = _slopes(run, w)
        size = float(gradient.norm())
        if size == 0.0 or _least_margin(limit.loss, w) > DEEPEST:
            break
        w = w - two / size * gradient
        if k in at:
            taken.append(k)
            recorded.append(w)
    return TwoStageRun(
        sentences, run.next_tokens, values, run.value_limit, limit, two, torch.tensor(taken), torch.stack(recorded)
    )


def _pair(name: str, values: object) -> tuple[object, object]:
    if not isinstance(values, Sequence | np.ndarray | Tensor) or isinstance(values, str) or len(values) != 2:
        raise UsageError(f"{name} is {values!r}; it must be a pair, one for each stage")
    return values[0], values[1]


def _slopes(run: TwoStageRun, w: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient in W_kq of the sentences' cross-entropy at the last W_ov, and that cross-entropy."""
    loss, value_weights = run.attention_limit.loss, run.values.weights[-1].double()
    v = run.sentences.vocab_size
    tokens = loss.features.reshape(*loss.offsets.shape, v, v).sum(3)  # one-hot rows e_x, zero where there is no choice
    attention = loss.scores(w.flatten()).softmax(1)
    logits = torch.einsum("ic,icv->iv", attention, tokens) @ value_weights.T
    said = torch.tensor([run.next_tokens[y] for y in run.sentences.labels])
    log_q = logits.log_softmax(1)
    own = torch.arange(len(said)), said
    rest = log_q.exp()
    rest[own] = 0.0
    others = rest.sum(1)
    rest[own] = -others  # q - 1, to all its digits
    worth = -torch.einsum("iu,ux,icx->ic", rest, value_weights, tokens)
    pull, _ = worth_gradient(attention, worth)
    gradient = -torch.einsum("i,ic,icd->d", loss.weights, pull, loss.features)
    losses = torch.where(others < 0.5, -torch.log1p(-others.clamp(max=0.5)), -log_q[own])
    return gradient.reshape(v, v), loss.weights @ losses


def _least_margin(loss: LogPartition, w: Tensor) -> float:
    scores = loss.scores(w.flatten())
    apart = scores[:, :1] - scores[:, 1:]
    return float(apart[apart < math.inf].min()) if bool((apart < math.inf).any()) else math.inf


def _direction_errors(weights: Tensor, direction: Tensor) -> Tensor:
    flat = weights.double().flatten(1)
    sizes = flat.norm(dim=1, keepdim=True).clamp(min=1e-300)
    errors: Tensor = (flat / sizes - direction.double().flatten() / direction.double().norm()).norm(dim=1)
    return errors
